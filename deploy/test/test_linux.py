"""The systemd unit and the Debian package: checked by systemd's and Debian's tools, and used in a Debian 12 of its own.

The installed system is a debootstrap root that chroot runs in, so these tests need root. It has no systemd: a stand-in
for `systemctl` records each call and starts and stops the service by the installed unit. The sandbox of the unit is
checked against the system calls of a whole run.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import DEPLOY, REPOSITORY, Answer, Process, Processes, call, run, wait_for

UNIT = DEPLOY / "linux/streamgate.service"

# The exposure score of systemd, times ten: 0 is best, 100 is a service without a sandbox.
EXPOSURE_MAX = 20

# The base of the test roots, made once.
BASE = REPOSITORY / ".tools/deploy/debian-12.tar"

DEBOOTSTRAP = ("debootstrap", "--variant=minbase", "--include=adduser", "bookworm")

# The stand-in of systemctl. Settings of the unit that it does not know are the sandbox and the limits.
SYSTEMCTL = """#!/bin/sh
set -eu
echo "$*" >>/var/log/systemctl
unit=/lib/systemd/system/streamgate.service
running=/run/streamgate.pid
link=/etc/systemd/system/multi-user.target.wants/streamgate.service
setting() { sed -n "s/^$1=//p" "$unit"; }
stop() {
    [ -e $running ] || return 0
    pid=$(cat $running)
    kill -TERM "$pid"
    # A process that has ended and is not reaped has no program any more.
    while [ -e "/proc/$pid/exe" ]; do sleep 0.05; done
    rm $running
}
start() {
    cd "$(setting WorkingDirectory)"
    set -a
    file=$(setting EnvironmentFile)
    [ ! -e "${file#-}" ] || . "${file#-}"
    # shellcheck disable=SC2046 # a line of arguments
    setpriv --reuid="$(setting User)" --regid="$(setting Group)" --init-groups --no-new-privs --bounding-set=-all \\
        $(setting ExecStart) >>/var/log/streamgate 2>&1 &
    echo $! >$running
}
for verb; do
    case $verb in
    start) start; exit ;;
    stop) stop; exit ;;
    restart) stop; start; exit ;;
    # Debian's presets enable every unit.
    preset) ln -s "$unit" "$link"; exit ;;
    is-enabled) [ -L "$link" ] && echo enabled; exit ;;
    is-active) [ -e $running ]; exit ;;
    daemon-reload) exit ;;
    --*) ;;
    *) echo "systemctl: $verb is not known here" >&2; exit 64 ;;
    esac
