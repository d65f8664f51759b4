"""The container: the image is built from the Dockerfile and run; the services of compose.yaml run as processes."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import image
import pytest
import valkey
import yaml
from conftest import DEPLOY, REPOSITORY, Processes, call, run, wait_for
from stack import Load, Stack, seconds

CONTAINER = DEPLOY / "container"
DOCKERFILE = REPOSITORY / "Dockerfile"
COMPOSE = CONTAINER / "compose.yaml"

# STREAMGATE_IMAGE_BUILD=full compiles in the image, as a release does; else the ready binary goes in.
COMPILED = os.environ.get("STREAMGATE_IMAGE_BUILD") == "full"

VERSION = {"VERSION": "1.2.3", "REVISION": "0123abc", "SOURCE": "https://git.example/streamgate"}

# The stripped binary with all features, beside 3 MB of the base image.
BINARY_MAX_BYTES = 32 << 20


@pytest.fixture(scope="session")
def built(request: pytest.FixtureRequest) -> str:
    """The image of the committed Dockerfile."""
    binary = None if COMPILED else request.getfixturevalue("streamgate")
    return image.build("localhost/streamgate:test", binary, VERSION)


@pytest.fixture(scope="session")
def unpacked(built: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The image as a bundle for runc."""
    directory = tmp_path_factory.mktemp("image")
    yield image.unpack(built, directory)
    shutil.rmtree(directory)


@pytest.fixture
def bundle(unpacked: Path, processes: Processes) -> Iterator[image.Bundle]:
    """Starts containers of the image."""
    running = image.Bundle(unpacked, processes)
    yield running
    running.end_all()


def section(binary: Path, name: str, directory: Path) -> bytes:
    """A section of an ELF file; empty if there is none."""
    out = directory / "section"
    out.write_bytes(b"")
    run("objcopy", "--dump-section", f"{name}={out}", binary, "/dev/null")
    return out.read_bytes()


def test_the_image_is_described_by_labels_user_volume_and_health_check(built: str) -> None:
    inspected = yaml.safe_load(image.tool("buildah", "inspect", "--type", "image", built))
    config = inspected["Docker"]["config"]
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
    assert labels["title"] == "Streamgate"
    assert labels["licenses"] == "MIT OR Apache-2.0"
    assert "concurrent streams" in labels["description"]
    assert {key.upper(): labels[key.lower()] for key in VERSION} == VERSION
    assert config["User"] == "65532:65532"
    assert list(config["Volumes"]) == ["/data"]
    assert list(config["ExposedPorts"]) == ["8080/tcp"]
    assert config["Healthcheck"]["Test"] == ["CMD", "/usr/local/bin/streamgate", "health"]
    assert config["StopSignal"] == "SIGTERM"


