"""A host made of PyPI `mcp`; used as features.mjs says. ERA says how it speaks: `legacy` opens a session,
a revision is taken for granted."""

import asyncio
import json
import os
import sys
import uuid
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from urllib.parse import unquote

from mcp import Client, MCPError, StdioServerParameters
from mcp.types import (
    CreateMessageResult,
    ElicitResult,
    ListRootsResult,
    PromptReference,
    Root,
    TextContent,
)

TABLE = json.loads((Path(__file__).parents[1] / "features.json").read_text())
# How long a feature may take, in seconds, unless the table says something else.
PATIENCE = 60
FEATURES = ["list", "call", "structured", "image", "link", "progress", "cancel", "elicit", "sample", "roots", "log",
            "resource", "template", "prompt", "complete", "change"]
CHANGES = {"notifications/tools/list_changed": "tools", "notifications/resources/list_changed": "resources"}
spec = json.loads(sys.argv[1])
era = os.environ.get("ERA", "legacy")
waiting = []


def tell(kind, value=None):
    for wanted_kind, wanted, future in waiting:
        if wanted_kind == kind and wanted(value) and not future.done():
            future.set_result(value)


def expected(kind, wanted=lambda _: True):
    future = asyncio.get_running_loop().create_future()
    waiting.append((kind, wanted, future))
    return future


def features_of(server):
    """What a server has; the same program may run in more than one way."""
    return TABLE[server.split("-")[0]]


async def elicit(context, params):
    known = {"name": "Ada", "username": "Ada", "email": "ada@example.com"}
    wanted = {key: value for key, value in known.items() if key in params.requested_schema["properties"]}
    return ElicitResult(action="accept", content=wanted)


async def sample(context, params):
    return CreateMessageResult(role="assistant", model="m", content=TextContent(type="text", text="marmalade"))


async def roots(context):
    return ListRootsResult(roots=[Root(uri="file:///matrix", name="matrix")])


async def logged(params):
    tell("log", str(params.data))


async def heard(message):
    method = getattr(message, "method", None)
    if method in CHANGES:
        tell(CHANGES[method])


def said(result):
    return "\n".join(getattr(block, "text", "") for block in result.content)


def check(condition, why):
    if not condition:
        raise AssertionError(str(why)[:200])