done
"""


# The unit.


def test_the_unit_has_no_mistake_and_a_planted_one_is_found(streamgate: Path, tmp_path: Path) -> None:
    def verify(text: str) -> str:
        unit = tmp_path / "streamgate.service"
        unit.write_text(text.replace("/usr/bin/streamgate", str(streamgate.resolve())))
        verified = run("systemd-analyze", "verify", "--man=no", unit)
        # An unknown setting is a warning, with the exit code 0.
        return f"{verified.returncode}:{verified.stdout}{verified.stderr}"

    assert verify(UNIT.read_text()) == "0:"
    assert "Unknown key 'WatchdogSecs'" in verify(UNIT.read_text().replace("WatchdogSec", "WatchdogSecs"))

    # The drop-in that the README gives.
    drop_in = re.findall(r"(?ms)^\[Service\]\n.*?(?=^```)", (UNIT.parent / "README.md").read_text())[0]
    override = tmp_path / "streamgate.service.d/override.conf"
    override.parent.mkdir()
    override.write_text(drop_in)
    assert verify(UNIT.read_text()) == "0:"
    override.write_text(drop_in.replace("LoadCredential", "LoadCredentials"))
    assert "Unknown key 'LoadCredentials'" in verify(UNIT.read_text())


def test_the_sandbox_is_tight_and_without_a_part_of_it_the_check_fails(tmp_path: Path) -> None:
    def exposure(text: str) -> subprocess.CompletedProcess[str]:
        unit = tmp_path / "streamgate.service"
        unit.write_text(text)
        return run("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", unit)

    checked = exposure(UNIT.read_text())
    assert checked.returncode == 0, checked.stdout
    assert re.search(r"Overall exposure level for streamgate\.service: 1\.\d OK", checked.stdout), checked.stdout
    open_unit = re.sub(r"(?m)^(SystemCallFilter|CapabilityBoundingSet)=.*\n", "", UNIT.read_text())
    assert exposure(open_unit).returncode == 1


def test_the_unit_fits_the_exit_codes_and_the_times_of_the_binary(streamgate: Path) -> None:
    unit = dict(re.findall(r"(?m)^(\w+)=(.*)$", UNIT.read_text()))
    codes = dict(re.findall(r"(?m)^ +(\d+) +(.*)$", run(streamgate, "--help").stdout.split("Exit codes:")[1]))
    assert codes[unit["RestartPreventExitStatus"]] == "the command line or the settings are wrong"
    assert codes[unit["SuccessExitStatus"]] == "told to stop a second time while stopping"
    defaults = run(streamgate, "config", "default").stdout
    drain_s, grace_s = (int(re.findall(rf"(?m)^#{name} = (\d+)$", defaults)[0]) for name in TIMES)
    # 30 s to write the last batch, as the service asks for.
    assert int(unit["TimeoutStopSec"]) >= drain_s + grace_s + 30
    assert (unit["Type"], unit["Restart"]) == ("notify", "on-failure")


TIMES = ("drain_s", "shutdown_grace_s")


def allowed_calls() -> set[str]:
    """The system calls that the unit allows, by the groups of the installed systemd."""

    def members(name: str) -> set[str]:
        if not name.startswith("@"):
            return {name}
        listed = run("systemd-analyze", "syscall-filter", name)
        assert listed.returncode == 0, listed.stderr
        lines = [line.strip() for line in listed.stdout.splitlines()[1:]]
        return set().union(*(members(line) for line in lines if line and not line.startswith("#")))

    allowed: set[str] = members("@default")
    for line in re.findall(r"(?m)^SystemCallFilter=(.*)$", UNIT.read_text()):
        named = set().union(*(members(name) for name in line.lstrip("~").split()))
        allowed = allowed - named if line.startswith("~") else allowed | named
    return allowed


def outside_of_the_sandbox(trace: str, allowed: set[str]) -> set[str]:
    """The lines of a trace of strace that the unit would refuse: a call, a family of sockets, or executable memory."""
    calls = re.findall(r"(?m)^\d+ +(?:\[[^]]*\] +)?((\w+)\(.*)$", trace)
    refused = {line for line, name in calls if name not in allowed}
    refused |= {line for line, name in calls if name == "socket" and not re.match(r"socket\(AF_(INET6?|UNIX)\b", line)}
    # MemoryDenyWriteExecute: no memory is writable and executable, or becomes executable.
    refused |= {line for line, name in calls if name == "mmap" and "PROT_WRITE|PROT_EXEC" in line}
    refused |= {line for line, name in calls if "mprotect" in name and "PROT_EXEC" in line}
    return refused


def test_the_sandbox_allows_every_system_call_of_a_whole_run(
    streamgate: Path, processes: Processes, free_port: Callable[[], int], tmp_path: Path
) -> None:
    address, trace, settings = f"127.0.0.1:{free_port()}", tmp_path / "trace", tmp_path / "streamgate.toml"
    settings.write_text(f'listen = "{address}"\ndata_dir = "{tmp_path}/data"\n')
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        for _ in range(2):  # The second run recovers what the first one has written.
            server = processes.start(
                "streamgate",
                *("strace", "-f", "-qq", "-A", "-o", trace),
                *(streamgate, "serve", "--config", settings),
                env={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"},
            )
            processes.wait_ready(server, address)
            assert plays_to_the_limit(address)
            assert call(address, "GET", "/metrics").status == 200
            end_in_order(server)
    text, allowed = trace.read_text(), allowed_calls()
    assert "READY=1" in text and "WATCHDOG=1" in text
    assert "fdatasync(" in text and "accept4(" in text, "the trace has the whole run"
    assert outside_of_the_sandbox(text, allowed) == set()

    # What is not allowed is found.
    planted = [
        "7 chroot(\"/\") = 0",
        "7 socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) = 3",
        "7 mmap(NULL, 4096, PROT_READ|PROT_WRITE|PROT_EXEC, MAP_PRIVATE, -1, 0) = 0x7",
        "7 mprotect(0x7, 4096, PROT_READ|PROT_EXEC) = 0",
    ]
    assert len(outside_of_the_sandbox("\n".join(planted), allowed)) == len(planted)


def end_in_order(traced: Process) -> None:
    """Lets a service under strace read its settings again, and stops it."""
    service = int(Path(f"/proc/{traced.pid}/task/{traced.pid}/children").read_text().split()[0])
    os.kill(service, signal.SIGHUP)
    wait_for("the settings are read again", lambda: "settings were read again" in traced.text())
    os.kill(service, signal.SIGTERM)
    assert traced.popen.wait(30) == 0, traced.text()


def plays_to_the_limit(address: str) -> bool:
    """Starts, heartbeats and stops sessions of a new user: true if the limit of three holds in between."""
    user = f"/v1/users/user-{time.monotonic_ns()}/sessions"
    statuses = [call(address, "PUT", f"{user}/{device}").status for device in ("tv", "phone", "web", "car")]
    statuses.append(call(address, "POST", f"{user}/tv/heartbeat").status)
    statuses.append(call(address, "DELETE", f"{user}/tv").status)
    statuses.append(call(address, "PUT", f"{user}/car").status)
    assert statuses == [201, 201, 201, 409, 200, 204, 201], statuses
    return True


# The package.


@pytest.fixture(scope="module")
def packages(streamgate: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two versions of the package, made of the ready binary."""
    target = tmp_path_factory.mktemp("target")
    (target / "release").mkdir()
    shutil.copy(streamgate, target / "release/streamgate")
    made = []
    for version in ("0.1.0-1", "0.1.1-1"):
        deb = target / f"streamgate_{version}.deb"
        built = run(
            *("cargo-deb", "--no-build", "--strip", "--fast", "--locked", "--offline", "--package", "streamgate"),
            *("--deb-version", version, "--output", deb),
            cwd=REPOSITORY,
            env={**os.environ, "CARGO_TARGET_DIR": str(target)},
        )
        assert built.returncode == 0, built.stderr
        assert "warning" not in built.stderr, built.stderr
        made.append(deb)
    return made


