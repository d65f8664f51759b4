"""Builds the Dockerfile with buildah, unpacks the image with umoci and runs it with runc: no container engine.

The two base images cannot be pulled everywhere, so the build names stand-ins: a Debian 12 with gcc to build in, and its
C library and certificates alone to run on. They are kept under .tools/deploy/images. All of it needs root.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conftest import REPOSITORY, Process, Processes, wait_for

CACHE = REPOSITORY / ".tools/deploy/images"

# In place of cargo, unless all is compiled: takes the very command of the Dockerfile, and no other.
READY_CARGO = """#!/bin/sh
set -eu
[ "$*" = "build --release --locked --package streamgate --features full" ] || { echo "unknown: $*" >&2; exit 64; }
for path in Cargo.toml Cargo.lock crates/streamgate/Cargo.toml measure/Cargo.toml; do test -f "$path"; done
mkdir -p target/release
cp /ready/streamgate target/release/streamgate
"""

DEBOOTSTRAP = ("debootstrap", "--variant=minbase", "--include=gcc,libc6-dev,ca-certificates", "bookworm")

# Left out of it: what no build reads, and every build would copy.
UNUSED = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man")

# What the base image has of Debian 12: the loader, libraries and authorities.
MACHINE = platform.machine()
LOADER = {"x86_64": "lib64/ld-linux-x86-64.so.2", "aarch64": "lib/ld-linux-aarch64.so.1"}[MACHINE]
LIBRARIES = ("libc.so.6", "libm.so.6", "libgcc_s.so.1", "libpthread.so.0", "libdl.so.2", "libresolv.so.2")
BASE_FILES = (
    *(f"lib/{MACHINE}-linux-gnu/{name}" for name in LIBRARIES),
    LOADER,
    "etc/ssl/certs/ca-certificates.crt",
)


def tool(*command: str | Path) -> str:
    """Runs a program of containers on a storage of its own, and returns what it printed."""
    storage = CACHE / "storage.conf"
    (CACHE / "tmp").mkdir(parents=True, exist_ok=True)
    storage.write_text(f'[storage]\ndriver = "vfs"\ngraphroot = "{CACHE}/storage"\nrunroot = "{CACHE}/run"\n')
    own = {"BUILDAH_ISOLATION": "chroot", "CONTAINERS_STORAGE_CONF": str(storage), "TMPDIR": str(CACHE / "tmp")}
    parts = [str(part) for part in command]
    done = subprocess.run(parts, env={**os.environ, **own}, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(parts)}:\n{done.stdout}{done.stderr}"
    return done.stdout


def stand_ins() -> tuple[str, str]:
    """Names of the images for the arguments BUILD_IMAGE and BASE_IMAGE; they are made unless they exist."""
    recipe = hashlib.sha256(repr((DEBOOTSTRAP, UNUSED, BASE_FILES)).encode()).hexdigest()[:12]
    build, base = f"localhost/standin-build:{recipe}", f"localhost/standin-base:{recipe}"
    names = tool("buildah", "images", "--format", "{{.Name}}:{{.Tag}}").split()
    if build in names and base in names:
        return build, base
    outdated = [name for name in names if name.startswith("localhost/standin-")]
    if outdated:
        tool("buildah", "rmi", "--force", *outdated)
    containers = [tool("buildah", "from", "scratch").strip() for _ in range(2)]
    try:
        root, small = (Path(tool("buildah", "mount", container).strip()) for container in containers)
        tool(*DEBOOTSTRAP, root)
        for name in UNUSED:
            shutil.rmtree(root / name)
        for name in BASE_FILES:
            (small / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / name, small / name)
        (small / "etc/passwd").write_text("nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n")
        (small / "tmp").mkdir(mode=0o1777)
        path = "/usr/local/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        tool("buildah", "config", "--env", f"PATH={path}", "--env", "CARGO_HOME=/usr/local/cargo", containers[0])
        for container, name in zip(containers, (build, base), strict=True):
            tool("buildah", "commit", "--quiet", container, name)
    finally:
        for container in containers:
            tool("buildah", "rm", container)
    return build, base


def build(name: str, binary: Path | None, arguments: dict[str, str], *options: str) -> str:
    """Builds the Dockerfile as image `name`, with a ready `binary` or by compiling it, and returns the name."""
    bases = dict(zip(("BUILD_IMAGE", "BASE_IMAGE"), stand_ins(), strict=True))
    if binary:
        cargo = CACHE / "ready/bin/cargo"
        cargo.parent.mkdir(parents=True, exist_ok=True)
        cargo.write_text(READY_CARGO)
        cargo.chmod(0o755)
        mounts = [f"{CACHE}/ready:/usr/local/rust:ro", f"{binary.resolve()}:/ready/streamgate:ro"]
    else:
        sysroot = subprocess.run(["rustc", "--print", "sysroot"], cwd=REPOSITORY, capture_output=True, check=True)
        mounts = [f"{sysroot.stdout.decode().strip()}:/usr/local/rust:ro"]
        certificates = os.environ.get("SSL_CERT_FILE")
        if certificates:
            mounts.append(f"{certificates}:/etc/ssl/certs/ca-certificates.crt:ro")
    tool(
        *("buildah", "bud", "--format", "docker", "--pull-never", "--tag", name),
        *(f"--volume={mount}" for mount in mounts),
        *(f"--build-arg={key}={value}" for key, value in (bases | arguments).items()),
        *(*options, "."),
    )
    # The image that had the name before has none now.
    tool("buildah", "rmi", "--prune")
    return name


def unpack(name: str, directory: Path) -> Path:
    """Unpacks an image into a bundle: `rootfs` and `config.json`, whose path is returned."""
    tool("buildah", "push", "--quiet", name, f"oci:{directory}/oci:image")
    bundle = directory / "bundle"
    tool("umoci", "unpack", "--image", f"{directory}/oci:image", bundle)
    return bundle


@dataclass
class Container:
    """A container that runc started from a bundle, with a read-only root and without a capability."""

    name: str
    state: Path
    process: Process

    def runc(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a command of runc about this container."""
        command, *rest = arguments
        parts = ["runc", "--root", str(self.state), command, *rest]
        return subprocess.run(parts, capture_output=True, text=True, check=False)

    def execute(self, *command: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Runs a program inside, as a health check does."""
        variables = [part for key, value in (env or {}).items() for part in ("--env", f"{key}={value}")]
        return self.runc("exec", *variables, self.name, *command)

    def pid(self) -> int:
        """The id of the first process, as the machine sees it."""
        return int(json.loads(self.runc("state", self.name).stdout)["pid"])

    def stop(self) -> int:
        """Sends SIGTERM and returns the exit code."""
        sent = self.runc("kill", self.name, "TERM")
        assert sent.returncode == 0, sent.stderr
        return self.process.popen.wait(30)


class Bundle:
    """An unpacked image, and what is started from it."""

    def __init__(self, path: Path, processes: Processes) -> None:
        self.path = path
        self.processes = processes
        self.config: dict[str, Any] = json.loads((path / "config.json").read_text())
        self.started: list[Container] = []

    def start(
        self, *arguments: str, env: Mapping[str, str] | None = None, mounts: Mapping[str, Path] | None = None
    ) -> Container:
        """Starts the image as `docker run --read-only --cap-drop ALL --network host` does; `mounts` by their target.

        `arguments` stand in place of those that the image names.
        """
        config = json.loads(json.dumps(self.config))
        process, linux = config["process"], config["linux"]
        process |= {"terminal": False, "capabilities": {}, "noNewPrivileges": True}
        process["args"] = [process["args"][0], *arguments] if arguments else process["args"]
        process["env"] += [f"{key}={value}" for key, value in (env or {}).items()]
        config["root"]["readonly"] = True
        # The addresses of the machine, so that the test reaches a port of loopback.
        linux["namespaces"] = [it for it in linux["namespaces"] if it["type"] != "network"]
        for target, source in (mounts or {}).items():
            options = ["rbind", "rw" if source.is_dir() else "ro"]
            config["mounts"].append({"destination": target, "type": "bind", "source": str(source), "options": options})
        (self.path / "config.json").write_text(json.dumps(config))
        name = f"streamgate-test-{os.getpid()}-{len(self.started)}"
        state = self.path.parent / "runc"
        run = ["runc", "--root", state, "run", "--bundle", self.path, name]
        container = Container(name, state, self.processes.start("runc", *run))
        self.started.append(container)
        return container

    def output(self, *arguments: str) -> str:
        """Runs the image to its end and returns what it printed."""
        process = self.start(*arguments).process
        assert process.popen.wait(30) == 0, process.text()
        return process.text()

    def end_all(self) -> None:
        """Ends what still runs."""
        for container in self.started:
            if container.process.popen.poll() is None:
                container.runc("kill", container.name, "KILL")
                wait_for("the end of the container", lambda it=container: it.process.popen.poll() is not None)
            container.runc("delete", "--force", container.name)
