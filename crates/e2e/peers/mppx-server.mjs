// A shop run by the published MPP server, one price a route; prints {"port":N} once it listens.
// Options: rpc, chainId, realm, recipient, splitRecipients (two), sponsorKey.
import { createServer } from 'node:http'
import { Mppx, Store, tempo } from 'mppx/server'
import { privateKeyToAccount } from 'viem/accounts'
import { endWithParent, options, tell } from './lifeline.mjs'
import { tempoClient } from './tempo-client.mjs'

const client = tempoClient(options)
const shop = (extra) =>
  Mppx.create({
    secretKey: 'a secret of this test server, 32 bytes or more',
    realm: options.realm,
    methods: [
      tempo.charge({
        currency: '0x20c0000000000000000000000000000000000000',
        recipient: options.recipient,
        getClient: () => client,
        store: Store.memory(),
        ...extra,
      }),
    ],
  })
const plain = shop()
const sponsored = shop({ feePayer: privateKeyToAccount(options.sponsorKey) })
const [first, second] = options.splitRecipients

const routes = {
  '/pull': () => plain.charge({ amount: '0.01', description: 'one apple', supportedModes: ['pull'] }),
  '/push': () => plain.charge({ amount: '0.01', supportedModes: ['push'] }),
  '/any': () => plain.charge({ amount: '0.01', externalId: 'order-42' }),
  '/zero': () => plain.charge({ amount: '0', description: 'identity' }),
  '/splits': () =>
    plain.charge({
      amount: '1',
      splits: [
        { amount: '0.1', recipient: first },
        { amount: '0.2', recipient: second, memo: `0x${'11'.repeat(32)}` },
      ],
    }),
  '/sponsored': () => sponsored.charge({ amount: '0.01', description: 'sponsored apple' }),
  '/sponsored-splits': () => sponsored.charge({ amount: '1', splits: [{ amount: '0.1', recipient: first }] }),
  '/short': () => plain.charge({ amount: '0.01', expires: new Date(Date.now() + 20_000).toISOString() }),
  '/scoped': () => plain.charge({ amount: '0.01', scope: 'fruit', meta: { sku: 'apple' } }),
}

async function answer(request, body) {
  const { pathname } = new URL(request.url)
  const charge = routes[pathname]
  if (!charge) return new Response('no such route', { status: 404 })
  const result = await charge()(request)
  if (result.status === 402) return result.challenge
  return result.withReceipt(Response.json({ route: pathname, method: request.method, body }))
}

const server = createServer(async (incoming, outgoing) => {
  try {
    const body = Buffer.concat(await incoming.toArray())
    const request = new Request(new URL(incoming.url, `http://${incoming.headers.host}`), {
      method: incoming.method,
      headers: incoming.headers,
      body: body.length ? body : undefined,
    })
    const response = await answer(request, body.toString())
    outgoing.writeHead(response.status, Object.fromEntries(response.headers))
    outgoing.end(Buffer.from(await response.arrayBuffer()))
  } catch (error) {
    outgoing.writeHead(500).end(String(error))
  }
})

endWithParent()
server.listen(0, '127.0.0.1', () => tell({ port: server.address().port }))
