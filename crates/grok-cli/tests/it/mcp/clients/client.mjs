// The official SDK's second major version, with protocol version 2026-07-28.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { headers, server, walk } from './steps.mjs'

const client = new Client({ name: 'client', version: '2' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } })
await client.connect(server.url
  ? new StreamableHTTPClientTransport(new URL(server.url), { requestInit: { headers } })
  : new StdioClientTransport(server))
await walk(client, (call, options) => client.callTool(call, options))
