"""A chat-completions server on loopback that fails as it is told to."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Fault = Callable[["Handler", dict[str, Any]], None]


class Server(ThreadingHTTPServer):
    """Answers each prompt with ``you said PROMPT``, unless `faults` has one for the prompt: each is used up once.

    Attributes
    ----------
    faults : dict of str to list of Fault
        By prompt; those under ``*`` for any.
    asked : list of dict
        The bodies of all requests, in the order of their arrival, which is in `times`.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults: dict[str, list[Fault]] = {}
        self.always: Fault | None = None
        self.asked: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.headers_seen: list[dict[str, str]] = []
        self.models: Any = {"data": [{"id": "m", "owned_by": "tests", "created": 1}]}
        self.lock = threading.Lock()
        self.at_once, self.most_at_once = 0, 0
        self.ended = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    @property
    def prompts(self) -> Counter[str]:
        return Counter(prompt_of(body) for body in self.asked)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: connections are cut on purpose."""


def prompt_of(body: dict[str, Any]) -> str:
    return str(body.get("prompt", body.get("input", (body.get("messages") or [{}])[-1].get("content"))))


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.send(200, json.dumps(self.server.models))

    def do_POST(self) -> None:
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = prompt_of(body)
        with server.lock:
            server.asked.append(body)
            server.times.append(time.monotonic())
            server.headers_seen.append(dict(self.headers.items()))
            server.at_once += 1
            server.most_at_once = max(server.most_at_once, server.at_once)
            waiting = server.faults.get(prompt) or server.faults.get("*")
            fault = waiting.pop(0) if waiting else server.always
        try:
            (fault or say())(self, body)
        except OSError:
            self.close_connection = True
        finally:
            with server.lock:
                server.at_once -= 1

    def send(self, status: int, text: str | bytes, **headers: str) -> None:
        content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)


def answer(text: Any, *, finish: str = "stop", usage: Any = None, **message: Any) -> dict[str, Any]:
    usage = {"prompt_tokens": 3, "completion_tokens": 5} if usage is None else usage
    choice = {"message": {"role": "assistant", "content": text, **message}, "text": text, "finish_reason": finish}
    return {"choices": [choice], "usage": usage}


def say(text: Any = None, wait: float = 0.0, **options: Any) -> Fault:
    """Answer; without a text, what was said."""

    def fault(handler: Handler, body: dict[str, Any]) -> None:
        time.sleep(wait)
        said = f"you said {prompt_of(body)}" if text is None and not options else text
        handler.send(200, json.dumps(answer(said, **options)))

    return fault


def status(code: int, text: str = '{"error": {"message": "no"}}', **headers: str) -> Fault:
    return lambda handler, body: handler.send(code, text, **headers)


def raw(text: str | bytes, **headers: str) -> Fault:
    return status(200, text, **headers)  # type: ignore[arg-type]


def reset(handler: Handler, body: dict[str, Any]) -> None:
    """Break the connection with a reset."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    handler.connection.close()
    raise OSError


def cut(handler: Handler, body: dict[str, Any]) -> None:
    """Send half of the answer that was announced, and close."""
    text = json.dumps(answer("cut"))
    handler.send(200, text[: len(text) // 2], Content_Length=str(len(text)))
    handler.close_connection = True


def hang(handler: Handler, body: dict[str, Any]) -> None:
    """Say nothing until the test ends."""
    handler.server.ended.wait(20)
    handler.close_connection = True


def drip(handler: Handler, body: dict[str, Any]) -> None:
    """Send a byte now and then, never all."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while not handler.server.ended.wait(0.02):
        handler.wfile.write(b" ")


def drip_headers(handler: Handler, body: dict[str, Any]) -> None:
    """Send the head a byte at a time, without an end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while not handler.server.ended.wait(0.02):
        handler.wfile.write(b"a")


def says_bytes(content: bytes) -> Fault:
    """Send anything in place of an answer, and close."""

    def fault(handler: Handler, body: dict[str, Any]) -> None:
        handler.wfile.write(content)
        handler.close_connection = True

    return fault


@contextmanager
def running() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
