"""deploy/monitoring: rules, routes and dashboard, by their own tools and against the real service.

test_monitoring_end_to_end.py runs them in the real Prometheus and Alertmanager.
"""

from __future__ import annotations

import hashlib
import json
import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from conftest import DEPLOY, REPOSITORY, Processes, call, certificate, run, unused_port, wait_for

MONITORING = DEPLOY / "monitoring"
RULES = MONITORING / "prometheus/rules.yml"
RULES_TEST = MONITORING / "prometheus/rules_test.yml"
ROUTES = MONITORING / "alertmanager/alertmanager.yml"
DASHBOARD = MONITORING / "grafana/streamgate.json"
GENERATOR = MONITORING / "grafana/generate.py"
RUNBOOK = REPOSITORY / "docs/operations/runbook.md"

KEY = "a-key-of-players"

# An issuer of tokens has metrics as soon as it is named; nobody listens at this address.
ISSUER = f"""\
[[keys]]
name = "players"
sha256 = "{hashlib.sha256(KEY.encode()).hexdigest()}"
scope = "player"

[[issuers]]
name = "login"
issuer = "https://login.example.com/"
audience = "streams"
jwks_url = "https://127.0.0.1:1/jwks.json"
"""

# Metrics that Prometheus makes itself.
OF_PROMETHEUS = {"up", "ALERTS"}

# Metrics that no panel and no rule shows, with the reason.
NOT_SHOWN: dict[str, str] = {}

# Labels that Prometheus adds to what it scrapes, or that belong to a histogram or an alert.
OF_SCRAPE = {"job", "instance", "le", "alertname", "alertstate", "severity"}


def changed(file: Path, directory: Path, old: str, new: str) -> Path:
    """A copy of a file in which `old`, which occurs in it, is `new`."""
    text = file.read_text()
    assert old in text, f"{file} has no {old!r}"
    copy = directory / file.name
    copy.write_text(text.replace(old, new))
    return copy


