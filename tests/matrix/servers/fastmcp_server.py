"""A server on PyPI `fastmcp` with the features of the matrix that it has; it speaks every revision at one
address, or with ONLY=sessions those with a session. What it asks in the middle of a call it asks in the way of the revision that it is spoken to in."""

import asyncio
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "world" / "servers"))

from company import serve
from fastmcp import Context, FastMCP
from fastmcp.tools import ToolResult
from fastmcp.utilities.types import Image
from mcp_types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    InputRequiredResult,
    ListRootsRequest,
    ResourceLink,
    SamplingMessage,
    TextContent,
    ToolListChangedNotification,
)
from pydantic import BaseModel

server = FastMCP("fastmcp")
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c6360606000000004"
    "0001f61738550000000049454e44ae426082"
)
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
WORDS = [SamplingMessage(role="user", content=TextContent(type="text", text="Say a word."))]
given_up = set()


class Weather(BaseModel):
    degrees: float
    sky: str


def stands_alone(context):
    return context.request_context.protocol_version >= "2026"


def brought(context):
    return (context.input_responses or {}).get("it")


@server.tool
def echo(message: str) -> str:
    """Says the same."""
    return f"echo: {message}"


@server.tool
def structured() -> Weather:
    """The weather as an object."""
    return Weather(degrees=21.5, sky="clear")


@server.tool
def image() -> Image:
    """A picture."""
    return Image(data=PNG, format="png")


@server.tool
def link() -> ToolResult:
    """A link to a resource."""
    return ToolResult(content=[ResourceLink(type="resource_link", uri="fastmcp://text", name="text")])


@server.tool
async def progress(context: Context) -> str:
    """Reports progress twice."""
    for far in (1, 2):
        await context.report_progress(far, 2, f"step {far}")
    return "done"


@server.tool
async def slow(who: str, context: Context) -> str:
    """Takes a minute, unless it is cancelled."""
    await context.report_progress(0, 1)
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        given_up.add(who)
        raise
    return "late"


@server.tool
async def abandoned(who: str) -> str:
    """Says that `slow` was cancelled, as soon as it was."""
    while who not in given_up:
        await asyncio.sleep(0.01)
    return "abandoned"


@server.tool
async def ask(context: Context):
    """Asks the person."""
    if not stands_alone(context):
        answer = await context.session.elicit("Who are you?", SCHEMA, related_request_id=context.request_id)
    elif not (answer := brought(context)):
        form = ElicitRequestFormParams(message="Who are you?", requested_schema=SCHEMA)
        return InputRequiredResult(input_requests={"it": ElicitRequest(params=form)})
    return f"Hello, {answer.content['name']}!"


@server.tool
async def sample(context: Context):
    """Asks the model."""
    if not stands_alone(context):
        answer = await context.session.create_message(WORDS, max_tokens=10, related_request_id=context.request_id)
    elif not (answer := brought(context)):
        wanted = CreateMessageRequestParams(messages=WORDS, max_tokens=10)
        return InputRequiredResult(input_requests={"it": CreateMessageRequest(params=wanted)})
    return f"The model says: {answer.content.text}"


@server.tool
async def roots(context: Context):
    """Asks for the roots."""
    if not stands_alone(context):
        answer = await context.session.list_roots()
    elif not (answer := brought(context)):
        return InputRequiredResult(input_requests={"it": ListRootsRequest()})
    return " ".join(str(root.uri) for root in answer.roots)


@server.tool
async def log(context: Context) -> str:
    """Logs a message."""
    await context.warning("something to know")
    return "logged"


def sometimes() -> str:
    """Is not always there."""
    return "here"


@server.tool
async def change(context: Context) -> str:
    """Changes the list of tools."""
    if any(tool.name == "sometimes" for tool in await server.list_tools()):
        server.local_provider.remove_tool("sometimes")
    else:
        server.add_tool(sometimes)
    await context.send_notification(ToolListChangedNotification())
    return "changed"


@server.resource("fastmcp://text")
def text() -> str:
    """A text."""
    return "the text of fastmcp"


@server.resource("fastmcp://item/{id}")
def item(id: str) -> str:
    """An item."""
    return f"item {id} of fastmcp"


@server.prompt
def greet(name: str) -> str:
    """A greeting."""
    return f"Greet {name}."


@server.completion
async def complete(ref, argument, context):
    return [name for name in ("Ada", "Alan", "Grace") if name.startswith(argument.value)]


if __name__ == "__main__":
    serve(server.http_app, sessions_only=os.environ.get("ONLY") == "sessions")
