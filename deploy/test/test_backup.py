"""deploy/backup: the commands of the schedules, run for real against a server with keys."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from conftest import DEPLOY, Process, Processes, call, run, wait_for
from machine import machine

BACKUP = DEPLOY / "backup"
UNIT = BACKUP / "streamgate-backup.service"
TIMER = BACKUP / "streamgate-backup.timer"
CRON = BACKUP / "streamgate-backup.cron"
CRONJOB = BACKUP / "cronjob.yaml"

# Where the committed commands write, and what they run.
BACKUPS = "/var/backups/streamgate"
BINARY = "/usr/bin/streamgate"
ENVIRONMENT = "/etc/streamgate/backup.env"

# The retention that the committed commands ask for.
KEEP = 14


@dataclass
class Node:
    """A server with an admin key and a player key, and two users."""

    binary: Path
    address: str
    process: Process
    admin: str
    player: str


def unit_value(name: str) -> str:
    """The value of a line of the unit."""
    found = re.search(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)
    assert found, f"no {name}= in {UNIT}"
    return found[1]


def cron_line() -> str:
    """The job: all behind the five fields of the time and the user."""
    line = CRON.read_text().splitlines()[-1]
    return line.split(None, 6)[6]


def container() -> dict:
    """The container of the CronJob."""
    documents = list(yaml.safe_load_all(CRONJOB.read_text()))
    job = next(it for it in documents if it["kind"] == "CronJob")
    return job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]


@pytest.fixture
def node(tmp_path: Path, streamgate: Path, processes: Processes, free_port: Callable[[], int]) -> Node:
    settings = tmp_path / "streamgate.toml"
    keys = {}
    for scope in ("admin", "player"):
        made = run(streamgate, "key", "new", "--json", "--scope", scope)
        assert made.returncode == 0, made.stderr
        key = json.loads(made.stdout)
        keys[scope] = key["key"]
        with settings.open("a") as file:
            file.write(f'[[keys]]\nname = "{scope}"\nsha256 = "{key["sha256"]}"\nscope = "{scope}"\n')
    address = f"127.0.0.1:{free_port()}"
    command = ("serve", "--config", settings, "--listen", address, "--data-dir", tmp_path / "data")
    process = processes.start("streamgate", streamgate, *command)
    processes.wait_ready(process, address)
    node = Node(streamgate, address, process, keys["admin"], keys["player"])
    for user in ("anna", "ben"):
        started = call(address, "PUT", f"/v1/users/{user}/sessions/tv", {}, {"x-api-key": node.player})
        assert started.status == 201, started
    return node


def environment(node: Node, **changes: str) -> dict[str, str]:
    """What the environment file and the manifest give the command, and no other variable of the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STREAMGATE_")}
    return {**kept, "STREAMGATE_KEY": node.admin, "STREAMGATE_URL": f"http://{node.address}", **changes}