def lint(deb: Path) -> subprocess.CompletedProcess[str]:
    """Debian's checks of a package; errors and warnings fail."""
    return run("lintian", "--allow-root", "--fail-on=error,warning", "--tag-display-limit=0", deb)


def test_the_package_passes_lintian_and_a_fault_fails_it(packages: list[Path], tmp_path: Path) -> None:
    checked = lint(packages[0])
    assert (checked.returncode, checked.stdout) == (0, ""), checked.stdout + checked.stderr
    content = tmp_path / "content"
    assert run("dpkg-deb", "--raw-extract", packages[0], content).returncode == 0
    (content / "usr/share/doc/streamgate/copyright").unlink()
    broken = tmp_path / "streamgate_0.1.0-1_amd64.deb"
    assert run("dpkg-deb", "--root-owner-group", "-Znone", "--build", content, broken).returncode == 0
    found = lint(broken)
    assert found.returncode != 0 and "E: streamgate: no-copyright-file" in found.stdout, found.stdout


def test_the_manual_page_has_every_command_and_formats_without_a_warning(streamgate: Path) -> None:
    page = DEPLOY / "linux/streamgate.1"
    formatted = run("groff", "-man", "-Tutf8", "-ww", page)
    assert (formatted.returncode, formatted.stderr) == (0, "")
    commands = run(streamgate, "--help").stdout.split("Commands:")[1].split("\n\n")[0]
    names = set(re.findall(r"(?m)^  ([a-z]+) ", commands)) - {"help"}
    section = page.read_text().split(".SH COMMANDS")[1].split(".SH FILES")[0]
    assert set(re.findall(r"(?m)^\.B ([a-z]+)$", section)) == names


@dataclass
class Machine:
    """A Debian 12 in a directory."""

    root: Path
    address: str

    def run(self, *command: str) -> str:
        """Runs a program in it that must succeed. Its /proc is gone with the program."""
        inside = 'mount --bind /proc "$0/proc" && exec chroot "$0" "$@"'
        own = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        done = run("unshare", "--mount", "sh", "-c", inside, self.root, *command, env=own)
        assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def dpkg(self, *arguments: str) -> list[str]:
        """Runs dpkg, and returns the calls of systemctl that started or stopped something meanwhile."""
        calls = self.root / "var/log/systemctl"
        calls.write_text("")
        self.run("dpkg", *arguments)
        verbs = re.compile(r"(?:--\S+ )*((?:re)?start|stop)\b")
        return [found[1] for line in calls.read_text().splitlines() if (found := verbs.match(line))]

    def install(self, deb: Path) -> list[str]:
        """Installs a package. See `dpkg`."""
        shutil.copy(deb, self.root / "package.deb")
        return self.dpkg("--install", "--force-confold", "/package.deb")

    def owner(self, path: str) -> str:
        """Permissions and owner of a file."""
        return self.run("stat", "--format=%A %U:%G", path).strip()

    def pid(self) -> int | None:
        """The id of the service's process, if it runs."""
        running = self.root / "run/streamgate.pid"
        return int(running.read_text()) if running.exists() else None

    def log(self) -> str:
        """What the service has printed."""
        return (self.root / "var/log/streamgate").read_text()

    def wait_ready(self) -> None:
        """Waits until the service serves."""
        wait_for("the service is ready", lambda: self.call("GET", "/readyz").status == 200)

    def call(self, method: str, path: str) -> Answer:
        """Calls the service."""
        return call(self.address, method, path)


