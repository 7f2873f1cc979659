// Pays for a page with the published TypeScript client, with a body of so many bytes if it says so, and prints the most memory
// it held, in KiB, as the programs of `programs/` do. Arguments: URL [BYTES]; environment: KEY, RPC, CHAIN_ID.
import { readFileSync } from 'node:fs'
import { Mppx, tempo } from 'mppx/client'
import { createClient, http } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { tempo as tempoChain } from 'viem/tempo/chains'

const [url, bytes] = process.argv.slice(2)
const { KEY: key, RPC: rpc, CHAIN_ID: chainId } = process.env
const chain = { ...tempoChain, id: Number(chainId), rpcUrls: { default: { http: [rpc] } } }
const node = createClient({ chain, transport: http(rpc) })
const charge = tempo.charge({ account: privateKeyToAccount(key), getClient: () => node })
const mppx = Mppx.create({ polyfill: false, methods: [charge] })
const body = bytes && new Uint8Array(Number(bytes)).fill(97)
const answer = await mppx.fetch(url, body ? { method: 'POST', body } : {})
const text = await answer.text()
if (!answer.ok || !answer.headers.has('payment-receipt')) throw new Error(`${answer.status}: ${text}`)
console.log(/^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1])