class Visit:
    def __init__(self, client, server):
        self.client = client
        self.server = server

    def name(self, own):
        return f"{self.server}__{own}" if "command" in spec else own

    async def call(self, feature, **options):
        return await self.client.call_tool(self.name(feature["tool"]), feature.get("arguments", {}), **options)

    def shown_as(self, listed, own):
        start = f"chaperone://{self.server}/"
        aliases = [uri for uri in listed if uri.startswith(start) and unquote(uri[len(start):]) == own]
        found = aliases or [uri for uri in listed if uri == own]
        check(found, f"{own} is not listed: {listed}")
        return found[0]

    async def list(self, _feature):
        names = [tool.name for tool in (await self.client.list_tools(cache_mode="refresh")).tools]
        for feature in features_of(self.server).values():
            check("tool" not in feature or self.name(feature["tool"]) in names, f"{feature} is not listed: {names}")

    async def says(self, feature):
        result = await self.call(feature)
        check(not result.is_error and feature.get("expect", "") in said(result), result)

    elicit = sample = roots = says

    async def structured(self, feature):
        result = await self.call(feature)
        check(feature["expect"] in json.dumps(result.structured_content), result)

    async def image(self, feature):
        result = await self.call(feature)
        check(any(block.type == "image" and len(block.data) > 50 for block in result.content), result)

    async def link(self, feature):
        result = await self.call(feature)
        check(any(block.type == "resource_link" and block.uri for block in result.content), result)

    async def progress(self, feature):
        seen = []

        async def far(progress, total, message):
            seen.append(progress)

        result = await self.call(feature, progress_callback=far)
        check(feature["expect"] in said(result), result)
        check(len(seen) >= 2, f"progress: {seen}")

    async def cancel(self, feature):
        """Gives a call up once it is on its way; some servers can be asked whether they heard of it."""
        who = {"who": uuid.uuid4().hex} if "after" in feature else {}
        under_way = asyncio.Event()

        async def far(progress, total, message):
            under_way.set()

        call = {"tool": feature["tool"], "arguments": feature.get("arguments", {}) | who}
        calling = asyncio.ensure_future(self.call(call, progress_callback=far))
        await under_way.wait()
        calling.cancel()
        ends = await asyncio.gather(calling, return_exceptions=True)
        check(isinstance(ends[0], BaseException), f"it was answered: {ends}")
        if "after" in feature:
            after = await self.call({"tool": feature["after"], "arguments": who})
            check("abandoned" in said(after), after)
        await self.says(features_of(self.server)["call"])

    async def log(self, feature):
        message = expected("log", lambda data: feature["expect"] in data)
        if era == "legacy" and self.client.server_capabilities.logging:
            await self.client.set_logging_level("debug")
        await self.call(feature)
        await message

    async def resource(self, feature):
        listed = [str(resource.uri) for resource in (await self.client.list_resources()).resources]
        result = await self.client.read_resource(self.shown_as(listed, feature["uri"]))
        check(feature["expect"] in result.contents[0].text, result)

    async def template(self, feature):
        listed = (await self.client.list_resource_templates()).resource_templates
        template = feature["template"]
        shown = self.shown_as([one.uri_template for one in listed], template)
        result = await self.client.read_resource(shown.removesuffix(template) + feature["uri"])
        check(feature["expect"] in result.contents[0].text, result)

    async def prompt(self, feature):
        name = self.name(feature["name"])
        names = [prompt.name for prompt in (await self.client.list_prompts()).prompts]
        check(name in names, f"{name} is not listed: {names}")
        result = await self.client.get_prompt(name, feature["arguments"])
        check(feature["expect"] in str(result.messages), result)

    async def complete(self, feature):
        ref = PromptReference(type="ref/prompt", name=self.name(feature["prompt"]))
        result = await self.client.complete(ref, {"name": feature["argument"], "value": feature["value"]})
        check(feature["expect"] in result.completion.values, result)

    async def change(self, feature):
        changed = expected(feature["list"])
        async with AsyncExitStack() as listening:
            if era != "legacy":
                listen = self.client.listen(tools_list_changed=True, resources_list_changed=True)
                # Some servers tell of changes without being asked to.
                with suppress(MCPError):
                    await listening.enter_async_context(listen)
            check(not (await self.call(feature)).is_error, "the tool failed")
            await changed


def report(server, feature, status, why=""):
    print(json.dumps({"server": server, "feature": feature, "status": status, "why": str(why)}), flush=True)


async def complete_lists(client):
    """Waits until the lists of all servers are there: the program shows them as they come."""
    while True:
        changed = expected("tools")
        names = {tool.name for tool in (await client.list_tools(cache_mode="refresh")).tools}
        if all(f"{server}__{features_of(server)['call']['tool']}" in names for server in spec["servers"]):
            return
        await changed


async def all_lists(client):
    if era == "legacy":
        return await complete_lists(client)
    async with client.listen(tools_list_changed=True):
        await complete_lists(client)


async def visit(client):
    if "command" in spec:
        await asyncio.wait_for(all_lists(client), PATIENCE)
    for server in spec["servers"]:
        one = Visit(client, server)
        for feature in FEATURES:
            wanted = {} if feature == "list" else features_of(server).get(feature)
            if wanted is None:
                report(server, feature, "absent")
                continue
            doing = one.says if feature == "call" else getattr(one, feature)
            try:
                await asyncio.wait_for(doing(wanted), wanted.get("seconds", PATIENCE))
                report(server, feature, "ok")
            except Exception as error:
                report(server, feature, "failed", repr(error))


async def main():
    target = spec.get("url") or StdioServerParameters(command=spec["command"], args=[], env=dict(os.environ), cwd="/")
    client = Client(
        target,
        mode=era,
        sampling_callback=sample,
        elicitation_callback=elicit,
        list_roots_callback=roots,
        logging_callback=logged,
        log_level="debug",
        message_handler=heard,
    )
    entered = False
    try:
        async with client:
            await client.list_tools()
            entered = True
            await visit(client)
    except BaseException as error:
        if not entered:
            for server in spec["servers"]:
                report(server, "connect", "failed", repr(error))


asyncio.run(main())
