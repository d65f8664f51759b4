"""A Debian 12 in a directory, with its own systemd as process 1 of a process namespace: no container engine, no VM.

Its mounts, processes, host name and control groups are its own, the network is shared. It needs root and a control
group file system (version 2, or the hybrid of both) that can be written, as in a privileged container. systemd is
without the privileges that reach beyond the namespace: modules, clocks, devices, the network, the audit of the kernel.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from conftest import REPOSITORY, Answer, Process, Processes, call, run, wait_for

DEBOOTSTRAP = ("debootstrap", "--variant=minbase", "--include=adduser,systemd", "bookworm")

# Removed from the base: jobs that use the network, and what only takes time to unpack.
WITHOUT = (
    *("etc/systemd/system/timers.target.wants", "etc/systemd/system/multi-user.target.wants"),
    *("usr/share/doc", "usr/share/locale", "usr/share/man", "var/cache/apt", "var/lib/apt/lists"),
)

# Capabilities that systemd does not get.
WITHHELD = "sys_module sys_time sys_boot sys_rawio net_admin syslog mknod audit_control audit_read audit_write"

# Makes the file systems of the machine as systemd expects them of a container, and becomes systemd.
BOOT = """
set -eu
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
    touch dev/$device
    mount --bind /dev/$device dev/$device
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
pivot_root . mnt
umount -l /mnt
exec setpriv --bounding-set="$2" env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd
"""


def base() -> Path:
    """The archive of the base, made once."""
    recipe = hashlib.sha256(repr((DEBOOTSTRAP, WITHOUT)).encode()).hexdigest()[:12]
    archive = REPOSITORY / f".tools/deploy/debian-{recipe}.tar"
    if not archive.exists():
        archive.parent.mkdir(parents=True, exist_ok=True)
        fresh = archive.with_suffix(".root")
        shutil.rmtree(fresh, ignore_errors=True)
        made = run(*DEBOOTSTRAP, fresh)
        assert made.returncode == 0, made.stdout + made.stderr
        for directory in WITHOUT:
            shutil.rmtree(fresh / directory)
        subprocess.run(["tar", "-C", fresh, "-cf", archive.with_suffix(".new"), "."], check=True)
        shutil.rmtree(fresh)
        archive.with_suffix(".new").rename(archive)
    return archive


@dataclass
class Machine:
    """The machine. It is off until `boot`."""

    root: Path
    address: str
    processes: Processes
    cgroup: Path = field(init=False)
    outer: Process | None = None

    def __post_init__(self) -> None:
        mounted = Path("/sys/fs/cgroup")
        unified = mounted / "unified" if (mounted / "unified").is_dir() else mounted
        self.cgroup = unified / f"streamgate-test-{os.getpid()}-{id(self)}"

    def boot(self) -> None:
        """Starts systemd, and waits until all units of the boot have started."""
        self.cgroup.mkdir()
        enter = 'echo $$ >"$0/cgroup.procs" && exec "$@"'
        namespaces = ("--mount", "--pid", "--fork", "--kill-child", "--uts", "--ipc", "--cgroup")
        withheld = ",".join(f"-{name}" for name in WITHHELD.split())
        self.outer = self.processes.start(
            "machine",
            *("sh", "-c", enter, self.cgroup, "unshare", *namespaces),
            *("sh", "-c", BOOT, "boot", self.root, withheld),
        )

        def state() -> str:
            now = self.try_run("systemctl", "is-system-running").stdout.strip()
            return now if now in ("running", "degraded") else ""

        if wait_for("the machine has booted", state) == "degraded":
            raise AssertionError(self.run("systemctl", "list-units", "--failed"))

    def switch_off(self) -> None:
        """Ends every process of the machine at once, as a power loss does."""
        if self.outer:
            self.outer.popen.kill()
            self.outer.popen.wait()
            self.outer = None

            def is_gone() -> bool:
                for directory, _, _ in os.walk(self.cgroup, topdown=False):
                    Path(directory).rmdir()
                return not self.cgroup.exists()

            wait_for("the machine is off", is_gone)

    def try_run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a program in the machine."""
        assert self.outer and self.outer.popen.poll() is None, f"it is off: {self.outer and self.outer.text()}"
        outer = self.outer.pid
        systemd = Path(f"/proc/{outer}/task/{outer}/children").read_text().strip()
        own = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        enter = ("nsenter", f"--target={systemd}", "--mount", "--pid", "--uts", "--ipc", "--cgroup", "--root", "--wd=/")
        return run(*enter, *command, env=own, cwd="/")

    def run(self, *command: str) -> str:
        """The same for a program that must succeed. Returns what it printed."""
        done = self.try_run(*command)
        assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def install(self, deb: Path) -> None:
        """Installs or upgrades a package. Edited settings are kept."""
        shutil.copy(deb, self.root / "package.deb")
        self.run("dpkg", "--install", "--force-confold", "/package.deb")

    def show(self, name: str) -> str:
        """A property of the service, as systemd sees it."""
        return self.run("systemctl", "show", "--property", name, "--value", "streamgate").strip()

    def journal(self) -> str:
        """What the service and systemd have logged about it."""
        return self.run("journalctl", "--quiet", "--no-pager", "--unit=streamgate")

    def owner(self, path: str) -> str:
        """Permissions and owner of a file."""
        return self.run("stat", "--format=%A %U:%G", path).strip()

    def call(self, method: str, path: str) -> Answer:
        """Calls the service."""
        return call(self.address, method, path)


@contextmanager
def machine(directory: Path, address: str, processes: Processes) -> Iterator[Machine]:
    """A new machine that has booted, where the service is to listen on `address`."""
    root = directory / "root"
    root.mkdir()
    subprocess.run(["tar", "-C", root, "--same-owner", "-xf", base()], check=True)
    (root / "etc/default/streamgate").write_text(f"STREAMGATE_LISTEN={address}\n")
    made = Machine(root, address, processes)
    try:
        made.boot()
        yield made
    finally:
        made.switch_off()
        shutil.rmtree(root)
