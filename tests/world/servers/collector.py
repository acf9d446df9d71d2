"""A receiver of records: OTLP logs over HTTP, decoded by PyPI `opentelemetry-proto`, and Splunk's event
collector. What it has taken stands in a file before it says so, and it misbehaves as it is told to.

    python collector.py <file> [port]     the first line on standard output says where it listens

With TLS=<directory> it has the certificate `server.pem` with the key `server.key`, and asks for one that
`clients.pem` has signed.

`POST /plan` gives a list of what comes of the next requests: `{"status": 503, "retry_after": 1}`,
`{"slow": 2}` answers after two seconds, `{"reset": true}` before and `{"lost": true}` after the records
are taken; `{"poison": text}` refuses every record that holds the text, for good.
"""

import gzip
import json
import os
import socket
import ssl
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

FILE = sys.argv[1]
PLAN: list[dict] = []
POISON: list[str] = []


def decoded(value):
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [decoded(item) for item in value.array_value.values]
    return getattr(value, kind) if kind else None


def attributes(pairs):
    return {pair.key: decoded(pair.value) for pair in pairs}


def otlp(body):
    request = ExportLogsServiceRequest()
    request.ParseFromString(body)
    for resource in request.resource_logs:
        about = attributes(resource.resource.attributes)
        for scope in resource.scope_logs:
            for record in scope.log_records:
                yield {
                    "record": decoded(record.body),
                    "attributes": attributes(record.attributes),
                    "about": about,
                    "scope": [scope.scope.name, scope.scope.version],
                    "time": record.time_unix_nano,
                    "severity": record.severity_text,
                }


def splunk(body):
    text, decoder, at = body.decode(), json.JSONDecoder(), 0
    while at < len(text):
        event, at = decoder.raw_decode(text, at)
        yield {"record": json.dumps(event.pop("event")), "event": event}
        while at < len(text) and text[at].isspace():
            at += 1


class Collector(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", kind="application/json", **heads):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in heads.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def reset(self):
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.connection.close()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/plan":
            plan = json.loads(body)
            POISON[:] = [step["poison"] for step in plan if "poison" in step]
            PLAN[:] = [step for step in plan if "poison" not in step]
            return self.answer(200)
        step = PLAN.pop(0) if PLAN else {}
        if step.get("reset"):
            return self.reset()
        if "status" in step:
            after = {"Retry_After": step["retry_after"]} if "retry_after" in step else {}
            return self.answer(step["status"], b"later", "text/plain", **after)
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        is_otlp = self.headers["Content-Type"] == "application/x-protobuf"
        records = list((otlp if is_otlp else splunk)(body))
        bad = [one for one in records if any(text in one["record"] for text in POISON)]
        if bad and not is_otlp:
            return self.answer(400, b'{"text":"Invalid data format","code":6}')
        self.take([one for one in records if one not in bad])
        if "slow" in step:
            time.sleep(step["slow"])
        if step.get("lost"):
            return self.reset()
        if not is_otlp:
            return self.answer(200, b'{"text":"Success","code":0}')
        answer = ExportLogsServiceResponse()
        if bad:
            answer.partial_success.rejected_log_records = len(bad)
            answer.partial_success.error_message = "bad"
        return self.answer(200, answer.SerializeToString(), "application/x-protobuf")

    def take(self, records):
        with open(FILE, "a") as file:
            for record in records:
                record["authorization"] = self.headers["Authorization"]
                file.write(json.dumps(record) + "\n")


port = int(sys.argv[2]) if len(sys.argv) > 2 else 0
server = ThreadingHTTPServer(("127.0.0.1", port), Collector)
scheme = "http"
if place := os.environ.get("TLS"):
    scheme = "https"
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=f"{place}/clients.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(f"{place}/server.pem", f"{place}/server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(f"listening {scheme}://127.0.0.1:{server.server_port}/v1/logs", flush=True)
server.serve_forever()