def rules() -> list[dict[str, Any]]:
    """Every rule."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """Every rule that is an alert."""
    return [rule for rule in rules() if "alert" in rule]


# --- Rules ------------------------------------------------------------------------------------------------------------


def test_the_rules_are_valid_and_a_fault_is_found(tmp_path: Path) -> None:
    checked = run("promtool", "check", "rules", "--lint=all", "--lint-fatal", RULES)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    fault = changed(RULES, tmp_path, "absent(up", "absent((up")
    assert run("promtool", "check", "rules", fault).returncode == 1
    fault = changed(RULES, tmp_path, "      - alert: StreamgateNoNodeUp\n", "      - alerts: StreamgateNoNodeUp\n")
    assert run("promtool", "check", "rules", fault).returncode == 1


def test_each_alert_fires_when_it_should_and_a_wrong_bound_is_found(tmp_path: Path) -> None:
    tested = run("promtool", "test", "rules", RULES_TEST)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    # A bound that is too low fires in the first test, the quiet one; one that is too high not where it should.
    tests = yaml.safe_load(RULES_TEST.read_text())
    [too_high] = [test for test in tests["tests"] if "ten users" in test["name"]]
    for bound, test in ((">= 9", tests["tests"][0]), (">= 11", too_high)):
        changed(RULES, tmp_path, ">= 10", bound)
        (tmp_path / RULES_TEST.name).write_text(yaml.safe_dump({**tests, "tests": [test]}))
        tested = run("promtool", "test", "rules", RULES_TEST.name, cwd=tmp_path)
        assert tested.returncode == 1 and "StreamgateFailsForTenUsers" in tested.stdout + tested.stderr


def test_every_alert_is_made_to_fire_by_the_unit_tests() -> None:
    expected = set()
    for test in yaml.safe_load(RULES_TEST.read_text())["tests"]:
        for sample in [sample for one in test["promql_expr_test"] for sample in one["exp_samples"]]:
            expected |= set(re.findall(r'alertname="(\w+)"', sample["labels"]))
    assert expected == {alert["alert"] for alert in alerts()}


def test_every_alert_says_what_it_means_and_where_to_read_on() -> None:
    headings = {
        heading.lower() for heading in re.findall(r"^## (Streamgate\w+)$", RUNBOOK.read_text(), flags=re.MULTILINE)
    }
    named = set()
    for alert in alerts():
        assert alert["labels"]["severity"] in {"critical", "warning"}, alert
        assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}, alert
        file, anchor = alert["annotations"]["runbook_url"].split("#")
        assert REPOSITORY / file == RUNBOOK
        assert anchor == alert["alert"].lower()
        named.add(anchor)
    assert named == headings, "the runbook has a heading for each alert, and no others"


# --- Routes -----------------------------------------------------------------------------------------------------------


def for_old_alertmanager(text: str) -> str:
    """The routes as Alertmanager 0.25 takes them, which cannot read a bot token from a file."""
    assert text.count("bot_token_file: /etc/alertmanager/secrets/telegram-bot-token") == 1
    return text.replace("bot_token_file: /etc/alertmanager/secrets/telegram-bot-token", 'bot_token: "123:test"')


def test_the_routes_are_valid_and_a_fault_is_found(tmp_path: Path) -> None:
    routes = tmp_path / "alertmanager.yml"
    routes.write_text(for_old_alertmanager(ROUTES.read_text()))
    checked = run("amtool", "check-config", routes)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    fault = changed(routes, tmp_path, "receiver: mail-and-telegram", "receiver: nobody")
    assert run("amtool", "check-config", fault).returncode != 0


@pytest.mark.parametrize(
    ("severity", "receiver"), [("critical", "mail-and-telegram"), ("warning", "mail"), ("", "mail")]
)
def test_an_alert_goes_to_the_receivers_of_its_severity(tmp_path: Path, severity: str, receiver: str) -> None:
    routes = tmp_path / "alertmanager.yml"
    routes.write_text(for_old_alertmanager(ROUTES.read_text()))
    labels = ["alertname=StreamgateNodeDown", f"severity={severity}"]
    routed = run("amtool", "config", "routes", "test", f"--config.file={routes}", *labels)
    assert routed.stdout.strip() == receiver, routed.stdout + routed.stderr


def test_no_secret_and_no_real_address_is_in_the_routes() -> None:
    text = ROUTES.read_text()
    assert not re.search(r"^\s*(smtp_auth_password|bot_token|auth_password):", text, flags=re.MULTILINE)
    assert set(re.findall(r"[\w.-]+@([\w.]+)", text)) == {"example.com"}


def test_an_alert_that_silences_others_exists() -> None:
    names = {alert["alert"] for alert in alerts()}
    for rule in yaml.safe_load(ROUTES.read_text())["inhibit_rules"]:
        for matcher in rule["source_matchers"] + rule["target_matchers"]:
            for name in re.findall(r"Streamgate\w+", matcher.replace('"', "")):
                assert name in names, name


# --- Dashboard --------------------------------------------------------------------------------------------------------


def panels() -> list[dict[str, Any]]:
    """Every panel, rows left out."""
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]


def dashboard_expressions() -> list[str]:
    """Every expression of the dashboard, with Grafana's variables replaced."""
    dashboard = json.loads(DASHBOARD.read_text())
    expressions = [target["expr"] for panel in panels() for target in panel["targets"]]
    expressions += [note["expr"] for note in dashboard["annotations"]["list"]]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            # label_values(SELECTOR, LABEL) is Grafana's.
            expressions += re.findall(r"^label_values\((.*), \w+\)$", variable["definition"])
    return [
        re.sub(r"\$(job|instance)", "x", expression.replace("$__rate_interval", "5m").replace("$__range", "1h"))
        for expression in expressions
    ]


def selectors(expression: str) -> Iterator[tuple[str, dict[str, str], set[str]]]:
    """Each selector of an expression: metric, equality matchers, and the labels that it or an aggregation names."""
    pending = [promql_parser.parse(expression)]
    found = []
    named: set[str] = set()
    while pending:
        node = pending.pop()
        modifier = getattr(node, "modifier", None)
        labels = getattr(modifier, "labels", None)
        if labels is None and modifier is not None:
            labels = getattr(getattr(modifier, "matching", None), "labels", None)
        named |= set(labels or [])
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        children = [getattr(node, name, None) for name in ("expr", "lhs", "rhs", "param", "vector_selector")]
        args = getattr(node, "args", None)
        children += list(args) if args is not None else []
        pending += [child for child in children if isinstance(child, promql_parser.Expr)]
    for node in found:
        matchers = node.matchers.matchers
        equal = {one.name: one.value for one in matchers if one.op == promql_parser.MatchOp.Equal}
        yield node.name, equal, named | {one.name for one in matchers}


def recorded() -> dict[str, str]:
    """The recording rules: name and expression."""
    return {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}


@pytest.fixture(scope="module")
def page(streamgate: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, str]]]:
    """Every metric on the page of a node with all that has metrics: the embedded store, TLS, an issuer of tokens."""
    directory = tmp_path_factory.mktemp("page")
    running = Processes(directory)
    try:
        address = f"127.0.0.1:{unused_port()}"
        certificate(directory)
        files = [f"tls.cert_file={directory / 'tls.crt'}", f"tls.key_file={directory / 'tls.key'}"]
        (directory / "issuers.toml").write_text(ISSUER)
        command = ["serve", "--listen", address, "--data-dir", directory / "data", "--set", files[0], "--set", files[1]]
        command += ["--config", directory / "issuers.toml"]
        running.start("streamgate", streamgate, *command)
        tls = ssl.create_default_context(cafile=str(directory / "ca.crt"))
        tls.check_hostname = False
        wait_for("it is ready", lambda: call(address, "GET", "/readyz", tls=tls).status == 200)
        key = {"x-api-key": KEY}
        assert call(address, "PUT", "/v1/users/u/sessions/s", tls=tls, headers=key).status == 201
        text = call(address, "GET", "/metrics", tls=tls).body.decode()
    finally:
        running.end_all()
    series: dict[str, list[dict[str, str]]] = {}
    for line in text.splitlines():
        if found := re.match(r"([a-z_]+)(?:\{(.*)\})? ", line):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', found[2] or ""))
            series.setdefault(found[1], []).append(labels)
    return series


