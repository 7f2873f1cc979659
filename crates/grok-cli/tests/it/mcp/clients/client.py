"""The official Python SDK: the server and the steps as one JSON argument in, what every step came to as one JSON line out."""

import json
import sys

import anyio
import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

asked = json.loads(sys.argv[1])
server = asked["server"]


def transport():
    if "url" not in server:
        return StdioServerParameters(**server)
    headers = {"Authorization": f"Bearer {server['token']}"} if server.get("token") else {}
    return streamable_http_client(server["url"], http_client=httpx2.AsyncClient(headers=headers, timeout=60))


async def step(client, wanted):
    progress = []
    ending = {"error": "cancelled"}
    with anyio.CancelScope() as scope:

        async def told(count, total, message):
            progress.append({"progress": count, "total": total, "message": message})
            if wanted.get("cancel_at") and message.startswith(wanted["cancel_at"]):
                scope.cancel()

        try:
            result = await client.call_tool(wanted["tool"], wanted["arguments"], 60, told)
            ending = {"result": result.model_dump(mode="json", by_alias=True)}
        except Exception as error:
            ending = {"error": str(error)}
    return {**ending, "progress": progress}


async def main():
    async with Client(transport(), mode=asked.get("mode", "auto")) as client:
        tools = (await client.list_tools()).tools
        ended = [await step(client, wanted) for wanted in asked["steps"]]
        print(
            json.dumps(
                {
                    "server": client.server_info.model_dump(mode="json", by_alias=True),
                    "tools": [tool.model_dump(mode="json", by_alias=True) for tool in tools],
                    "ended": ended,
                }
            )
        )


anyio.run(main)
