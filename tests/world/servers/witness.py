"""A witness (C2SP tlog-witness) that cosigns with Ed25519 and ML-DSA-44, by PyPI `cryptography`.

    python witness.py <directory> [port]     the first line on standard output says where it listens

`GET /keys` gives its verifier keys, one a line. `POST /trust` takes a log's verifier key. `POST /plan`
gives a list of what comes of the next heads: `{"status": 503, "retry_after": 1}`, or `{"lost": true}`,
which cosigns and hangs up. `GET /seen` gives the requests that it took, as JSON.
"""

import base64
import hashlib
import json
import os
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

DIRECTORY = sys.argv[1]
NAME = "witness.example/w1"
STATE = os.path.join(DIRECTORY, "state.json")
PLAN: list[dict] = []
SEEN: list[dict] = []


def key_id(name, kind, key):
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + key).digest()[:4]


def vkey(name, kind, key):
    text = base64.b64encode(bytes([kind]) + key).decode()
    return f"{name}+{key_id(name, kind, key).hex()}+{text}"


def seed(name):
    path = os.path.join(DIRECTORY, name)
    if not os.path.exists(path):
        with open(path, "wb") as file:
            file.write(os.urandom(32))
    with open(path, "rb") as file:
        return file.read()


os.makedirs(DIRECTORY, exist_ok=True)
ED = Ed25519PrivateKey.from_private_bytes(seed("ed25519"))
ML = MLDSA44PrivateKey.from_seed_bytes(seed("ml-dsa-44"))
KEYS = {4: ED.public_key().public_bytes_raw(), 6: ML.public_key().public_bytes_raw()}


def load():
    try:
        with open(STATE) as file:
            return json.load(file)
    except FileNotFoundError:
        return {"trusted": {}, "heads": {}}


def save(state):
    with open(STATE + ".new", "w") as file:
        json.dump(state, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(STATE + ".new", STATE)


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def is_consistent(old_size, new_size, proof, old_root, new_root):
    """RFC 6962 section 2.1.2 the other way round: rebuilds both roots, by recursion over the sizes."""
    rest = list(proof)

    def roots(old, new, whole):
        if old == new:
            hash = old_root if whole else rest.pop(0)
            return hash, hash
        split = 1
        while split * 2 < new:
            split *= 2
        if old <= split:
            before, after = roots(old, split, whole)
            right = rest.pop(0)
            return before, node(after, right)
        before, after = roots(old - split, new - split, False)
        left = rest.pop(0)
        return node(left, before), node(left, after)

    try:
        before, after = roots(old_size, new_size, True)
    except IndexError:
        return False
    return (before, after, rest) == (old_root, new_root, [])


class Refused(Exception):
    def __init__(self, status, body=b"", kind="text/plain"):
        self.status, self.body, self.kind = status, body, kind


def size(text):
    if not text.isdigit() or (text != "0" and text.startswith("0")):
        raise Refused(400, b"not a size")
    return int(text)


def add(body):
    """What a head is answered with, and the signature lines."""
    head, _, note = body.partition("\n\n")
    first, *proof = head.split("\n")
    if not first.startswith("old "):
        raise Refused(400, b"no old size")
    old, proof = size(first[4:]), [base64.b64decode(line, validate=True) for line in proof]
    if len(proof) > 63:
        raise Refused(400, b"too long")
    text, _, lines = note.rpartition("\n\n")
    text += "\n"
    origin, count, root = text.split("\n")[:3]
    count, root = size(count), base64.b64decode(root, validate=True)
    state = load()
    if origin not in state["trusted"]:
        raise Refused(404, b"unknown log")
    check(text, lines, origin, state["trusted"][origin])
    if old > count:
        raise Refused(400, b"older than before")
    last, last_root = state["heads"].get(origin, [0, None])
    if old != last:
        raise Refused(409, f"{last}\n".encode(), "text/x.tlog.size")
    if old == 0:
        good = not proof
    else:
        good = is_consistent(old, count, proof, base64.b64decode(last_root), root)
    if not good:
        raise Refused(422, b"inconsistent")
    state["heads"][origin] = [count, base64.b64encode(root).decode()]
    save(state)
    SEEN.append({"old": old, "size": count, "proof": len(proof)})
    return cosigned(text, origin, count, root)


def check(text, lines, origin, trusted):
    key = base64.b64decode(trusted)
    for line in lines.splitlines():
        dash, name, encoded = line.split(" ")
        data = base64.b64decode(encoded, validate=True)
        if dash == "\u2014" and name == origin and data[:4] == key_id(origin, 1, key):
            try:
                return Ed25519PublicKey.from_public_bytes(key).verify(data[4:], text.encode())
            except InvalidSignature:
                break
    raise Refused(403, b"not by a trusted key")


def cosigned(text, origin, count, root):
    now = int(time.time())
    stamp = now.to_bytes(8, "big")
    plain = f"cosignature/v1\ntime {now}\n{text}".encode()
    name, log = NAME.encode(), origin.encode()
    subtree = b"subtree/v1\n\0" + bytes([len(name)]) + name + stamp + bytes([len(log)]) + log
    subtree += bytes(8) + count.to_bytes(8, "big") + root
    answer = ""
    for kind, signature in [(4, ED.sign(plain)), (6, ML.sign(subtree))]:
        line = base64.b64encode(key_id(NAME, kind, KEYS[kind]) + stamp + signature).decode()
        answer += f"\u2014 {NAME} {line}\n"
    return answer.encode()


class Witness(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", kind="text/plain", **heads):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in heads.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/seen":
            return self.answer(200, json.dumps(SEEN).encode(), "application/json")
        keys = "".join(vkey(NAME, kind, key) + "\n" for kind, key in KEYS.items())
        return self.answer(200, keys.encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/plan":
            PLAN[:] = json.loads(body)
            return self.answer(200)
        if self.path == "/trust":
            name, _, key = body.strip().split("+", 2)
            state = load()
            state["trusted"][name] = base64.b64encode(base64.b64decode(key)[1:]).decode()
            save(state)
            return self.answer(200)
        if self.path != "/prefix/add-checkpoint":
            return self.answer(404, b"no such place")
        step = PLAN.pop(0) if PLAN else {}
        if "status" in step:
            after = {"Retry_After": step["retry_after"]} if "retry_after" in step else {}
            return self.answer(step["status"], b"later", **after)
        try:
            lines = add(body)
        except Refused as why:
            return self.answer(why.status, why.body, why.kind)
        if step.get("lost"):
            self.close_connection = True
            self.connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
            )
            return self.connection.close()
        return self.answer(200, lines)


port = int(sys.argv[2]) if len(sys.argv) > 2 else 0
server = ThreadingHTTPServer(("127.0.0.1", port), Witness)
print(f"listening http://127.0.0.1:{server.server_port}/prefix", flush=True)
server.serve_forever()
