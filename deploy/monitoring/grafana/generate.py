#!/usr/bin/env python3
"""Writes the Grafana dashboard, streamgate.json, in the order in which an operator looks at it at 3 a.m.

deploy/monitoring/grafana/generate.py writes the file beside this one; with --check it fails if the file differs.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("streamgate.json")

# A row of the dashboard is 24 units wide.
WIDTH = 24

# Of the nodes that the variables select; and of their job, where a sum over all nodes is meant.
NODES = 'job="$job", instance=~"$instance"'
JOB = 'job="$job"'

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}

GREEN, AMBER, RED = "green", "orange", "red"


@dataclass
class Query:
    """An expression, and the name of its series."""

    expr: str
    legend: str = "{{instance}}"


@dataclass
class Panel:
    """A panel; `kind` is Grafana's type."""

    kind: str
    title: str
    about: str
    queries: list[Query]
    unit: str = "short"
    width: int = 8
    height: int = 7
    # From which value on which colour holds; the first is the base.
    steps: list[tuple[float | None, str]] = field(default_factory=lambda: [(None, GREEN)])
    words: dict[str, str] = field(default_factory=dict)
    stacked: bool = False
    line_at: float | None = None
    # Whether values can be negative.
    is_signed: bool = False


def stat(title: str, about: str, expr: str, **rest: Any) -> Panel:
    """One number."""
    return Panel("stat", title, about, [Query(expr, "")], **{"width": 4, "height": 4, **rest})


def chart(title: str, about: str, *queries: Query, **rest: Any) -> Panel:
    """Lines over time."""
    return Panel("timeseries", title, about, list(queries), **rest)


def rate(counter: str, by: str, selector: str = NODES) -> str:
    """The sum of the rates of a counter, by these labels."""
    return f"sum by ({by}) (rate({counter}{{{selector}}}[$__rate_interval]))"


def growth(counter: str) -> str:
    """How much a counter grew within the time shown, over the nodes."""
    return f"sum(increase({counter}{{{NODES}}}[$__range])) or vector(0)"


def quantile(share: float, histogram: str, by: str = "", selector: str = NODES) -> str:
    """A quantile of a histogram, by these labels."""
    labels = f"{by}, le" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({histogram}_bucket{{{selector}}}[$__rate_interval])))"


def bad_from(limit: float, colour: str = RED) -> list[tuple[float | None, str]]:
    """Green below the limit."""
    return [(None, GREEN), (limit, colour)]


HTTP = "streamgate_http_request_duration_seconds"
COMMIT = "streamgate_commit_duration_seconds"
SESSION = f'{NODES}, route=~"/v1/users/{{user_id}}/sessions.*"'

UP = [
    stat(
        "Nodes down",
        "Nodes that Prometheus cannot scrape.",
        f"count(up{{{JOB}}} == 0) or vector(0)",
        steps=bad_from(1),
    ),
    stat("Nodes up", "Nodes that Prometheus can scrape.", f"sum(up{{{JOB}}})", steps=[(None, RED), (1, GREEN)]),
    stat(
        "Store",
        "Whether every node can use its store (what /readyz says of it).",
        f"min(streamgate_store_usable{{{NODES}}})",
        steps=[(None, RED), (1, GREEN)],
        words={"0": "NOT USABLE", "1": "usable"},
    ),
    stat(
        "Users that met a failure",
        "Distinct users with a 5xx within 5 minutes; one that met two failing nodes counts twice. Alarm at 10.",
        f"sum(streamgate_failed_users{{{JOB}}})",
        steps=[(None, GREEN), (1, AMBER), (10, RED)],
    ),
    stat(
        "Sessions without the store",
        'Admitted with engine.fail_mode = "open", not reconciled yet. Limits do not hold while there are some.',
        f"sum(streamgate_degraded_sessions{{{NODES}}})",
        steps=bad_from(1),
    ),
    stat(
        "Disk",
        "Whether the disk of an embedded store is full, and starts are refused.",
        f"max(streamgate_store_full{{{NODES}}})",
        steps=bad_from(1),
        words={"0": "has room", "1": "FULL"},
    ),
    Panel(
        "table",
        "Alerts that fire",
        "Each has a heading in docs/operations/runbook.md.",
        [Query('sum by (alertname, severity, instance) (ALERTS{alertname=~"Streamgate.*", alertstate="firing"})', "")],
        width=12,
    ),
    Panel(
        "table",
        "Versions",
        "What runs, and how many nodes run it.",
        [Query(f"count by (version) (streamgate_build_info{{{JOB}}})", "")],
        width=4,
    ),
    chart(
        "Up",
        "A gap is a node that was down.",
        Query(f"up{{{JOB}}}"),
        width=8,
    ),
]