def test_the_binary_of_the_image_is_stripped_and_names_its_file_of_symbols(
    unpacked: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    binary = unpacked / "rootfs/usr/local/bin/streamgate"
    assert binary.stat().st_size <= BINARY_MAX_BYTES
    sections = run("readelf", "--sections", "--wide", binary).stdout
    assert not re.search(r" \.(symtab|debug_(?!gdb_scripts)\w+) ", sections), sections

    source = None if COMPILED else request.getfixturevalue("streamgate")
    name = image.build("localhost/streamgate:symbols", source, {}, "--target=symbols")
    symbols = image.unpack(name, tmp_path) / "rootfs/streamgate.debug"
    assert [path.name for path in symbols.parent.iterdir()] == [symbols.name]
    assert re.search(r" \.(symtab|debug_line) ", run("readelf", "--sections", "--wide", symbols).stdout)
    # The name, padded to four bytes, and a CRC-32 of the file: what a debugger compares.
    link = section(binary, ".gnu_debuglink", tmp_path)
    assert link[: link.index(0)] == b"streamgate.debug"
    assert int.from_bytes(link[-4:], "little") == zlib.crc32(symbols.read_bytes())


def test_the_image_without_keys_refuses_to_start_and_says_what_to_do(bundle: image.Bundle) -> None:
    process = bundle.start().process
    assert process.popen.wait(30) == 2
    assert "STREAMGATE_ALLOW_ANONYMOUS=true" in process.text()


def test_a_container_with_a_read_only_root_starts_refuses_renews_and_stops_sessions(
    bundle: image.Bundle, free_port: Callable[[], int], tmp_path: Path
) -> None:
    printed = bundle.output("key", "new", "--scope", "player", "--name", "players")
    key = re.search(r"sgk_\S+", printed)
    # runc may add a warning of its own.
    lines = re.search(r"\[\[keys\]\]\n(?:\w+ = .*\n)+", printed)
    assert key, printed
    assert lines, printed
    settings = tmp_path / "streamgate.toml"
    settings.write_text("[policy]\ndefault_limit = 1\n" + lines[0])
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    os.chown(data, 65532, 65532)
    for parent in (tmp_path, *tmp_path.parents[:3]):
        parent.chmod(parent.stat().st_mode | 0o011)
    address = f"127.0.0.1:{free_port()}"
    env = {"STREAMGATE_LISTEN": address, "STREAMGATE_CONFIG": "/etc/streamgate.toml"}
    mounts = {"/data": data, "/etc/streamgate.toml": settings}
    container = bundle.start(env=env, mounts=mounts)
    bundle.processes.wait_ready(container.process, address)

    with_key = {"authorization": f"Bearer {key.group()}"}

    def send(method: str, path: str) -> int:
        return call(address, method, f"/v1/users/ann/sessions/{path}", headers=with_key).status

    assert call(address, "PUT", "/v1/users/ann/sessions/one").status == 401
    assert send("PUT", "one") == 201
    assert send("PUT", "two") == 409
    assert send("POST", "one/heartbeat") == 200

    proc = Path(f"/proc/{container.pid()}")
    status = dict(re.findall(r"^(\w+):\t(.*)$", (proc / "status").read_text(), re.MULTILINE))
    assert status["Uid"].split() == ["65532"] * 4
    assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {0}
    assert status["NoNewPrivs"] == "1"
    root = next(line for line in (proc / "mounts").read_text().splitlines() if line.split()[1] == "/")
    assert "ro" in root.split()[3].split(","), root

    healthy = container.execute("/usr/local/bin/streamgate", "health")
    assert (healthy.returncode, healthy.stdout) == (0, "ready\n")
    nobody = f"127.0.0.1:{free_port()}"
    assert container.execute("/usr/local/bin/streamgate", "health", env={"STREAMGATE_LISTEN": nobody}).returncode != 0

    assert container.stop() == 0
    again = bundle.start(env=env, mounts=mounts)
    bundle.processes.wait_ready(again.process, address)
    assert send("POST", "one/heartbeat") == 200, "the volume kept the session"
    assert send("DELETE", "one") == 204
    assert send("PUT", "two") == 201
    assert again.stop() == 0


def faulty(tmp_path: Path, source: Path, old: str, new: str) -> Path:
    """A copy of a file with a fault in it."""
    text = source.read_text()
    assert old in text
    copy = tmp_path / source.name
    copy.write_text(text.replace(old, new, 1))
    return copy


def test_the_dockerfile_passes_hadolint_and_a_fault_fails_it(tmp_path: Path) -> None:
    checked = run("hadolint", DOCKERFILE)
    assert checked.returncode == 0, checked.stdout
    fault = faulty(tmp_path, DOCKERFILE, "WORKDIR /src", "WORKDIR src")
    assert "DL3000" in run("hadolint", fault).stdout


def test_the_compose_file_follows_the_schema_and_a_fault_fails_it(tmp_path: Path) -> None:
    check = ("check-jsonschema", "--builtin-schema", "vendor.compose-spec")
    checked = run(*check, COMPOSE)
    assert checked.returncode == 0, checked.stdout
    fault = faulty(tmp_path, COMPOSE, "read_only: true", "read_olny: true")
    assert run(*check, fault).returncode == 1


def test_the_compose_file_passes_dclint_and_a_fault_fails_it(tmp_path: Path) -> None:
    check = ("dclint", "--config", CONTAINER / ".dclintrc", "--max-warnings", "0")
    checked = run(*check, COMPOSE)
    assert checked.returncode == 0, checked.stdout
    fault = faulty(tmp_path, COMPOSE, "127.0.0.1:8080:8080", "8080:8080")
    assert "no-unbound-port-interfaces" in run(*check, fault).stdout


def test_init_passes_shellcheck_and_never_replaces_secrets(tmp_path: Path) -> None:
    checked = run("shellcheck", CONTAINER / "init")
    assert checked.returncode == 0, checked.stdout
    shutil.copy(CONTAINER / "init", tmp_path / "init")
    first = run(tmp_path / "init")
    assert (first.returncode, first.stderr) == (0, ""), first.stderr
    assert len(set(re.findall(r"sgk_[\w-]{43}\b", first.stdout))) == 3, first.stdout
    files = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert len(files["grafana_password"]) == 43
    assert not re.search("sgk_", "".join(files.values())), "keys are kept as hashes only"
    second = run(tmp_path / "init")
    assert second.returncode == 1 and "exists" in second.stderr
    assert files == {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["init", "secrets"], "nothing half-written is left"


@pytest.fixture(scope="module")
def stack(streamgate: Path, free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The services of compose.yaml, all but Grafana, started and ready."""
    directory = tmp_path_factory.mktemp("stack")
    (directory / "logs").mkdir()
    processes = Processes(directory / "logs")
    services = Stack(directory, processes, free_port, streamgate)
    try:
        for service in ("valkey", "node1", "node2", "proxy", "prometheus", "alertmanager"):
            services.start(service)
        for node in ("node1", "node2"):
            services.ready(node)
        services.ready("proxy", "/readyz")
        services.ready("prometheus", "/-/ready")
        services.ready("alertmanager", "/-/ready")
        yield services
    finally:
        processes.end_all()


def test_the_services_restart_node_by_node_under_load_without_a_failed_request(stack: Stack) -> None:
    load = Load(stack.address("proxy"), stack.keys["player"])
    try:
        for node in ("node1", "node2"):
            wait_for(f"{node} serves", lambda node=node: stack.calls_served(node) > 0)
            assert stack.stop(node) == 0
            stack.start(node)
            stack.ready(node)
            # The next one is stopped only when the proxy has taken this one back.
            wait_for(f"{node} serves again", lambda node=node: stack.calls_served(node) > 0)
    finally:
        load.stop()
    assert load.failures == []
    assert load.calls > 300, "the load was there all the time"


def test_the_proxy_leaves_a_killed_node_within_seconds_and_the_load_notices_it(stack: Stack) -> None:
    load = Load(stack.address("proxy"), stack.keys["player"])
    try:
        wait_for("node1 serves", lambda: stack.calls_served("node1") > 0)
        stack.running["node1"].popen.kill()
        wait_for("a failed request", lambda: load.failures)
    finally:
        load.stop()
        stack.running["node1"].popen.wait()

    def ten_succeed() -> bool:
        headers = {"authorization": f"Bearer {stack.keys['service']}"}
        answers = [call(stack.address("proxy"), "GET", "/v1/users/ann/sessions", headers=headers) for _ in range(10)]
        return all(answer.status == 200 for answer in answers)

    wait_for("the proxy uses the other node only", ten_succeed, patience_s=5)
    stack.start("node1")
    stack.ready("node1")


def test_the_proxy_passes_ids_with_any_character_and_keeps_the_metrics_back(stack: Stack) -> None:
    proxy = stack.address("proxy")
    headers = {"authorization": f"Bearer {stack.keys['service']}"}
    for character in "/\\;%?# ":
        user = f"a{character}b"
        path = f"/v1/users/{quote(user, safe='')}/sessions"
        assert call(proxy, "PUT", f"{path}/{quote(f's{character}', safe='')}", headers=headers).status == 201, user
        listed = call(proxy, "GET", path, headers=headers).json()
        assert [it["session_id"] for it in listed["sessions"]] == [f"s{character}"], listed
    assert call(proxy, "PUT", "/v1/users/ann/sessions/one").status == 401
    assert call(proxy, "GET", "/healthz").status == 200
    for path in ("/metrics", "//metrics", "/./metrics", "/%6detrics"):
        assert call(proxy, "GET", path, headers=headers).status == 404, path


def test_both_nodes_hold_one_limit_and_each_key_its_scope(stack: Stack) -> None:
    key = {"authorization": f"Bearer {stack.keys['player']}"}
    nodes = [stack.address(node) for node in ("node1", "node2")]
    for number in range(3):
        started = call(nodes[number % 2], "PUT", f"/v1/users/bob/sessions/{number}", headers=key)
        assert started.status == 201, started.body
    refused = [call(node, "PUT", "/v1/users/bob/sessions/more", headers=key) for node in nodes]
    assert [it.status for it in refused] == [409, 409]
    listed = {
        scope: call(nodes[0], "GET", "/v1/sessions", headers={"authorization": f"Bearer {secret}"}).status
        for scope, secret in stack.keys.items()
    }
    assert listed == {"player": 403, "service": 403, "admin": 200}


def test_the_nodes_count_the_clients_of_the_proxy_one_by_one(stack: Stack) -> None:
    host, port = stack.address("proxy").split(":")

    def status(client: str) -> int:
        connection = http.client.HTTPConnection(host, int(port), timeout=10, source_address=(client, 0))
        headers = {"x-api-key": "guess", "x-forwarded-for": "198.51.100.1"}
        connection.request("GET", "/v1/users/ann/sessions", headers=headers)
        return connection.getresponse().status

    # Two nodes, each of which takes 60 failures of a client.
    assert 429 in [status("127.0.0.2") for _ in range(200)]
    assert status("127.0.0.3") == 401


def test_valkey_asks_for_the_password_and_its_health_check_may_only_ping(stack: Stack) -> None:
    at = {"host": "127.0.0.1", "port": stack.ports["valkey"], "decode_responses": True}
    with pytest.raises(valkey.exceptions.AuthenticationError):
        valkey.Valkey(**at).ping()
    probe = valkey.Valkey(**at, username="health", password="-")
    assert probe.ping() is True
    with pytest.raises(valkey.exceptions.NoPermissionError):
        probe.get("sg")
    settings = (stack.directory / "container/secrets/valkey.conf").read_text()
    server = valkey.Valkey(**at, password=settings.split()[1])
    assert server.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert server.config_get("appendonly") == {"appendonly": "yes"}


def test_sessions_survive_a_restart_of_valkey_and_no_node_is_restarted_for_it(stack: Stack) -> None:
    node = stack.address("node2")
    key = {"authorization": f"Bearer {stack.keys['player']}"}
    session = "/v1/users/eve/sessions/one"
    assert call(node, "PUT", session, headers=key).status == 201
    assert stack.stop("valkey") == 0
    away = call(node, "POST", f"{session}/heartbeat", headers=key)
    assert (away.status, "retry-after" in away.headers) == (503, True), away.body
    stack.start("valkey")
    wait_for("the session is renewed", lambda: call(node, "POST", f"{session}/heartbeat", headers=key).status == 200)
    for service in ("node1", "node2", "proxy"):
        wait_for(f"{service} is ready", lambda it=service: call(stack.address(it), "GET", "/readyz").status == 200)


def test_the_health_check_of_the_proxy_answers_for_the_proxy(stack: Stack) -> None:
    settings = stack.directory / "services/proxy/etc/traefik/traefik.yml"
    assert run("traefik", "healthcheck", f"--configFile={settings}").returncode == 0
    elsewhere = settings.with_name("elsewhere.yml")
    elsewhere.write_text(settings.read_text().replace(f":{stack.ping_port}", ":1"))
    assert run("traefik", "healthcheck", f"--configFile={elsewhere}").returncode != 0


def test_prometheus_scrapes_both_nodes_and_evaluates_the_rules(stack: Stack) -> None:
    def ask(path: str) -> Any:
        return call(stack.address("prometheus"), "GET", f"/api/v1/{path}").json()["data"]

    def up() -> bool:
        found = ask(f"query?query={quote('up')}")["result"]
        by_job: dict[str, list[str]] = {}
        for it in found:
            by_job.setdefault(it["metric"]["job"], []).append(it["value"][1])
        return by_job == {"streamgate": ["1", "1"], "prometheus": ["1"], "alertmanager": ["1"]}

    wait_for("all targets are up", up)

    def evaluated() -> bool:
        rules = [rule for group in ask("rules")["groups"] for rule in group["rules"]]
        assert len(rules) > 5
        return all(rule["health"] == "ok" for rule in rules)

    wait_for("every rule is evaluated", evaluated)
    active = ask("alertmanagers")["activeAlertmanagers"]
    assert [it["url"] for it in active] == [f"http://{stack.address('alertmanager')}/api/v2/alerts"]


def test_every_service_is_confined_bounded_and_reachable_from_this_machine_only() -> None:
    compose = yaml.safe_load(COMPOSE.read_text())
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["restart"] == "unless-stopped", name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name
        assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}, name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        # The nodes have the one of the image.
        assert "healthcheck" in service or name.startswith("node"), name
        assert re.search(r":v?\d+\.\d+|:local}$", service["image"]), service["image"]
        variables = service.get("environment", {})
        assert not [it for it in variables if re.search("PASSWORD|TOKEN|SECRET", it) and not it.endswith("__FILE")]
    for name in ("node1", "node2"):
        node = compose["services"][name]
        drain, grace = (int(node["environment"][f"STREAMGATE_HTTP_{it}_S"]) for it in ("DRAIN", "SHUTDOWN_GRACE"))
        assert drain + grace < seconds(node["stop_grace_period"])


def test_every_file_that_compose_mounts_exists_or_is_written_by_init(stack: Stack) -> None:
    compose = yaml.safe_load(COMPOSE.read_text())
    for name, it in compose["configs"].items():
        assert (CONTAINER / it["file"]).is_file(), name
    for name, it in compose["secrets"].items():
        assert (stack.directory / "container" / it["file"]).is_file(), name
        assert Path(it["file"]).parent == Path("secrets"), name
    for kind in ("configs", "secrets"):
        used = {
            entry["source"] if isinstance(entry, dict) else entry
            for service in compose["services"].values()
            for entry in service.get(kind, [])
        }
        assert used == set(compose[kind]), kind


def test_grafana_finds_its_data_source_and_the_dashboard(stack: Stack) -> None:
    targets = stack.targets("grafana")
    source = yaml.safe_load(targets["/etc/grafana/provisioning/datasources/prometheus.yml"].read_text())
    (prometheus,) = source["datasources"]
    assert prometheus["url"] == "http://prometheus:9090" and prometheus["isDefault"] is True
    providers = yaml.safe_load(targets["/etc/grafana/provisioning/dashboards/streamgate.yml"].read_text())
    (provider,) = providers["providers"]
    boards = [path for path in targets if path.startswith(provider["options"]["path"] + "/")]
    assert boards == [stack.compose["services"]["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]]
    board = json.loads(targets[boards[0]].read_text())
    sources = [panel["datasource"]["uid"] for panel in board["panels"] if "datasource" in panel]
    assert set(sources) == {"${datasource}"}, "the variable of the dashboard, whose default is the default source"
