"""A server on PyPI `mcp` with every feature of the matrix; it speaks every revision at one address,
or with ONLY=sessions those with a session."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

sys.path.insert(0, str(Path(__file__).parents[2] / "world" / "servers"))

from company import serve
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.resolve import Elicit, ListRoots, Resolve, Sample
from mcp.server.mcpserver.utilities.types import Image
from mcp.types import (
    CallToolResult,
    Completion,
    CreateMessageResult,
    ListRootsResult,
    ResourceLink,
    SamplingMessage,
    TextContent,
)
from pydantic import BaseModel

server = MCPServer("mcp")
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c6360606000000004"
    "0001f61738550000000049454e44ae426082"
)
given_up = set()


class Weather(BaseModel):
    degrees: float
    sky: str


class Name(BaseModel):
    name: str


def who() -> Elicit[Name]:
    return Elicit("Who are you?", Name)


def model() -> Sample:
    said = TextContent(type="text", text="Say a word.")
    return Sample([SamplingMessage(role="user", content=said)], max_tokens=10)


def places() -> ListRoots:
    return ListRoots()


@server.tool()
def echo(message: str) -> str:
    """Says the same."""
    return f"echo: {message}"


@server.tool()
def structured() -> Weather:
    """The weather as an object."""
    return Weather(degrees=21.5, sky="clear")


@server.tool()
def image() -> Image:
    """A picture."""
    return Image(data=PNG, format="png")


@server.tool()
def link() -> CallToolResult:
    """A link to a resource."""
    return CallToolResult(content=[ResourceLink(type="resource_link", uri="mcp://text", name="text")])


@server.tool()
async def progress(context: Context) -> str:
    """Reports progress twice."""
    for far in (1, 2):
        await context.report_progress(far, 2, f"step {far}")
    return "done"


@server.tool()
async def slow(who: str, context: Context) -> str:
    """Takes a minute, unless it is cancelled."""
    await context.report_progress(0, 1)
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        given_up.add(who)
        raise
    return "late"


@server.tool()
async def abandoned(who: str) -> str:
    """Says that `slow` was cancelled, as soon as it was."""
    while who not in given_up:
        await asyncio.sleep(0.01)
    return "abandoned"


@server.tool()
def ask(name: Annotated[Name, Resolve(who)]) -> str:
    """Asks the person."""
    return f"Hello, {name.name}!"


@server.tool()
def sample(word: Annotated[CreateMessageResult, Resolve(model)]) -> str:
    """Asks the model."""
    return f"The model says: {word.content.text}"


@server.tool()
def roots(places: Annotated[ListRootsResult, Resolve(places)]) -> str:
    """Asks for the roots."""
    return " ".join(str(root.uri) for root in places.roots)


@server.tool()
async def log(context: Context) -> str:
    """Logs a message."""
    await context.warning("something to know")
    return "logged"


def sometimes() -> str:
    """Is not always there."""
    return "here"


@server.tool()
async def change(context: Context) -> str:
    """Changes the list of tools."""
    if any(tool.name == "sometimes" for tool in await server.list_tools()):
        server.remove_tool("sometimes")
    else:
        server.add_tool(sometimes)
    await context.notify_tools_changed()
    await context.session.send_tool_list_changed()
    return "changed"


@server.resource("mcp://text")
def text() -> str:
    """A text."""
    return "the text of mcp"


@server.resource("mcp://item/{id}")
def item(id: str) -> str:
    """An item."""
    return f"item {id} of mcp"


@server.prompt()
def greet(name: str) -> str:
    """A greeting."""
    return f"Greet {name}."


@server.completion()
async def complete(ref, argument, context):
    names = [name for name in ("Ada", "Alan", "Grace") if name.startswith(argument.value)]
    return Completion(values=names, total=len(names), has_more=False)


if __name__ == "__main__":
    serve(server.streamable_http_app, sessions_only=os.environ.get("ONLY") == "sessions")
