"""Renders the chart, and reads what it is made of: shared by the tests of the chart and of the release."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import helm_python
import yaml
from conftest import DEPLOY

CHART = DEPLOY / "helm/streamgate"

# Values that exercise every branch of the chart, by the name of the case.
KEYS = {"existingSecret": "streamgate-keys"}
REDIS = {"store": {"type": "redis", "redis": {"existingSecret": "streamgate-store"}}, "keys": KEYS}
CASES: dict[str, dict[str, Any]] = {
    "redis": REDIS,
    "redis-everything": {
        "store": {
            "type": "redis",
            "redis": {
                "existingSecret": "streamgate-store",
                "urlKey": "sentinels",
                "sentinelPasswordKey": "sentinel-password",
                "tlsSecret": "streamgate-redis-tls",
                "tlsClientCertificate": True,
            },
        },
        "keys": {"existingSecret": "streamgate-keys", "fileKey": "keys.toml"},
        "settings": {
            "policy": {"default_limit": 2, "lease_s": 120, "at_limit": "evict_oldest"},
            "plans": {"premium": {"limit": 4}},
            "store": {"format": 2, "redis": {"wait_replicas": 1}},
            "cors": {"allowed_origins": ["https://a.example", "https://b.example"]},
            "compat": {"dialects": ["user-streams"], "user-streams": {"lease_s": 3600}},
            "metrics": {"require_key": True},
            "http": {"bodies_max_bytes": 4294967295},
        },
        "secretSettings": [
            {"setting": "rate_limit.per_user_per_s", "name": "streamgate-limits", "key": "per-user"},
        ],
        "autoscaling": {"enabled": True, "maxReplicas": 20},
        "ingress": {
            "enabled": True,
            "className": "traefik",
            "annotations": {"example.com/a": "b"},
            "hosts": [{"host": "streams.example", "paths": ["/v1", "/compat"]}, {"host": "other.example"}],
            "tls": [{"secretName": "streams-tls", "hosts": ["streams.example"]}],
        },
        "networkPolicy": {
            "enabled": True,
            "ingressFrom": [{"namespaceSelector": {"matchLabels": {"team": "edge"}}}],
            "storeTo": [{"ipBlock": {"cidr": "10.0.0.0/16"}}],
            "storePorts": [6379, 26379],
            "extraEgress": [{"ports": [{"port": 4318, "protocol": "TCP"}]}],
        },
        "serviceMonitor": {
            "enabled": True,
            "labels": {"release": "prometheus"},
            "credentials": {"name": "streamgate-admin", "key": "key"},
        },
        "prometheusRule": {
            "enabled": True,
            "labels": {"release": "prometheus"},
            "runbookPrefix": "https://git.example/streamgate/",
        },
        "image": {"digest": "sha256:" + "0" * 64, "pullSecrets": [{"name": "registry"}]},
        "service": {"type": "LoadBalancer", "port": 8080, "annotations": {"example.com/nlb": "true"}},
        "podDisruptionBudget": {"maxUnavailable": "25%"},
        "podAnnotations": {"example.com/a": "b"},
        "podLabels": {"team": "video"},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [{"key": "kubernetes.io/arch", "operator": "Exists"}]}]
                }
            }
        },
        "priorityClassName": "system-cluster-critical",
    },
    "dynamodb-role": {
        "store": {"type": "dynamodb", "dynamodb": {"table": "sessions", "region": "eu-west-1"}},
        "keys": KEYS,
        "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/streamgate"}},
        "networkPolicy": {"enabled": True},
        "settings": {"policy": {"heartbeat_write_interval_s": 60}},
    },
    "dynamodb-credentials": {
        "store": {"type": "dynamodb", "dynamodb": {"table": "sessions", "credentialsSecret": "aws"}},
        "keys": KEYS,
        "serviceAccount": {"create": False},
        "podDisruptionBudget": {"enabled": False},
        "topologySpread": [],
    },
    "embedded": {"store": {"type": "embedded"}, "replicas": 1, "keys": KEYS},
    "embedded-everything": {
        "store": {
            "type": "embedded",
            "embedded": {"size": "20Gi", "storageClass": "fast", "accessMode": "ReadWriteOncePod"},
        },
        "replicas": 1,
        "keys": KEYS,
        "settings": {"store": {"snapshot_max_log_bytes": 1073741824}},
        "networkPolicy": {"enabled": True},
        "serviceMonitor": {"enabled": True},
        "resources": {"limits": {"memory": "2Gi"}},
    },
    "tls": {
        **REDIS,
        "tls": {"existingSecret": "streamgate-tls"},
        "service": {"port": 443},
        "serviceMonitor": {
            "enabled": True,
            "tlsConfig": {
                "serverName": "streamgate.video.svc",
                "ca": {"secret": {"name": "streamgate-tls", "key": "ca.crt"}},
            },
        },
    },
    "anonymous-ipv6": {
        "store": {"type": "redis", "redis": {"existingSecret": "streamgate-store"}},
        "keys": {"allowAnonymous": True},
        "listenAddress": "::",
        "fullnameOverride": "limits",
        "resources": {},
    },
}


IMAGE = "registry.example/streamgate"


def render(values: dict[str, Any], name: str = "streamgate", chart: Path = CHART) -> list[dict[str, Any]]:
    """The objects that `helm template NAME` prints for these values, and an image."""
    with helm_python.Chart.load(str(chart)) as loaded:
        files = loaded.render(with_image(values), name=name, namespace="video")
    text = [body for path, body in files.items() if not path.endswith("NOTES.txt")]
    return [found for body in text for found in yaml.safe_load_all(body) if found]


def with_image(values: dict[str, Any]) -> dict[str, Any]:
    """The values, with the name of the image unless they have one."""
    return {**values, "image": {"repository": IMAGE, **values.get("image", {})}}


def notes(values: dict[str, Any]) -> str:
    """The text that `helm install` prints."""
    with helm_python.Chart.load(str(CHART)) as loaded:
        files = loaded.render(with_image(values), name="streamgate", namespace="video")
    return next(body for path, body in files.items() if path.endswith("NOTES.txt"))


def of_kind(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The objects of a kind."""
    return [found for found in objects if found["kind"] == kind]


def workload(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """The Deployment or the StatefulSet."""
    (found,) = of_kind(objects, "Deployment") + of_kind(objects, "StatefulSet")
    return found


def pod_spec(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """The spec of the pods of the workload."""
    spec: dict[str, Any] = workload(objects)["spec"]["template"]["spec"]
    return spec


def values_table() -> str:
    """The values as a Markdown table: each key, its default, and the comment above it in values.yaml."""
    rows: list[str] = []
    path: list[str] = []
    comment: list[str] = []
    lines = (CHART / "values.yaml").read_text().splitlines()
    defaults = yaml.safe_load("\n".join(lines))
    for line in lines:
        text = line.strip()
        depth = (len(line) - len(line.lstrip())) // 2
        if text.startswith("#"):
            comment.append(text.removeprefix("#").strip())
        elif text and not text.startswith("- ") and len(path) >= depth:
            path[depth:] = [text.split(":")[0]]
            if comment:
                value: Any = defaults
                for key in path:
                    value = value[key]
                rows.append(f"| `{'.'.join(path)}` | `{shown(value)}` | {' '.join(comment)} |")
            comment = []
        else:
            comment = []
    return "\n".join(["| value | default | |", "|---|---|---|", *rows])


def shown(value: Any) -> str:
    """A default as flow YAML, on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("...\n").strip()
    return text.replace("''", '""')
