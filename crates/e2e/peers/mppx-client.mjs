// One request by the published MPP client, paid if it must be; prints {"status","body","receipt","reference"}, or
// {"error"} when the client gave up, and exits with 0 only for a 2xx.
// Options: rpc, chainId, key, mode ("pull", "push" or none: the client chooses), url, method, body (or none).
import { Receipt } from 'mppx'
import { Mppx, tempo } from 'mppx/client'
import { privateKeyToAccount } from 'viem/accounts'
import { endWithParent, options, tell } from './lifeline.mjs'
import { tempoClient } from './tempo-client.mjs'

endWithParent(() => process.exit(1))
const { key, mode, url, method, body } = options
const client = tempoClient(options)

async function pay() {
  const charge = tempo.charge({ account: privateKeyToAccount(key), getClient: () => client, ...(mode && { mode }) })
  const mppx = Mppx.create({ polyfill: false, methods: [charge] })
  const headers = body ? { 'content-type': 'application/json' } : {}
  const response = await mppx.fetch(url, { method, headers, ...(body && { body }) })
  const receipt = response.headers.get('payment-receipt')
  return {
    status: response.status,
    body: await response.text(),
    receipt,
    reference: receipt && Receipt.deserialize(receipt).reference,
  }
}

const outcome = await pay().catch((error) => ({ error: String(error?.message ?? error) }))
tell(outcome, () => process.exit(outcome.status >= 200 && outcome.status < 300 ? 0 : 1))
