// The published TypeScript client, as its documentation has it, with its chain pinned. Its task is one JSON argument, its
// answer one JSON line, as of the programs in `src/bin`, whose library `src/client.rs` says what all of them do.
import { readFileSync } from 'node:fs'
import { once } from 'node:events'
import { Mppx, tempo } from 'mppx/client'
import { createClient, http } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { tempo as tempoChain } from 'viem/tempo/chains'

const { url, rpc, chainId, key, warmUp, number, inFlight, seconds } = JSON.parse(process.argv[2])
const chain = { ...tempoChain, id: chainId, rpcUrls: { default: { http: [rpc] } } }
const node = createClient({ chain, transport: http(rpc) })
const charge = tempo.charge({
  account: privateKeyToAccount(key),
  getClient: () => node,
  expectedChainId: chainId,
})
const mppx = Mppx.create({ polyfill: false, methods: [charge] })

async function pay() {
  const answer = await mppx.fetch(url)
  const body = await answer.text()
  const receipt = answer.headers.get('payment-receipt')
  if (!answer.ok || !receipt) throw new Error(`${answer.status}: ${body}`)
  return receipt
}

async function load(number) {
  const all = { latencies: [], receipts: [], failures: [] }
  const begun = performance.now()
  let done = 0
  const worker = async () => {
    while (done++ < number && performance.now() - begun < seconds * 1e3) {
      const begun = performance.now()
      try {
        all.receipts.push(await pay())
        all.latencies.push(performance.now() - begun)
      } catch (error) {
        all.failures.push([error.message, error.cause?.code].filter(Boolean).join(': '))
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(inFlight, number) }, worker))
  return all
}

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)

const warm = await load(warmUp)
say({ warm: warm.receipts.length, failure: warm.failures[0] })
await once(process.stdin, 'data')
const cpu = process.cpuUsage()
const begun = performance.now()
const all = await load(number)
const wall = performance.now() - begun
const { user, system } = process.cpuUsage(cpu)
const peak = Number(/^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1])
say({ wall, cpu: (user + system) / 1e3, peak, ...all })
process.stdin.destroy()
