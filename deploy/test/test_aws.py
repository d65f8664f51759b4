"""The templates of AWS, checked without AWS; and the function as it is packaged, against stand-ins."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from conftest import DEPLOY, call, run

LAMBDA = DEPLOY / "aws/lambda/template.yaml"
ECS = DEPLOY / "aws/ecs/template.yaml"
TEMPLATES = [LAMBDA, ECS]

# Values of parameters that have no default.
EXAMPLES = {
    "KeysSecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:keys-AbCdEf",
    "Image": "ghcr.io/example/streamgate@sha256:" + "0" * 64,
}
KEYS = '[{ name = "backend", scope = "admin", sha256 = "' + "0" * 64 + '" }]'


class Loader(yaml.SafeLoader):
    """Reads a template; `!Sub x` becomes `{"Sub": "x"}`."""


def short_form(loader: yaml.Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    """The value of a tag such as `!Ref`."""
    if isinstance(node, yaml.ScalarNode):
        return {suffix: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {suffix: loader.construct_sequence(node, deep=True)}
    return {suffix: loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", short_form)


def load(path: Path) -> dict[str, Any]:
    """A template as plain values."""
    return yaml.load(path.read_text(), Loader)


def test_the_templates_pass_cfn_lint_without_a_warning_and_faults_fail(tmp_path: Path) -> None:
    checked = run("cfn-lint", *TEMPLATES)
    assert (checked.returncode, checked.stdout) == (0, ""), checked.stdout
    for template, good, fault in (
        (LAMBDA, "KeyType: HASH", "KeyType: HASHED"),
        (ECS, "!GetAtt Table.Arn", "!GetAtt Tables.Arn"),
    ):
        text = template.read_text()
        assert good in text
        spoiled = tmp_path / "template.yaml"
        spoiled.write_text(text.replace(good, fault, 1))
        found = run("cfn-lint", spoiled)
        assert found.returncode != 0 and fault.split()[-1].split(".")[0] in found.stdout, found.stdout


def dynamodb(url: str, operation: str, **body: Any) -> dict[str, Any]:
    """Calls the emulator of DynamoDB, which checks no signature."""
    headers = {
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": f"DynamoDB_20120810.{operation}",
        "authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/dynamodb/aws4_request, "
        "SignedHeaders=host, Signature=0",
        "x-amz-date": "20260101T000000Z",
    }
    answer = call(url.removeprefix("http://"), "POST", "/", body, headers)
    assert answer.status == 200, answer.body
    return answer.json()


def test_the_tables_of_the_templates_are_the_one_that_the_command_makes(
    cold_start: ModuleType, streamgate: Path
) -> None:
    with cold_start.table(streamgate) as url:
        made = dynamodb(url, "DescribeTable", TableName="sessions")["Table"]
        time_to_live = dynamodb(url, "DescribeTimeToLive", TableName="sessions")["TimeToLiveDescription"]
    for template in TEMPLATES:
        table = load(template)["Resources"]["Table"]
        assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"
        properties = table["Properties"]
        assert properties["KeySchema"] == made["KeySchema"]
        assert properties["AttributeDefinitions"] == made["AttributeDefinitions"]
        assert properties["BillingMode"] == made["BillingModeSummary"]["BillingMode"]
        expected = {"AttributeName": time_to_live["AttributeName"], "Enabled": True}
        assert properties["TimeToLiveSpecification"] == expected
        assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def resolved(value: Any, template: dict[str, Any]) -> str | None:
    """The text of a value, with the defaults and examples of parameters; `None` for no value."""
    if not isinstance(value, dict):
        return str(value)
    ((name, of),) = value.items()
    if name == "If":
        return resolved(of[1], template)
    if name == "Ref":
        if of == "AWS::NoValue":
            return None
        parameter = template["Parameters"][of]
        return EXAMPLES.get(of) or str(parameter.get("Default"))
    assert name == "Sub", value
    if "resolve:secretsmanager" in of:
        return KEYS
    return re.sub(r"\$\{[^}]*\}", "sessions", of)


def settings(path: Path) -> dict[str, str]:
    """The variables that a template gives to the program."""
    template = load(path)
    if path == LAMBDA:
        given = template["Resources"]["Function"]["Properties"]["Environment"]["Variables"]
    else:
        (container,) = template["Resources"]["TaskDefinition"]["Properties"]["ContainerDefinitions"]
        given = {variable["Name"]: variable["Value"] for variable in container["Environment"]}
        given |= {secret["Name"]: {"Sub": "{{resolve:secretsmanager}}"} for secret in container["Secrets"]}
    texts = {name: resolved(value, template) for name, value in given.items()}
    return {name: text for name, text in texts.items() if text is not None}


def check(streamgate: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs `streamgate config check` with these variables and no others."""
    return run(streamgate, "config", "check", env={"PATH": os.environ["PATH"], **variables})


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.parent.name)
def test_the_settings_of_a_template_are_settings_of_the_program(template: Path, streamgate: Path) -> None:
    variables = settings(template)
    assert {"STREAMGATE_STORE_URL", "STREAMGATE_KEYS", "STREAMGATE_LOG_FORMAT"} <= set(variables)
    checked = check(streamgate, variables)
    assert checked.returncode == 0, checked.stderr
    for fault in ({"STREAMGATE_POLICY_LEASE": "90"}, {"STREAMGATE_POLICY_LEASE_S": "soon"}):
        assert check(streamgate, {**variables, **fault}).returncode == 1, fault


