"""The container: the image is built from the Dockerfile and run; the compose file passes its linters."""

from __future__ import annotations

import os
import re
import shutil
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import image
import pytest
import yaml
from conftest import DEPLOY, REPOSITORY, Processes, call, run

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
    assert key, printed
    settings = tmp_path / "streamgate.toml"
    settings.write_text("[policy]\ndefault_limit = 1\n" + printed[printed.index("[[keys]]") :].split("\n\n")[0])
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