def run_unit(node: Node, backups: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    """Runs ExecStart= of the unit, with the binary and the directory of the test."""
    words = shlex.split(unit_value("ExecStart"))
    assert words[0] == BINARY
    assert BACKUPS in words
    command = [str(node.binary), *(str(backups) if word == BACKUPS else word for word in words[1:])]
    return run(*command, env=environment(node, **changes))


def run_cron(node: Node, backups: Path) -> subprocess.CompletedProcess[str]:
    """Runs the job of the cron line in its shell, with the binary, directory and settings of the test."""
    settings = backups.parent / "backup.env"
    settings.write_text(f"STREAMGATE_KEY={node.admin}\nSTREAMGATE_URL=http://{node.address}\n")
    line = cron_line()
    for committed, here in ((BINARY, node.binary), (BACKUPS, backups), (ENVIRONMENT, settings)):
        assert committed in line
        line = line.replace(committed, str(here))
    return run("/bin/sh", "-c", line, env={"PATH": "/usr/bin:/bin"})


def run_cronjob(node: Node, backups: Path) -> subprocess.CompletedProcess[str]:
    """Runs the arguments of the container, with the volume and the Service of the test."""
    spec = container()
    mount = spec["volumeMounts"][0]["mountPath"]
    args = [str(backups) if word == f"{mount}/streamgate" else word for word in spec["args"]]
    assert args != spec["args"]
    names = {entry["name"] for entry in spec["env"]}
    assert names == {"STREAMGATE_URL", "STREAMGATE_KEY"}
    return run(node.binary, *args, env=environment(node))


def backups_in(directory: Path) -> list[str]:
    """The names of the backups in a directory; nothing but the lock may be beside them."""
    names = sorted(path.name for path in directory.iterdir())
    if "LOCK" in names:
        names.remove("LOCK")
    assert all(re.fullmatch(r"streamgate-[0-9-]{10}T[0-9.]+Z", name) for name in names), names
    return names


@pytest.mark.parametrize("command", [run_unit, run_cron, run_cronjob])
def test_each_schedule_keeps_the_newest_backups(
    command: Callable[[Node, Path], subprocess.CompletedProcess[str]], node: Node, tmp_path: Path
) -> None:
    backups = tmp_path / "backups"
    made: list[str] = []
    for _ in range(KEEP + 2):
        ran = command(node, backups)
        assert ran.returncode == 0, ran.stderr
        new = sorted(set(backups_in(backups)) - set(made))
        assert len(new) == 1, new
        made += new
    assert backups_in(backups) == made[-KEEP:]
    if command is run_cron:
        assert ran.stdout + ran.stderr == "", "cron mails what a job prints"


def test_the_newest_backup_is_restored_and_serves(
    node: Node, tmp_path: Path, processes: Processes, free_port: Callable[[], int]
) -> None:
    backups, data = tmp_path / "backups", tmp_path / "restored"
    assert run_unit(node, backups).returncode == 0
    call(node.address, "PUT", "/v1/users/carl/sessions/tv", {}, {"x-api-key": node.player})
    assert run_unit(node, backups).returncode == 0
    newest = backups / backups_in(backups)[-1]
    restored = run(node.binary, "store", "restore", newest, "--data-dir", data)
    assert restored.returncode == 0, restored.stderr
    assert "3 users" in restored.stdout
    address = f"127.0.0.1:{free_port()}"
    process = processes.start("restored", node.binary, "serve", "--listen", address, "--data-dir", data)
    processes.wait_ready(process, address)
    sessions = call(address, "GET", "/v1/sessions").json()["sessions"]
    assert sorted(session["user_id"] for session in sessions) == ["anna", "ben", "carl"]


def test_a_backup_that_fails_exits_with_its_code_and_removes_nothing(node: Node, tmp_path: Path) -> None:
    backups = tmp_path / "backups"
    for _ in range(2):
        assert run_unit(node, backups).returncode == 0
    before = backups_in(backups)
    for changes, code, words in (
        ({"STREAMGATE_KEY": "sgk_unknown"}, 1, "unauthenticated"),
        ({"STREAMGATE_KEY": node.player}, 1, "needs a key of scope admin"),
        ({"STREAMGATE_URL": "http://127.0.0.1:9"}, 69, "no answer from the server"),
    ):
        ran = run_unit(node, backups, **changes)
        assert ran.returncode == code, ran.stderr
        assert words in ran.stderr
        assert backups_in(backups) == before
    assert node.process.stop() == 0
    ran = run_unit(node, backups)
    assert ran.returncode == 69, ran.stderr
    assert backups_in(backups) == before


def test_a_full_volume_exits_with_74_and_keeps_the_old_backups(node: Node, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    words = [str(node.binary), *shlex.split(unit_value("ExecStart"))[1:]]
    backup = shlex.join(str(volume / "daily") if word == BACKUPS else word for word in words)
    # The volume has room for one backup, and then for none.
    script = f"""
        mount -t tmpfs -o mode=700,size=2m tmpfs {volume} || exit 99
        {backup} >/dev/null || exit 98
        before=$(ls {volume}/daily)
        dd if=/dev/zero of={volume}/filler bs=4k 2>/dev/null
        {backup}
        echo "code $?"
        test "$before" = "$(ls {volume}/daily)" && echo unchanged
    """
    ran = run("unshare", "--map-root-user", "--mount", "sh", "-c", script, env=environment(node))
    assert ran.stdout.splitlines() == ["code 74", "unchanged"], ran.stdout + ran.stderr
    assert "No space left on device" in ran.stderr


def verify(unit: Path) -> subprocess.CompletedProcess[str]:
    """systemd's own check of a unit file."""
    return run("systemd-analyze", "verify", "--man=no", unit)


def unit_copies(directory: Path, binary: Path, change: tuple[str, str] = ("", "")) -> Path:
    """The unit and its timer with a binary that exists, which `verify` asks for."""
    directory.mkdir()
    text = UNIT.read_text().replace(BINARY, str(binary)).replace(*change)
    (directory / UNIT.name).write_text(text)
    (directory / TIMER.name).write_text(TIMER.read_text())
    return directory


def test_the_unit_and_the_timer_are_valid_and_a_fault_is_found(tmp_path: Path, streamgate: Path) -> None:
    sound = unit_copies(tmp_path / "sound", streamgate)
    for name in (UNIT.name, TIMER.name):
        checked = verify(sound / name)
        assert checked.returncode == 0, checked.stderr
        assert str(sound) not in checked.stderr, checked.stderr
    faulty = unit_copies(tmp_path / "faulty", streamgate, ("Type=oneshot", "Type=onceshot"))
    assert "onceshot" in verify(faulty / UNIT.name).stderr


def exposure(unit: Path, threshold: int) -> subprocess.CompletedProcess[str]:
    """The sandbox of a unit by systemd's score; `threshold` in tenths."""
    return run("systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={threshold}", unit)


def test_the_sandbox_of_the_unit_scores_2_or_better(tmp_path: Path, streamgate: Path) -> None:
    sound = unit_copies(tmp_path / "sound", streamgate)
    checked = exposure(sound / UNIT.name, 20)
    assert checked.returncode == 0, checked.stdout[-300:]
    open_one = unit_copies(tmp_path / "open", streamgate, ("ProtectSystem=strict\n", ""))
    (open_one / UNIT.name).write_text(f"[Service]\nExecStart={streamgate}\n")
    assert exposure(open_one / UNIT.name, 20).returncode != 0


# The timer at another pace.
EVERY_SECOND = "[Timer]\nOnCalendar=\nOnCalendar=*:*:0/1\nRandomizedDelaySec=0\nAccuracySec=100ms\n"


def test_systemd_runs_the_unit_in_its_sandbox_by_its_timer_and_shows_a_failure(
    node: Node, tmp_path: Path, free_port: Callable[[], int], processes: Processes
) -> None:
    with machine(tmp_path, f"127.0.0.1:{free_port()}", processes) as debian:
        root = debian.root
        shutil.copy(node.binary, root / BINARY.lstrip("/"))
        for unit in (UNIT, TIMER):
            shutil.copy(unit, root / "etc/systemd/system")
        debian.run("adduser", "--system", "--group", "--no-create-home", "streamgate")
        debian.run("install", "-d", "-m", "700", "-o", "streamgate", "-g", "streamgate", BACKUPS)
        settings = root / ENVIRONMENT.lstrip("/")
        settings.parent.mkdir()

        def configure(key: str) -> None:
            settings.write_text(f"STREAMGATE_KEY={key}\nSTREAMGATE_URL=http://{node.address}\n")
            settings.chmod(0o600)

        configure(node.admin)
        debian.run("systemctl", "daemon-reload")
        started = debian.try_run("systemctl", "start", UNIT.name)
        journal = debian.run("journalctl", "--quiet", "--no-pager", f"--unit={UNIT.name}")
        assert started.returncode == 0, journal
        assert "every checksum is right" in journal
        first = backups_in(root / BACKUPS.lstrip("/"))
        assert len(first) == 1
        assert debian.owner(f"{BACKUPS}/{first[0]}") == "drwx------ streamgate:streamgate"

        # A failure is a state of the unit, and costs no backup.
        configure(node.player)
        assert debian.try_run("systemctl", "start", UNIT.name).returncode != 0
        assert debian.run("systemctl", "is-failed", UNIT.name).strip() == "failed"
        assert backups_in(root / BACKUPS.lstrip("/")) == first

        configure(node.admin)
        faster = root / f"etc/systemd/system/{TIMER.name}.d/pace.conf"
        faster.parent.mkdir()
        faster.write_text(EVERY_SECOND)
        debian.run("systemctl", "daemon-reload")
        debian.run("systemctl", "enable", "--now", TIMER.name)

        def names() -> list[str]:
            listed = (root / BACKUPS.lstrip("/")).iterdir()
            return [path.name for path in listed if not path.name.endswith(".partial") and path.name != "LOCK"]

        wait_for("the timer makes backups", lambda: len(names()) >= 3)


def validate(manifest: Path) -> subprocess.CompletedProcess[str]:
    """The schemas of Kubernetes, unknown fields refused."""
    return run("kubernetes-validate", "--strict", manifest)


def test_the_cronjob_is_valid_and_a_fault_is_found(tmp_path: Path) -> None:
    checked = validate(CRONJOB)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    faulty = tmp_path / "cronjob.yaml"
    faulty.write_text(CRONJOB.read_text().replace("concurrencyPolicy", "concurencyPolicy"))
    assert validate(faulty).returncode != 0


def test_all_schedules_keep_as_many() -> None:
    commands = [shlex.split(unit_value("ExecStart")), shlex.split(cron_line()), container()["args"]]
    kept = [words[words.index("--keep") + 1] for words in commands]
    assert kept == [str(KEEP)] * 3
