"""Fixtures that the tests of all parts share: the binary, ports, processes, HTTP calls."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DEPLOY = REPOSITORY / "deploy"

# How long a process may take to start or to stop before the test fails, in seconds.
PATIENCE_S = 30.0


@dataclass
class Answer:
    """The response to a call."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


def call(
    address: str,
    method: str,
    path: str,
    body: Any = None,
    headers: dict[str, str] | None = None,
    timeout: float = 10.0,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """Calls `http://ADDRESS/PATH`, or https; a `body` is sent as JSON. Raises OSError if no answer comes."""
    connection = http.client.HTTPConnection(address, timeout=timeout)
    if tls:
        connection = http.client.HTTPSConnection(address, timeout=timeout, context=tls)
    try:
        sent = dict(headers or {})
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            sent.setdefault("content-type", "application/json")
        connection.request(method, path, body=data, headers=sent)
        response = connection.getresponse()
        received = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, received, response.read())
    finally:
        connection.close()


def wait_for(what: str, check: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
    """Polls `check` until it returns something true, which is returned. An OSError counts as not yet."""
    end = time.monotonic() + patience_s
    last: object = None
    while time.monotonic() < end:
        try:
            last = check()
            if last:
                return last
        except (OSError, http.client.HTTPException) as error:
            last = error
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {patience_s} s; the last result was {last!r}")


@dataclass
class Process:
    """A program that a test started, with the file that has its output."""

    name: str
    popen: subprocess.Popen[bytes]
    output: Path

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self.popen.pid

    def text(self) -> str:
        """What the process has printed so far."""
        return self.output.read_text(errors="replace")

    def stop(self, by: signal.Signals = signal.SIGTERM, patience_s: float = PATIENCE_S) -> int:
        """Sends a signal, waits for the end and returns the exit code."""
        if self.popen.poll() is None:
            self.popen.send_signal(by)
        try:
            return self.popen.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(f"{self.name} did not end after {by.name}:\n{self.text()}") from None


class Processes:
    """Starts programs, and ends those that still run when the test is over."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.started: list[Process] = []

    def start(self, name: str, *command: str | Path, env: dict[str, str] | None = None, **rest: Any) -> Process:
        """Starts `command`; `env` is added to the environment, which has no settings of Streamgate otherwise."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("STREAMGATE_")}
        output = self.directory / f"{len(self.started)}-{name}.log"
        with output.open("wb") as file:
            popen = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**inherited, **(env or {})},
                **rest,
            )
        process = Process(name, popen, output)
        self.started.append(process)
        return process

    def wait_ready(self, process: Process, address: str, path: str = "/readyz") -> None:
        """Waits until `http://ADDRESS/PATH` answers 200."""

        def ready() -> bool:
            code = process.popen.poll()
            assert code is None, f"{process.name} ended with {code}:\n{process.text()}"
            return call(address, "GET", path, timeout=1).status == 200

        wait_for(f"{process.name} is ready", ready)

    def end_all(self) -> None:
        """Ends what still runs, the newest first."""
        for process in reversed(self.started):
            if process.popen.poll() is None:
                process.popen.kill()
                process.popen.wait()


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Starts programs for one test."""
    directory = tmp_path / "logs"
    directory.mkdir()
    running = Processes(directory)
    yield running
    running.end_all()


def unused_port() -> int:
    """A port of loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Returns a port of loopback that was free a moment ago, another one each time."""
    given: set[int] = set()

    def find() -> int:
        while (port := unused_port()) in given:
            pass
        given.add(port)
        return port

    return find


@pytest.fixture(scope="session")
def streamgate() -> Path:
    """The release binary with all features. `STREAMGATE_BINARY` names another one to test."""
    # Taken out of the environment, which processes inherit: the binary refuses what is no setting of it.
    given = os.environ.pop("STREAMGATE_BINARY", None)
    if given:
        return Path(given)
    command = ["cargo", "build", "--release", "--locked", "--package", "streamgate", "--features", "full"]
    subprocess.run(command, cwd=REPOSITORY, check=True)
    return REPOSITORY / "target/release/streamgate"


def run(*command: str | Path, **rest: Any) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end and returns its output as text. The exit code is the caller's to check."""
    parts = [str(part) for part in command]
    return subprocess.run(parts, capture_output=True, text=True, check=False, **rest)


def certificate(directory: Path) -> None:
    """Makes what a Secret for TLS has: a key, a certificate, and that of its authority (here itself)."""
    key, signed = directory / "tls.key", directory / "tls.crt"
    made = run(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-subj", "/CN=node", "-keyout", key, "-out", signed),
    )
    assert made.returncode == 0, made.stderr
    shutil.copy(signed, directory / "ca.crt")