def statements(path: Path) -> list[dict[str, Any]]:
    """The statements of all policies of a template."""
    found = []
    for resource in load(path)["Resources"].values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::IAM::Role":
            for policy in properties["Policies"]:
                found += policy["PolicyDocument"]["Statement"]
        elif resource["Type"] == "AWS::IAM::RolePolicy":
            found += properties["PolicyDocument"]["Statement"]
    return found


def test_both_templates_permit_the_same_on_the_table_and_nothing_on_everything() -> None:
    on_table = []
    for template in TEMPLATES:
        for statement in statements(template):
            actions = statement["Action"]
            actions = [actions] if isinstance(actions, str) else actions
            assert not [action for action in actions if "*" in action], statement
            # The one action of AWS here that takes no resource.
            assert statement["Resource"] != "*" or actions == ["ecr:GetAuthorizationToken"], statement
            if statement["Resource"] == {"GetAtt": "Table.Arn"}:
                on_table.append(actions)
    assert len(on_table) == 2 and on_table[0] == on_table[1] == sorted(on_table[0])


def test_the_times_of_the_load_balancer_fit_those_of_the_program() -> None:
    resources = load(ECS)["Resources"]
    (container,) = resources["TaskDefinition"]["Properties"]["ContainerDefinitions"]
    variables = {variable["Name"]: variable["Value"] for variable in container["Environment"]}
    seconds = {
        name: int(variables[f"STREAMGATE_HTTP_{name}_S"]) for name in ("HEADER_TIMEOUT", "DRAIN", "SHUTDOWN_GRACE")
    }
    balancer = {a["Key"]: a["Value"] for a in resources["LoadBalancer"]["Properties"]["LoadBalancerAttributes"]}
    target = resources["TargetGroup"]["Properties"]
    assert target["HealthCheckPath"] == "/readyz"
    # The load balancer closes an idle connection first.
    assert int(balancer["idle_timeout.timeout_seconds"]) < seconds["HEADER_TIMEOUT"]
    # It notices that a task is draining before that ends.
    noticed = (
        target["HealthCheckIntervalSeconds"] * target["UnhealthyThresholdCount"] + target["HealthCheckTimeoutSeconds"]
    )
    assert noticed < seconds["DRAIN"]
    # ECS kills no task that is still finishing.
    assert seconds["DRAIN"] + seconds["SHUTDOWN_GRACE"] < container["StopTimeout"] <= 120
    # A call that is under way may take the deadline of the store.
    attributes = {a["Key"]: a["Value"] for a in target["TargetGroupAttributes"]}
    assert int(attributes["deregistration_delay.timeout_seconds"]) > 5


def test_every_alarm_goes_to_the_topic_and_the_metrics_of_the_function_are_those_that_it_writes() -> None:
    for template in TEMPLATES:
        alarms = [
            r["Properties"] for r in load(template)["Resources"].values() if r["Type"] == "AWS::CloudWatch::Alarm"
        ]
        assert len(alarms) >= 6
        for alarm in alarms:
            assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "Alarms"}], alarm
            assert alarm["AlarmDescription"]
        own = {alarm["MetricName"] for alarm in alarms if alarm["Namespace"] == "Streamgate"}
        assert own == ({"Refusals", "ServerErrors"} if template == LAMBDA else set())


def test_the_dashboard_is_json_that_names_resources_of_the_template() -> None:
    template = load(ECS)
    body = template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Sub"]
    named = {name.split(".")[0] for name in re.findall(r"\$\{([^}]*)\}", body)}
    assert named <= {*template["Resources"], "AWS::Region"}
    assert len(json.loads(body)["widgets"]) == 5


@pytest.fixture(scope="session")
def cold_start() -> ModuleType:
    """The script that measures the cold start, with its stand-ins."""
    path = DEPLOY / "aws/lambda/cold_start.py"
    spec = importlib.util.spec_from_file_location("cold_start", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_program_starts_as_bootstrap_and_needs_no_newer_libc_than_amazon_linux_2023(
    cold_start: ModuleType, streamgate: Path, tmp_path: Path
) -> None:
    bootstrap = tmp_path / "bootstrap"
    shutil.copy(streamgate, bootstrap)
    with cold_start.table(streamgate) as url:
        starts = [cold_start.cold_start(bootstrap, url, "u") for _ in range(2)]
    # The same session twice: the second instance finds what the first one wrote.
    assert [start.answer["statusCode"] for start in starts] == [201, 200]
    assert all(0 < start.ready_s < start.answered_s for start in starts)
    symbols = run("objdump", "--dynamic-syms", streamgate)
    assert symbols.returncode == 0, symbols.stderr
    versions = {tuple(map(int, found.split("."))) for found in re.findall(r"GLIBC_([0-9.]+)", symbols.stdout)}
    assert versions and max(versions) <= (2, 34), max(versions)