def test_the_dashboard_is_what_its_generator_makes(tmp_path: Path) -> None:
    made = run("python3", GENERATOR, "--check")
    assert made.returncode == 0, made.stderr
    changed(DASHBOARD, tmp_path, '"title": "Streamgate"', '"title": "Other"')
    copy = tmp_path / GENERATOR.name
    copy.write_text(GENERATOR.read_text())
    assert run("python3", copy, "--check").returncode == 1


def test_panels_have_texts_a_data_source_and_a_place_of_their_own() -> None:
    taken: set[tuple[int, int]] = set()
    numbers = set()
    everything = json.loads(DASHBOARD.read_text())["panels"]
    for panel in everything:
        numbers.add(panel["id"])
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
    assert len(numbers) == len(everything) > 60
    for panel in panels():
        assert panel["title"] and panel["description"].endswith("."), panel["title"]
        for target in panel["targets"]:
            assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_every_expression_parses_and_a_slip_does_not() -> None:
    expressions = dashboard_expressions() + [rule["expr"] for rule in rules()]
    assert len(expressions) > 70
    for expression in expressions:
        assert "$" not in expression, expression
        promql_parser.parse(expression)
    with pytest.raises(ValueError):
        promql_parser.parse("sum(rate(streamgate_starts_total[5m])")


def unknown(expression: str, page: dict[str, list[dict[str, str]]]) -> list[str]:
    """What an expression names that the page does not have: metrics, labels, values of labels."""
    problems = []
    for metric, equal, labels in selectors(expression):
        if metric in OF_PROMETHEUS or metric in recorded():
            continue
        if metric not in page:
            problems.append(f"no metric {metric}")
            continue
        known = {label for series in page[metric] for label in series} | OF_SCRAPE
        problems += [f"{metric} has no label {label}" for label in labels if label not in known]
        for label, value in equal.items():
            values = {series.get(label) for series in page[metric]}
            if label not in OF_SCRAPE | {"route"} and value not in values:
                problems.append(f"{metric} has no {label} {value!r}")
    return problems


def test_every_metric_label_and_value_that_is_named_exists(page: dict[str, list[dict[str, str]]]) -> None:
    for expression in dashboard_expressions() + [rule["expr"] for rule in rules()]:
        assert unknown(expression, page) == [], expression
    slips = 'sum by (reslt) (streamgate_starts_total{result="refusd"}) / streamgate_start'
    assert sorted(unknown(slips, page)) == [
        "no metric streamgate_start",
        "streamgate_starts_total has no label reslt",
        "streamgate_starts_total has no result 'refusd'",
    ]


def test_every_metric_is_in_a_panel_or_a_rule(page: dict[str, list[dict[str, str]]]) -> None:
    expressions = dashboard_expressions() + [rule["expr"] for rule in rules()]
    shown = {metric for expression in expressions for metric, _, _ in selectors(expression)}
    families = {re.sub("_(bucket|sum|count)$", "", metric) for metric in page}
    families_shown = {re.sub("_(bucket|sum|count)$", "", metric) for metric in shown}
    assert families - families_shown == set(NOT_SHOWN)
    assert "streamgate_failed_users" in families and len(families) > 30


def test_every_recording_rule_is_used() -> None:
    expressions = dashboard_expressions() + [rule["expr"] for rule in alerts()]
    used = {metric for expression in expressions for metric, _, _ in selectors(expression)}
    assert set(recorded()) <= used


def test_every_metric_of_the_page_is_documented(page: dict[str, list[dict[str, str]]]) -> None:
    documented = set(re.findall(r"^\| `(\w+)` \|", (REPOSITORY / "docs/metrics.md").read_text(), flags=re.MULTILINE))
    assert {re.sub("_(bucket|sum|count)$", "", metric) for metric in page} == documented


def test_every_metric_that_the_documents_name_exists(page: dict[str, list[dict[str, str]]]) -> None:
    for file in (RUNBOOK, MONITORING / "README.md"):
        named = set(re.findall(r"`(streamgate_\w+)", file.read_text()))
        assert named and named <= set(page), f"{file}: {named - set(page)}"
