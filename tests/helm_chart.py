"""Renders the Helm chart from deploy/kubernetes: `python -m tests.helm_chart` writes deploy/helm/ttsq.

What a user may choose becomes a value; its default is what the plain YAML has, so that both say the same.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
SOURCE: Final = ROOT / "deploy/kubernetes"
CHART: Final = ROOT / "deploy/helm/ttsq"

_NAMES: Final = re.compile(
    r"((?:^|[{ ])(?:name|serviceName|serviceAccountName|app\.kubernetes\.io/instance): )ttsq(?=[-}\s,]|$)",
    re.MULTILINE,
)
"""Names of objects, and references to them, begin with the release's name."""

VALUES: Final = """# Rendered by `python -m tests.helm_chart` from deploy/kubernetes, whose values are these.
image: ttsq:{version}
# Settings that are no secrets; docs/settings.md has all.
settings:
  TTSQ_ARTIFACTS_URL: "s3://ttsq"
  TTSQ_CONCURRENCY: "50"
  AWS_REGION: "us-east-1"
# Names of secrets that exist already; the chart makes none. See docs/deployment.md for their keys.
secrets:
  application: ttsq
  migration: ttsq-migrate
  autoscaler: ttsq-keda
worker:
  replicas: 2
  spool: 5Gi
  memory: 1Gi
gateway:
  replicas: 2
  memory: 1Gi
networkPolicy:
  enabled: true
# Needs KEDA in the cluster.
keda:
  enabled: false
  minimum: 1
  maximum: 10
  slotsPerWorker: "50"
"""
_SETTINGS: Final = re.compile(r"^data:\n(?:  .+\n)+", re.MULTILINE)
_RANGE: Final = """data:
{{- range $name, $value := .Values.settings }}
  {{ $name }}: {{ $value | quote }}
{{- end }}
"""
_HOOK: Final = """  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-delete-policy: before-hook-creation
"""
Changes = tuple[tuple[str, str], ...]
_IMAGE: Final = (r"image: ttsq:\S+", "image: {{ .Values.image }}")
_SECRET: Final = (r"secretName: ttsq(?=[,}\n])", "secretName: {{ .Values.secrets.application }}")
CHANGES: Final[dict[str, Changes]] = {
    "base/settings.yaml": (),
    "base/worker.yaml": (
        _IMAGE,
        _SECRET,
        (r"replicas: 2", "replicas: {{ .Values.worker.replicas }}"),
        (r"storage: 5Gi", "storage: {{ .Values.worker.spool }}"),
        (r"limits: \{memory: 1Gi\}", "limits: {memory: {{ .Values.worker.memory }}}"),
    ),
    "base/gateway.yaml": (
        _IMAGE,
        _SECRET,
        (r"replicas: 2", "replicas: {{ .Values.gateway.replicas }}"),
        (r"limits: \{memory: 1Gi\}", "limits: {memory: {{ .Values.gateway.memory }}}"),
    ),
    "base/disruption.yaml": (),
    "base/network.yaml": (),
    "migrate/job.yaml": (
        _IMAGE,
        (r"secretName: ttsq-migrate", "secretName: {{ .Values.secrets.migration }}"),
        (r"(component: migrate\}\n)(spec:)", r"\1" + _HOOK + r"\2"),
    ),
    "keda/scaling.yaml": (
        (r"name: ttsq-keda", "name: {{ .Values.secrets.autoscaler }}"),
        (r"minReplicaCount: 1\b", "minReplicaCount: {{ .Values.keda.minimum }}"),
        (r"maxReplicaCount: 10", "maxReplicaCount: {{ .Values.keda.maximum }}"),
        (r'targetQueryValue: "50"', "targetQueryValue: {{ .Values.keda.slotsPerWorker | quote }}"),
    ),
}
"""By file: patterns, each of which must occur, and their replacements."""
CONDITIONS: Final = {"base/network.yaml": ".Values.networkPolicy.enabled", "keda/scaling.yaml": ".Values.keda.enabled"}


def version() -> str:
    found: str = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return found


def chart() -> dict[str, str]:
    """Every file of the chart by its path in it."""
    about = f"""apiVersion: v2
name: ttsq
description: A job queue for Segmind's text-to-speech API
type: application
version: {version()}
appVersion: {version()}
"""
    templates = {f"templates/{Path(name).name}": template(name) for name in CHANGES}
    return {"Chart.yaml": about, "values.yaml": VALUES.format(version=version()), **templates}


def template(name: str) -> str:
    text = (SOURCE / name).read_text(encoding="utf-8")
    for pattern, replacement in CHANGES[name]:
        text, count = re.subn(pattern, replacement, text)
        if not count:
            raise ValueError(f"{name} has no {pattern}: change CHANGES in {__name__} with it")
    text = _NAMES.sub(r"\1{{ .Release.Name }}", text)
    if name == "base/settings.yaml":
        text = _SETTINGS.sub(lambda _: _RANGE, text)
    condition = CONDITIONS.get(name)
    return text if condition is None else f"{{{{- if {condition} }}}}\n{text}{{{{- end }}}}\n"


def main() -> None:
    for name, text in chart().items():
        (CHART / name).parent.mkdir(parents=True, exist_ok=True)
        (CHART / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
