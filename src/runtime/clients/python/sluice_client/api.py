"""The Runtime API over one kept connection; http.client would take longer to import than to use."""

import json
import socket

PREFIX = "/2018-06-01/runtime"


class Invoke:
    """One event and what came with it."""

    def __init__(self, headers, body):
        self.request_id = headers["lambda-runtime-aws-request-id"]
        self.deadline_ms = int(headers["lambda-runtime-deadline-ms"])
        self.function_arn = headers.get("lambda-runtime-invoked-function-arn")
        self.trace_id = headers.get("lambda-runtime-trace-id")
        self.client_context = headers.get("lambda-runtime-client-context")
        self.identity = headers.get("lambda-runtime-cognito-identity")
        self.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
        self.body = body


class RuntimeApi:
    def __init__(self, address):
        host, _, port = address.partition(":")
        self._address = (host, int(port or 80))
        self._host = address
        self._socket = None
        self._reader = None

    def next(self):
        """Waits for the next event, however long that takes."""
        return Invoke(*self._call("GET", "/invocation/next"))

    def respond(self, request_id, body, content_type):
        self._call("POST", f"/invocation/{request_id}/response", body, content_type)

    def fail(self, request_id, described):
        self._fail(f"/invocation/{request_id}/error", described)

    def fail_init(self, described):
        self._fail("/init/error", described)

    def _fail(self, path, described):
        kind = described["errorType"].encode("ascii", "replace").decode()
        headers = f"Lambda-Runtime-Function-Error-Type: {kind}\r\n"
        self._call("POST", path, json.dumps(described).encode(), headers=headers)

    def _call(self, method, path, body=b"", content_type="application/json", headers=""):
        head = (
            f"{method} {PREFIX}{path} HTTP/1.1\r\nHost: {self._host}\r\n"
            f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        )
        if self._socket is None:
            self._connect()
        self._socket.sendall(head.encode("latin-1") + body)
        return self._answer()

    def _connect(self):
        self._socket = socket.create_connection(self._address)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = self._socket.makefile("rb")

    def _answer(self):
        if not self._reader.readline().startswith(b"HTTP/1."):
            raise ConnectionError("the Runtime API has closed its connection")
        headers = {}
        while (line := self._reader.readline().strip()) != b"":
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = b"".join(self._chunks())
        else:
            body = self._reader.read(int(headers.get("content-length", 0)))
        if headers.get("connection", "").lower() == "close":
            self._socket.close()
            self._socket = None
        return headers, body

    def _chunks(self):
        while (size := int(self._reader.readline().split(b";")[0], 16)) > 0:
            yield self._reader.read(size)
            self._reader.readline()
        while self._reader.readline().strip() != b"":
            pass