@pytest.fixture
def machine(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Machine]:
    """A new machine without the package. What still runs there afterwards is ended."""
    if not BASE.exists():
        BASE.parent.mkdir(parents=True, exist_ok=True)
        fresh = tmp_path / "debootstrap"
        made = run(*DEBOOTSTRAP, fresh)
        assert made.returncode == 0, made.stdout + made.stderr
        subprocess.run(["tar", "--create", "--file", BASE.with_suffix(".new"), "--directory", fresh, "."], check=True)
        BASE.with_suffix(".new").rename(BASE)
        shutil.rmtree(fresh)
    root = tmp_path / "root"
    root.mkdir()
    subprocess.run(["tar", "--extract", "--same-owner", "--file", BASE, "--directory", root], check=True)
    # Where this directory is, systemd is taken to run.
    (root / "run/systemd/system").mkdir(parents=True)
    (root / "var/log/streamgate").write_text("")
    systemctl = root / "usr/bin/systemctl"
    systemctl.write_text(SYSTEMCTL)
    systemctl.chmod(0o755)
    address = f"127.0.0.1:{free_port()}"
    (root / "etc/default/streamgate").write_text(f"STREAMGATE_LISTEN={address}\n")
    # The parents of a test's directory are closed to other users; chroot enters it from within.
    machine = Machine(root, address)
    yield machine
    pid = machine.pid()
    if pid:
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(root)


def test_the_package_is_installed_run_upgraded_removed_and_purged(machine: Machine, packages: list[Path]) -> None:
    # Installed: the user, the settings and the directory are there, and the service runs as that user.
    assert machine.install(packages[0]) == ["start"]
    machine.wait_ready()
    first = machine.pid()
    assert first and Path(f"/proc/{first}/status").read_text().split("Uid:\t")[1].split()[0] == machine.run(
        "id", "--user", "streamgate"
    ).strip()
    assert machine.owner("/etc/streamgate/streamgate.toml") == "-rw-r----- root:streamgate"
    assert machine.owner("/var/lib/streamgate") == "drwx------ streamgate:streamgate"
    link = machine.root / "etc/systemd/system/multi-user.target.wants/streamgate.service"
    assert link.is_symlink(), "it starts with the machine"
    assert plays_to_the_limit(machine.address)
    for device in ("tv", "phone", "web"):
        assert machine.call("PUT", f"/v1/users/ann/sessions/{device}").status == 201

    # Upgraded: restarted, in order, with the settings and the sessions that were there.
    settings = machine.root / "etc/streamgate/streamgate.toml"
    settings.write_text(settings.read_text() + "\n[policy]\ndefault_limit = 4\n")
    assert machine.install(packages[1]) == ["restart"]
    machine.wait_ready()
    assert machine.pid() != first
    assert "stopped; everything is on disk" in machine.log()
    assert machine.run("dpkg-query", "--show", "--showformat=${Version}", "streamgate") == "0.1.1-1"
    assert machine.owner("/etc/streamgate/streamgate.toml") == "-rw-r----- root:streamgate"
    statuses = [machine.call("PUT", f"/v1/users/ann/sessions/{device}").status for device in ("tv", "car", "watch")]
    assert statuses == [200, 201, 409], "a session from before, the fourth by the edited settings, and one too many"

    # Removed: the service is stopped, settings and data stay.
    assert machine.dpkg("--remove", "streamgate") == ["stop"]
    assert machine.pid() is None
    assert not (machine.root / "usr/bin/streamgate").exists()
    assert settings.exists()
    assert machine.owner("/var/lib/streamgate") == "drwx------ streamgate:streamgate"

    # Installed again: all of it is there.
    assert machine.install(packages[1]) == ["restart"]
    machine.wait_ready()
    assert machine.call("GET", "/v1/users/ann/sessions").json()["active"] == 4

    # Purged: nothing of it is left but the user.
    assert machine.dpkg("--purge", "streamgate") == ["stop"]
    left = [path for path in ("etc/streamgate", "var/lib/streamgate") if (machine.root / path).exists()]
    assert left == []
    assert not link.is_symlink()
    assert machine.run("id", "--user", "--name", "streamgate") == "streamgate\n"


def test_an_administrator_decides_permissions_and_whether_the_service_starts(
    machine: Machine, packages: list[Path]
) -> None:
    machine.install(packages[0])
    machine.wait_ready()
    link = machine.root / "etc/systemd/system/multi-user.target.wants/streamgate.service"
    link.unlink()  # systemctl disable
    machine.run("dpkg-statoverride", "--update", "--add", "root", "root", "0644", "/etc/streamgate/streamgate.toml")
    machine.install(packages[1])
    assert machine.owner("/etc/streamgate/streamgate.toml") == "-rw-r--r-- root:root"
    assert not link.is_symlink(), "an upgrade does not enable what was disabled"
