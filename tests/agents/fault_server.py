"""A real HTTP server that speaks the chat protocol and plays the faults that real ones have.

In this process: ``with FaultServer() as server``. As a process that can be killed:
``python -m tests.agents.fault_server PORT LOG``, which writes a line into LOG for every answer it sent.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).parents[2]


def text_of(body):
    """The texts of a request's parts, one after the other."""
    return "".join(part.get("text", "") for part in body["messages"][0]["content"])


def pictures_of(body):
    return [p["image_url"]["url"] for p in body["messages"][0]["content"] if "image_url" in p]


class FaultServer(ThreadingHTTPServer):
    """Answers as ``reply`` says, after it has played the faults in ``faults``, one a request.

    A fault is a status, or one of: "hang" (no answer), "broken" (no JSON), "cut" (less than the
    announced length), "drop" (no answer, connection closed), "empty" (JSON without a reply), or a
    status with headers and a message: ``(429, {"Retry-After": "2"}, "slow down")``.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(
        self,
        reply: Callable[[dict, int], str] = lambda body, index: f"reply {index}",
        port: int = 0,
        most_replies: int = 100,
        models=("tiny",),
    ):
        super().__init__(("127.0.0.1", port), _Handler)
        self.reply, self.most_replies, self.models = reply, most_replies, models
        self.faults: deque = deque()
        self.fault_of: Callable[[dict], object] = lambda body: None
        self.bodies: list[dict] = []
        self.answered: list[dict] = []
        self.keys: list[str | None] = []
        self.under_way = self.most_under_way = 0
        self.delay = 0.0
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self.error_of: Callable[[str], str] = lambda said: json.dumps({"error": {"message": said}})
        self.on_answer: Callable[[dict], None] = lambda body: None
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request, client_address):
        """Clients that went away are no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultServer

    def log_message(self, *_):
        pass

    def do_GET(self):
        self._send(200, json.dumps({"data": [{"id": name} for name in self.server.models]}))

    def do_POST(self):
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            server.bodies.append(body)
            server.keys.append(self.headers.get("Authorization"))
            server.under_way += 1
            server.most_under_way = max(server.most_under_way, server.under_way)
            fault = server.faults.popleft() if server.faults else server.fault_of(body)
        try:
            time.sleep(server.delay)
            self._answer(body, fault)
        finally:
            with server.lock:
                server.under_way -= 1

    def _answer(self, body, fault):
        server = self.server
        n = min(body.get("n", 1), server.most_replies)
        answer = json.dumps(
            {
                "choices": [
                    {"index": i, "finish_reason": "stop",
                     "message": {"role": "assistant", "content": server.reply(body, i)}}
                    for i in range(n)
                ]
            }
        )  # fmt: skip
        if fault is None:
            self._send(200, answer)
            with server.lock:
                server.answered.append(body)
                server.on_answer(body)
        elif fault == "hang":
            server.closing.wait(60)
            self.close_connection = True
        elif fault == "drop":
            self.close_connection = True
        elif fault == "broken":
            self._send(200, answer[: len(answer) // 2])
        elif fault == "cut":
            self._send(200, answer[: len(answer) // 2], length=len(answer))
            self.close_connection = True
        elif fault == "empty":
            self._send(200, json.dumps({"object": "chat.completion", "choices": []}))
        else:
            status, headers, message = fault if isinstance(fault, tuple) else (fault, {}, "no")
            self._send(status, server.error_of(message), headers=headers)

    def _send(self, status, text, length=None, headers=None):
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data) if length is None else length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def server_process(port: int, log: Path, behaviour: str = "plain"):
    """The server as a process of its own; killed at the end if it was not before."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.agents.fault_server", str(port), str(log), behaviour],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


def main(port: str, log: str, behaviour: str = "plain") -> None:
    from tests.agents import server_behaviours

    server = FaultServer(port=int(port))
    with open(log, "a", encoding="utf-8") as file:

        def note(body):
            file.write(json.dumps({"seed": body.get("seed"), "text": text_of(body)}) + "\n")
            file.flush()

        server.on_answer = note
        server_behaviours.BEHAVIOURS[behaviour](server)
        server.serve_forever(0.02)


if __name__ == "__main__":
    main(*sys.argv[1:])