ADMITTED = [
    chart(
        "Starts",
        "By result. degraded: admitted without the store. taken: the session of another device.",
        Query(rate("streamgate_starts_total", "result"), "{{result}}"),
        unit="reqps",
        stacked=True,
    ),
    chart(
        "Live sessions",
        "Sessions that hold a slot. Of nodes that share a store each shows what it started less what it ended, and the "
        "sum is near the truth.",
        Query(f"streamgate_live_sessions{{{NODES}}}"),
        Query(f"sum(streamgate_live_sessions{{{NODES}}})", "all"),
    ),
    chart(
        "Heartbeats",
        "By result, those of batches included.",
        Query(rate("streamgate_heartbeats_total", "result"), "{{result}}"),
        unit="reqps",
        stacked=True,
    ),
    chart(
        "Sessions ended",
        "By reason. A jump of expired: players do not reach the service.",
        Query(rate("streamgate_endings_total", "reason"), "{{reason}}"),
        unit="ops",
        stacked=True,
    ),
    chart(
        "Stops", "By result.", Query(rate("streamgate_stops_total", "result"), "{{result}}"), unit="reqps", stacked=True
    ),
    chart(
        "Sessions without the store",
        "Remembered by nodes that fail open, and how many were reconciled since.",
        Query(f"streamgate_degraded_sessions{{{NODES}}}", "remembered by {{instance}}"),
        Query(rate("streamgate_reconciled_total", "result"), "reconciled: {{result}} a second"),
    ),
]

REFUSED = [
    chart(
        "Starts refused",
        "The share of starts for which no slot was free.",
        Query(f"job:streamgate_starts_refused:ratio_rate5m{{{JOB}}}", "refused"),
        unit="percentunit",
    ),
    chart(
        "Users that met a failure",
        "Distinct users with a 5xx within 5 minutes, by node. Alarm at 10.",
        Query(f"streamgate_failed_users{{{NODES}}}"),
        line_at=10,
    ),
    chart(
        "Errors",
        "Answers with 5xx, by route and status. 503 of /readyz is for balancers.",
        Query(rate(f"{HTTP}_count", "route, status", f'{NODES}, status=~"5.."'), "{{status}} {{route}}"),
        unit="reqps",
    ),
    chart(
        "Share of errors",
        "Of all requests but /readyz. Alarm above 1 % for 5 minutes.",
        Query(f"job:streamgate_http_errors:ratio_rate5m{{{JOB}}}", "5xx"),
        unit="percentunit",
        line_at=0.01,
    ),
    chart(
        "Refused by callers' mistakes",
        "Answers with 4xx, by status. 409: the limit. 401: keys. 429: rate limits.",
        Query(rate(f"{HTTP}_count", "status", f'{NODES}, status=~"4.."'), "{{status}}"),
        unit="reqps",
    ),
    chart(
        "Refused for lack of room",
        "Connections of a peer with too many, and requests while bodies take all of http.bodies_max_bytes.",
        Query(rate("streamgate_http_connections_refused_total", "instance"), "connections {{instance}}"),
        Query(rate("streamgate_http_bodies_refused_total", "instance"), "bodies {{instance}}"),
        unit="reqps",
    ),
]

PUSH = [
    chart(
        "Event streams",
        "Open event streams, by kind. hold is one that is its session's heartbeat.",
        Query(f"sum by (kind) (streamgate_push_streams{{{NODES}}})", "{{kind}}"),
    ),
    chart(
        "What event streams are told",
        "Events written, events that a slow client missed, and streams refused because of [push].",
        Query(rate("streamgate_push_events_total", "instance"), "events {{instance}}"),
        Query(rate("streamgate_push_events_missed_total", "instance"), "missed {{instance}}"),
        Query(rate("streamgate_push_streams_refused_total", "instance"), "streams refused {{instance}}"),
    ),
    chart(
        "How event streams end",
        "bye: the node stops. client: it has gone or does not read. credential: its key or token is no longer valid.",
        Query(rate("streamgate_push_streams_ended_total", "reason"), "{{reason}}"),
    ),
]

