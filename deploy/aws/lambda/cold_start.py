#!/usr/bin/env python3
"""Measures the cold start of the function: from the start of the process to its first answer.

    python3 deploy/aws/lambda/cold_start.py --binary deploy/aws/lambda/build/bootstrap

The program runs as Lambda runs it, against a stand-in of the Runtime API and an emulator of DynamoDB, both here.
Left out is what only AWS has: making the sandbox and fetching the code, TLS, the network to DynamoDB, credentials,
and the share of a processor that the memory size buys.
"""

from __future__ import annotations

import argparse
import http.server
import json
import os
import queue
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[3]

# Where ./test installs the emulator.
EMULATOR = REPOSITORY / ".tools/node_modules/@dynoxide/linux-x64/dynoxide"

# How long anything may take before this gives up, in seconds.
PATIENCE_S = 30.0

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def start_event(user: str) -> dict[str, Any]:
    """The event of an HTTP API for the start of a session."""
    return {
        "version": "2.0",
        "rawPath": f"/v1/users/{user}/sessions/s",
        "rawQueryString": "",
        "headers": {"host": "abc123.execute-api.eu-west-1.amazonaws.com"},
        "requestContext": {"stage": "$default", "http": {"method": "PUT", "sourceIp": "192.0.2.7"}},
        "isBase64Encoded": False,
    }


@dataclass
class RuntimeApi:
    """A stand-in of the Runtime API: events go in, answers and errors come out, each with its time."""

    events: queue.Queue[dict[str, Any]] = field(default_factory=queue.Queue)
    answers: queue.Queue[tuple[str, Any, float]] = field(default_factory=queue.Queue)
    asked_at: float | None = None
    address: str = ""

    def handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        """The handler of requests of instances."""
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                api.asked_at = api.asked_at or time.monotonic()
                event = json.dumps(api.events.get()).encode()
                self.reply(200, event, {"Lambda-Runtime-Aws-Request-Id": "8476a536-e9f4-11e8-9739-2dfe598c3fcd"})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                api.answers.put((self.path.rsplit("/", 1)[1], json.loads(body), time.monotonic()))
                self.reply(202, b"", {})

            def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Says nothing."""

        return Handler

    def outcome(self) -> tuple[str, Any, float]:
        """Waits for what the instance sends: `response` or `error`, its body, and when."""
        return self.answers.get(timeout=PATIENCE_S)


class Server(http.server.ThreadingHTTPServer):
    """Ignores connections of instances that were stopped."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Prints every other error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def runtime_api() -> Iterator[RuntimeApi]:
    """A stand-in that serves until the end of the block."""
    api = RuntimeApi()
    server = Server(("127.0.0.1", 0), api.handler())
    api.address = f"127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def table(binary: Path) -> Iterator[str]:
    """An emulator with the table `sessions`; yields its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = Path(os.environ.get("STREAMGATE_TEST_DYNOXIDE", EMULATOR))
    if not program.is_file():
        sys.exit(f"no emulator of DynamoDB at {program}: run ./test, which installs it")
    emulator = subprocess.Popen(
        [program, "serve", "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        end = time.monotonic() + PATIENCE_S
        create = [binary, "store", "create-table", "sessions", "--endpoint", url]
        while subprocess.run(create, env={**os.environ, **CREDENTIALS}, capture_output=True, check=False).returncode:
            if time.monotonic() > end or emulator.poll() is not None:
                sys.exit("the emulator of DynamoDB does not answer")
            time.sleep(0.05)
        yield url
    finally:
        emulator.kill()
        emulator.wait()


@dataclass
class ColdStart:
    """One cold start: seconds from the start of the process, and the first answer."""

    ready_s: float
    answered_s: float
    answer: dict[str, Any]


def cold_start(binary: Path, url: str, user: str) -> ColdStart:
    """Starts an instance with an event waiting, and stops it after its answer."""
    with runtime_api() as api, tempfile.TemporaryFile() as log:
        api.events.put(start_event(user))
        environment = {
            **CREDENTIALS,
            "AWS_LAMBDA_RUNTIME_API": api.address,
            "AWS_LAMBDA_FUNCTION_NAME": "cold-start",
            "STREAMGATE_STORE_URL": "dynamodb://sessions",
            "STREAMGATE_STORE_DYNAMODB_ENDPOINT": url,
            "STREAMGATE_ALLOW_ANONYMOUS": "true",
        }
        began = time.monotonic()
        instance = subprocess.Popen([binary], env=environment, stdout=subprocess.DEVNULL, stderr=log)
        try:
            kind, answer, at = api.outcome()
        except queue.Empty:
            log.seek(0)
            sys.exit(f"no answer: {log.read().decode(errors='replace')}")
        finally:
            instance.kill()
            instance.wait()
        if kind != "response" or api.asked_at is None:
            sys.exit(f"the function failed: {answer}")
        return ColdStart(api.asked_at - began, at - began, answer)


def main() -> None:
    """Prints the times of some cold starts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, default=REPOSITORY / "deploy/aws/lambda/build/bootstrap")
    parser.add_argument("--runs", type=int, default=20)
    arguments = parser.parse_args()
    with table(arguments.binary) as url:
        starts = [cold_start(arguments.binary, url, f"user-{run}") for run in range(arguments.runs)]
    for what, times in (
        ("waiting for an event", [start.ready_s for start in starts]),
        ("first answer", [start.answered_s for start in starts]),
    ):
        median, worst = statistics.median(times) * 1000, max(times) * 1000
        print(f"{what:22} median {median:6.1f} ms, slowest of {len(times)} {worst:6.1f} ms")


if __name__ == "__main__":
    main()
