// The official SDK's first major version, with protocol versions up to 2025-11-25.
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { headers, server, walk } from './steps.mjs'

const client = new Client({ name: 'sdk', version: '1' })
await client.connect(server.url
  ? new StreamableHTTPClientTransport(new URL(server.url), { requestInit: { headers } })
  : new StdioClientTransport(server))
await walk(client, (call, options) => client.callTool(call, undefined, options))