LATENCY = [
    chart(
        "Calls about sessions",
        "How long the server takes for starts, heartbeats and stops. Alarm: p99 above 50 ms for 5 minutes.",
        Query(quantile(0.5, HTTP, selector=SESSION), "p50"),
        Query(quantile(0.95, HTTP, selector=SESSION), "p95"),
        Query(quantile(0.99, HTTP, selector=SESSION), "p99"),
        unit="s",
        line_at=0.05,
    ),
    chart(
        "p99 by route",
        "One in a hundred calls of the route takes so long or longer.",
        Query(f"job_route:{HTTP}:p99_5m{{{JOB}}}", "{{route}}"),
        unit="s",
    ),
    chart("Requests", "By route.", Query(rate(f"{HTTP}_count", "route"), "{{route}}"), unit="reqps"),
]

STORE = [
    chart(
        "Commits of the embedded store",
        "Write and sync of one batch; every start waits for one. Alarm: p99 above 50 ms for 5 minutes.",
        Query(quantile(0.5, COMMIT, "instance"), "p50 {{instance}}"),
        Query(f"instance:{COMMIT}:p99_5m{{{NODES}}}", "p99 {{instance}}"),
        unit="s",
        line_at=0.05,
    ),
    chart(
        "Records in a batch",
        "Of the embedded store. Batches grow when the disk is slow.",
        Query(
            f"{rate('streamgate_commit_batch_records_sum', 'instance')} / "
            f"{rate('streamgate_commit_batch_records_count', 'instance')}"
        ),
    ),
    chart(
        "Written to the log",
        "By embedded stores.",
        Query(rate("streamgate_commit_bytes_total", "instance")),
        unit="Bps",
    ),
    chart(
        "Data volume",
        "What embedded stores may still use. Alarms: less than a tenth; empty within a day.",
        Query(f"streamgate_data_volume_free_bytes{{{NODES}}}", "free {{instance}}"),
        Query(f"streamgate_data_volume_size_bytes{{{NODES}}}", "size {{instance}}"),
        unit="bytes",
    ),
    chart("Users", "With a stored record, of embedded stores.", Query(f"streamgate_users{{{NODES}}}")),
    chart(
        "Clock skew",
        "Against DynamoDB, at least. Alarm beyond 2 s.",
        Query(f"streamgate_store_clock_skew_seconds{{{NODES}}}"),
        unit="s",
        is_signed=True,
    ),
    chart(
        "Notices between nodes",
        "Over Redis: commits published to other nodes, what arrives of theirs, and what was dropped.",
        Query(rate("streamgate_notices_published_total", "instance"), "published {{instance}}"),
        Query(rate("streamgate_notices_received_total", "instance"), "received {{instance}}"),
        Query(rate("streamgate_notices_dropped_total", "instance"), "dropped {{instance}}"),
        Query(rate("streamgate_notices_untold_total", "instance"), "untold {{instance}}"),
    ),
    chart(
        "Notices: connections",
        "To Redis, on which notices of other nodes arrive; and channels subscribed to again after a loss. "
        "Alarm: one is down for a minute.",
        Query(f"streamgate_notices_connections{{{NODES}}}", "{{state}} {{instance}}"),
        Query(rate("streamgate_notices_resubscribed_total", "instance"), "resubscribed {{instance}}"),
    ),
    stat(
        "Damaged records read",
        "In the time shown. Anything but 0 is an alarm.",
        growth("streamgate_damaged_records_total"),
        width=8,
        steps=bad_from(1),
    ),
    stat(
        "Keys evicted by Redis",
        "In the time shown. Anything but 0 is an alarm. Every node counts the same ones.",
        f"max(increase(streamgate_store_evicted_keys_total{{{NODES}}}[$__range])) or vector(0)",
        width=8,
        steps=bad_from(1),
    ),
    stat(
        "Unknown outcomes",
        "Commits whose answer was lost, in the time shown. On the embedded store, anything but 0 is an alarm.",
        growth("streamgate_outcome_unknown_total"),
        width=8,
        steps=bad_from(1, AMBER),
    ),
]

