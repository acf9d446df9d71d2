"""What the company's servers have in common: the bearer is checked, requests are remembered, and the
first line on standard output says where the server listens.

Not here: the tools, which are what the two servers differ in.
"""

import asyncio
import hashlib
import json
import os
import socket

import jwt
import uvicorn


class Guard:
    """Lets a request in whose token the identity provider signed for this server, and no other.

    Whoever asks for it is shown the bearer in an error, as badly made servers do.

    `GET /__test/seen` answers with what came, without the tokens: a test joins it with the record
    by `request_id`.
    """

    def __init__(self, app, url, issuer, sessions_only):
        self.app = app
        self.sessions_only = sessions_only
        self.url = url
        self.issuer = issuer
        self.keys = jwt.PyJWKClient(f"{issuer}/jwks", cooldown_duration=0) if issuer else None
        self.seen = []

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if scope["path"] == "/__test/seen":
            return await respond(send, 200, self.seen)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        body, receive = await read(receive)
        problem, claims = await asyncio.to_thread(self.check, headers.get("authorization", ""))
        self.seen.append(note(scope, headers, body, claims, problem))
        if problem:
            challenge = f'Bearer error="invalid_token", error_description="{problem}"'
            return await respond(send, 401, {"error": problem}, challenge)
        if self.sessions_only and "mcp-method" in headers:
            return await respond(send, 400, {"error": "Bad Request: Missing session ID"})
        if b"show me my bearer" in body:
            return await respond(send, 500, {"error": f"no luck with {headers.get('authorization')}"})
        return await self.app(scope, receive, send)

    def check(self, authorization):
        if not self.keys:
            return None, {}
        kind, _, token = authorization.partition(" ")
        if kind.lower() != "bearer" or not token:
            return "no bearer", {}
        try:
            key = self.keys.get_signing_key_from_jwt(token).key
            return None, jwt.decode(token, key, algorithms=["RS256"], audience=self.url, issuer=self.issuer)
        except jwt.PyJWTError as error:
            return type(error).__name__, {}


def note(scope, headers, body, claims, problem):
    try:
        message = json.loads(body)
    except ValueError:
        message = {}
    params = message.get("params") or {}
    authorization = headers.get("authorization", "")
    return {
        "http_method": scope["method"],
        "method": message.get("method"),
        "tool": params.get("name"),
        "arguments": params.get("arguments"),
        "request_id": headers.get("x-request-id"),
        "traceparent": headers.get("traceparent"),
        "session": headers.get("mcp-session-id"),
        "subject": claims.get("sub"),
        "scope": claims.get("scope"),
        "bearer_sha256": hashlib.sha256(authorization.encode()).hexdigest() if authorization else None,
        "refused": problem,
    }


async def read(receive):
    """Reads the whole body, and gives it back as a `receive` that serves it once more."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        body += message.get("body", b"")
        more = message.get("more_body", False)
    served = False

    async def again():
        nonlocal served
        if served:
            return await receive()
        served = True
        return {"type": "http.request", "body": body, "more_body": False}

    return body, again


async def respond(send, status, value, challenge=None):
    headers = [(b"content-type", b"application/json")]
    if challenge:
        headers.append((b"www-authenticate", challenge.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(value).encode()})


def serve(make_app, sessions_only=False):
    """Serves on `PORT` (0 or absent: any free one); `ISSUER` is who signs the tokens, empty for none.

    With `sessions_only`, as a server does that knows no revision after 2025-11-25.
    """
    listener = socket.create_server(("127.0.0.1", int(os.environ.get("PORT", "0"))))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
    app = Guard(make_app(), url, os.environ.get("ISSUER", ""), sessions_only)
    print(f"listening {url}", flush=True)
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])
