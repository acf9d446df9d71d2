"""A host made of PyPI `mcp`; used like sdk.mjs."""

import asyncio
import json
import os
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main(tool, arguments, command, *rest):
    server = StdioServerParameters(command=command, args=list(rest), env=dict(os.environ), cwd="/")
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        hello = await session.initialize()
        tools = (await session.list_tools()).tools
        result = await session.call_tool(tool, json.loads(arguments))
    print(json.dumps({
        "server": hello.server_info.name,
        "tools": [tool.name for tool in tools],
        "is_error": bool(result.is_error),
        "text": "\n".join(getattr(block, "text", "") for block in result.content),
    }))


asyncio.run(main(*sys.argv[1:]))