NODE = [
    chart(
        "Processor",
        "Processors that the process uses.",
        Query(rate("process_cpu_seconds_total", "instance")),
        unit="short",
    ),
    chart("Memory", "In RAM.", Query(f"process_resident_memory_bytes{{{NODES}}}"), unit="bytes"),
    chart(
        "File descriptors",
        "Open ones, as a share of the most that the process may open. Alarm above 90 %.",
        Query(f"process_open_fds{{{NODES}}} / process_max_fds{{{NODES}}}"),
        unit="percentunit",
        line_at=0.9,
    ),
    chart("Connections", "Open ones.", Query(f"streamgate_http_connections{{{NODES}}}")),
    chart(
        "TLS handshakes",
        "Done, by whether they were resumed, and failed, by reason. certificate_refused: clients do not trust it.",
        Query(rate("streamgate_tls_handshakes_total", "kind"), "{{kind}}"),
        Query(rate("streamgate_tls_handshake_failures_total", "reason"), "failed: {{reason}}"),
        unit="reqps",
    ),
    chart(
        "Certificate valid for",
        "Nodes with TLS of their own. Alarm below 14 days, and below 2.",
        Query(f"streamgate_tls_not_after{{{NODES}}} - time()"),
        unit="s",
        line_at=14 * 86400,
    ),
    chart(
        "Request bodies",
        "Memory of bodies that arrive in several frames; http.bodies_max_bytes bounds it.",
        Query(f"streamgate_http_body_bytes{{{NODES}}}"),
        unit="bytes",
    ),
    chart(
        "Running for",
        "Since the start of the process. A saw is a restart loop.",
        Query(f"time() - process_start_time_seconds{{{NODES}}}"),
        unit="s",
    ),
    stat(
        "Log lines dropped",
        "In the time shown: the log has gaps.",
        growth("streamgate_log_lines_dropped_total"),
        width=4,
        steps=bad_from(1, AMBER),
    ),
    stat(
        "Exports dropped",
        "Spans of traces and error reports that were not sent, in the time shown.",
        f"({growth('streamgate_spans_dropped_total')}) + ({growth('streamgate_error_reports_dropped_total')})",
        width=4,
        steps=bad_from(1, AMBER),
    ),
    stat("Faults", "Panics, in the time shown.", growth("streamgate_panics_total"), width=4, steps=bad_from(1)),
    stat(
        "Settings",
        "Whether a node has refused the settings that it read last.",
        f"max(streamgate_settings_refused{{{NODES}}})",
        width=4,
        steps=bad_from(1),
        words={"0": "taken", "1": "REFUSED"},
    ),
    stat(
        "Tokens refused",
        "Viewer tokens that were not accepted, in the time shown; the metric has the reasons.",
        growth("streamgate_tokens_refused_total"),
        width=4,
    ),
    stat(
        "Credentials guessed",
        "Requests that were refused because their address failed to authenticate too often, in the time shown.",
        growth("streamgate_failed_auth_limited_total"),
        width=4,
        steps=bad_from(1, AMBER),
    ),
    stat(
        "Issuer keys",
        "Age of the oldest keys of an issuer of tokens; -1 s while there are none. They are used for a day.",
        f"max(streamgate_issuer_keys_age_seconds{{{NODES}}})",
        unit="s",
        width=4,
        steps=bad_from(14_400, AMBER),
    ),
    stat(
        "Issuer fetches failed",
        "Fetches of the keys of issuers that failed, in the time shown.",
        growth("streamgate_issuer_fetch_failures_total"),
        width=4,
        steps=bad_from(1, AMBER),
    ),
    stat(
        "Stalls",
        "Times that a process stood still, in the time shown.",
        growth("streamgate_stalls_total"),
        width=4,
        steps=bad_from(1, AMBER),
    ),
    stat(
        "Clock steps",
        "Times that a wall clock was set, in the time shown.",
        growth("streamgate_clock_steps_total"),
        steps=bad_from(1, AMBER),
    ),
]

ROWS: list[tuple[str, list[Panel]]] = [
    ("Is it up?", UP),
    ("Are viewers admitted?", ADMITTED),
    ("Who is refused?", REFUSED),
    ("How long does it take?", LATENCY),
    ("What is told at once?", PUSH),
    ("How is the store?", STORE),
    ("How are the nodes?", NODE),
]


