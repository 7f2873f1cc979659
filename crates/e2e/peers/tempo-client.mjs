// A viem client of the local Tempo node, for the server and the payer alike.
import { createClient, http } from 'viem'
import { tempo } from 'viem/tempo/chains'

export function tempoClient({ rpc, chainId }) {
  const chain = { ...tempo, id: chainId, rpcUrls: { default: { http: [rpc] } } }
  return createClient({ chain, transport: http(rpc), pollingInterval: 50 })
}