def panel_json(number: int, panel: Panel, x: int, y: int) -> dict[str, Any]:
    """A panel as Grafana stores it."""
    is_instant = panel.kind != "timeseries"
    targets = [
        {
            "refId": chr(ord("A") + place),
            "datasource": DATASOURCE,
            "expr": query.expr,
            "legendFormat": query.legend,
            "instant": is_instant,
            "range": not is_instant,
            **({"format": "table"} if panel.kind == "table" else {}),
        }
        for place, query in enumerate(panel.queries)
    ]
    steps: list[tuple[float | None, str]] = panel.steps
    custom: dict[str, Any] = {}
    if panel.kind == "timeseries":
        custom = {
            "fillOpacity": 30 if panel.stacked else 0,
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "line" if panel.line_at is not None else "off"},
            "showPoints": "never",
        }
        if panel.line_at is not None:
            steps = [(None, GREEN), (panel.line_at, RED)]
    defaults = {
        "unit": panel.unit,
        **({} if panel.is_signed else {"min": 0}),
        "custom": custom,
        "thresholds": {
            "mode": "absolute",
            "steps": [{"value": value, "color": colour} for value, colour in steps],
        },
        "mappings": [
            {"type": "value", "options": {value: {"text": text, "index": place}}}
            for place, (value, text) in enumerate(panel.words.items())
        ],
    }
    options: dict[str, Any] = {
        "stat": {"colorMode": "background", "graphMode": "none", "reduceOptions": {"calcs": ["lastNotNull"]}},
        "table": {"showHeader": True},
        "timeseries": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    }[panel.kind]
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": DATASOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height},
        "targets": targets,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        **({"transformations": [table_columns()]} if panel.kind == "table" else {}),
    }


def table_columns() -> dict[str, Any]:
    """Hides the time of a table; its labels say all."""
    return {"id": "organize", "options": {"excludeByName": {"Time": True}}}


def panels_json() -> list[dict[str, Any]]:
    """All panels, in rows from left to right."""
    panels: list[dict[str, Any]] = []
    y = 0
    for title, row in ROWS:
        panels.append(
            {
                "id": len(panels) + 1,
                "type": "row",
                "title": title,
                "collapsed": False,
                "panels": [],
                "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1},
            }
        )
        y += 1
        x = height = 0
        for panel in row:
            if x + panel.width > WIDTH:
                x, y, height = 0, y + height, 0
            panels.append(panel_json(len(panels) + 1, panel, x, y))
            x += panel.width
            height = max(height, panel.height)
        y += height
    return panels


def variables() -> list[dict[str, Any]]:
    """What the reader selects: the data source, the job, the nodes."""

    def of_label(name: str, label: str, selector: str, **rest: Any) -> dict[str, Any]:
        query = f"label_values(streamgate_build_info{selector}, {label})"
        return {
            "name": name,
            "label": name.capitalize(),
            "type": "query",
            "datasource": DATASOURCE,
            "definition": query,
            "query": {"query": query, "refId": f"variable-{name}"},
            "refresh": 2,
            "sort": 1,
            **rest,
        }

    return [
        {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"},
        of_label("job", "job", ""),
        of_label(
            "instance",
            "instance",
            f"{{{JOB}}}",
            multi=True,
            includeAll=True,
            allValue=".*",
            current={"text": "All", "value": "$__all"},
        ),
    ]


def dashboard() -> str:
    """The dashboard as JSON, with a line break at its end."""
    content = {
        "uid": "streamgate",
        "title": "Streamgate",
        "description": "Made by deploy/monitoring/grafana/generate.py. It needs the rules of deploy/monitoring.",
        "tags": ["streamgate"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": variables()},
        "annotations": {
            "list": [
                {
                    "name": "Starts of nodes",
                    "datasource": DATASOURCE,
                    "enable": True,
                    "expr": f"changes(process_start_time_seconds{{{NODES}}}[$__rate_interval]) > 0",
                    "iconColor": AMBER,
                    "titleFormat": "{{instance}} has started",
                }
            ]
        },
        "panels": panels_json(),
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Writes the file, or compares it."""
    made = dashboard()
    if sys.argv[1:] == ["--check"]:
        if FILE.read_text() == made:
            return 0
        print(f"{FILE} differs from what {Path(__file__).name} makes: run it", file=sys.stderr)
        return 1
    if sys.argv[1:]:
        print(__doc__, file=sys.stderr)
        return 2
    FILE.write_text(made)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
