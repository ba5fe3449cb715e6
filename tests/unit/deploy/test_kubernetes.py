"""The files for Kubernetes: plain YAML, and the Helm chart that is rendered from it.

Kustomize renders them here. No cluster runs them: the rules of the restricted profile, references between objects, and
settings are checked against the objects themselves.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests import helm_chart
from tests.helm_chart import CHANGES, CHART, SOURCE, VALUES, version
from tests.servers.kubectl import rendered
from worker import settings
from worker.settings import Settings

OBJECTS: Final[dict[tuple[str, str], dict[str, Any]]] = {
    (one["kind"], one["metadata"]["name"]): one
    for name in CHANGES
    for one in yaml.safe_load_all((SOURCE / name).read_text(encoding="utf-8"))
}
WORKLOADS: Final = {key: one for key, one in OBJECTS.items() if key[0] in {"StatefulSet", "Deployment", "Job"}}
GRACE_SECONDS: Final = 30
"""What a worker needs beyond the time of its calls: sign off and exit."""


def pod(one: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = one["spec"]["template"]["spec"]
    return found


def test_the_parts_are_there() -> None:
    """Workers, gateways and a migration; budgets and policies for both that stay."""
    assert set(WORKLOADS) == {("StatefulSet", "ttsq-worker"), ("Deployment", "ttsq-gateway"), ("Job", "ttsq-migrate")}
    for name in ("ttsq-worker", "ttsq-gateway"):
        for kind in ("PodDisruptionBudget", "NetworkPolicy", "Service"):
            assert (kind, name) in OBJECTS
    assert not [key for key in OBJECTS if key[0] == "Secret"], "secrets are the user's own"


@pytest.mark.parametrize("folder", ["base", "migrate", "keda"])
def test_kustomize_renders_each_folder(folder: str) -> None:
    """With every object of its files, in the namespace."""
    found = rendered(SOURCE / folder)
    files = [name for name in CHANGES if name.startswith(f"{folder}/")]
    wanted = sum(len(list(yaml.safe_load_all((SOURCE / name).read_text(encoding="utf-8")))) for name in files)
    assert len(found) == wanted
    assert {one["metadata"]["namespace"] for one in found} == {"ttsq"}


@pytest.mark.parametrize("key", WORKLOADS, ids=str)
def test_pods_fulfil_the_restricted_profile(key: tuple[str, str]) -> None:
    """No root, no privileges, a read-only system, and no access to the cluster."""
    found = pod(WORKLOADS[key])
    assert found["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(found)
    context = found["securityContext"]
    assert (context["runAsNonRoot"], context["seccompProfile"]) == (True, {"type": "RuntimeDefault"})
    assert {next(iter(set(volume) - {"name"})) for volume in found["volumes"]} <= {"emptyDir", "secret"}
    for container in found["containers"]:
        own = container["securityContext"]
        assert own["allowPrivilegeEscalation"] is False
        assert own["readOnlyRootFilesystem"] is True
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert not [port for port in container.get("ports", ()) if "hostPort" in port]
        assert {"requests", "limits"} <= set(container["resources"])


def variables(one: dict[str, Any]) -> Iterator[str]:
    for container in pod(one)["containers"]:
        yield from (entry["name"] for entry in container.get("env", ()))
        for source in container.get("envFrom", ()):
            yield from OBJECTS["ConfigMap", source["configMapRef"]["name"]]["data"]


@pytest.mark.parametrize("key", WORKLOADS, ids=str)
def test_settings_exist_and_secrets_are_files(key: tuple[str, str]) -> None:
    """A name that ttsq does not know would keep it from starting."""
    secrets = {"SEGMIND_API_KEY", "TTSQ_DATABASE_URL", "TTSQ_BROKER_URL"}
    for name in variables(WORKLOADS[key]):
        assert name in settings.names() or name.startswith("AWS_") or name == "CREDENTIALS_DIRECTORY", name
        assert name not in secrets


@pytest.mark.parametrize("key", WORKLOADS, ids=str)
def test_references_meet(key: tuple[str, str]) -> None:
    """Selectors their pods, mounts their volumes, probes their ports, workloads one image."""
    one, found = WORKLOADS[key], pod(WORKLOADS[key])
    labels = one["spec"]["template"]["metadata"]["labels"]
    if "selector" in one["spec"]:
        assert one["spec"]["selector"]["matchLabels"].items() <= labels.items()
    volumes = {volume["name"] for volume in found["volumes"]}
    volumes |= {claim["metadata"]["name"] for claim in one["spec"].get("volumeClaimTemplates", ())}
    for container in found["containers"]:
        assert container["image"] == f"ttsq:{version()}"
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes
        ports = {port["name"] for port in container.get("ports", ())}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            if probe in container:
                assert container[probe]["httpGet"]["port"] in ports
    for kind, place in (("Service", "selector"), ("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        if (kind, key[1]) in OBJECTS:
            selector = OBJECTS[kind, key[1]]["spec"][place]
            assert selector.get("matchLabels", selector).items() <= labels.items()


def test_a_worker_has_the_time_that_its_calls_need() -> None:
    """Calls in flight are being paid for."""
    found = pod(OBJECTS["StatefulSet", "ttsq-worker"])
    assert found["terminationGracePeriodSeconds"] >= Settings.model_fields["grace_seconds"].default + GRACE_SECONDS


def test_autoscaling_asks_for_the_slots_of_one_worker() -> None:
    (trigger,) = OBJECTS["ScaledObject", "ttsq-worker"]["spec"]["triggers"]
    assert trigger["metadata"]["targetQueryValue"] == OBJECTS["ConfigMap", "ttsq"]["data"]["TTSQ_CONCURRENCY"]
    assert trigger["metadata"]["query"] == "SELECT useful_slots FROM ttsq_scaling"


def test_the_chart_is_current() -> None:
    """After a change: `python -m tests.helm_chart`."""
    found = {str(path.relative_to(CHART)): path.read_text(encoding="utf-8") for path in CHART.rglob("*.*")}
    assert found == helm_chart.chart()


def templated(text: str, values: dict[str, Any], release: str) -> str:
    """What Helm makes of the few forms that the chart has."""

    def value(path: str) -> str:
        found: Any = {"Values": values, "Release": {"Name": release}}
        for part in path.strip(".").split("."):
            found = found[part]
        return str(found)

    def chosen(match: re.Match[str]) -> str:
        return match[2] if value(match[1]) == "True" else ""

    def settings_of(_: re.Match[str]) -> str:
        return "".join(f'  {name}: "{one}"\n' for name, one in values["settings"].items())

    text = re.sub(r"\A\{\{- if (\S+) \}\}\n(.*)\{\{- end \}\}\n\Z", chosen, text, flags=re.DOTALL)
    text = re.sub(r"^\{\{- range .*?\{\{- end \}\}\n", settings_of, text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"\{\{ (\.\S+) \| quote \}\}", lambda match: f'"{value(match[1])}"', text)
    text = re.sub(r"\{\{ (\.\S+) \}\}", lambda match: value(match[1]), text)
    assert "{{" not in text
    return text


def charted(release: str, **changes: Any) -> dict[tuple[str, str], dict[str, Any]]:  # noqa: ANN401 - any values
    values = yaml.safe_load(VALUES.format(version=version())) | changes
    texts = [templated(path.read_text(encoding="utf-8"), values, release) for path in CHART.glob("templates/*.yaml")]
    found = [one for text in texts for one in yaml.safe_load_all(text) if one]
    return {(one["kind"], one["metadata"]["name"]): one for one in found}


def test_the_chart_says_what_the_plain_files_say() -> None:
    """With its defaults and the release's name ttsq: all but KEDA's objects, which are off; the migration is a hook."""
    job = OBJECTS["Job", "ttsq-migrate"]
    hook = {"helm.sh/hook": "pre-install,pre-upgrade", "helm.sh/hook-delete-policy": "before-hook-creation"}
    hooked = job | {"metadata": job["metadata"] | {"annotations": hook}}
    keda = {key for key in OBJECTS if key[0] in {"ScaledObject", "TriggerAuthentication"}}
    plain = {key: one for key, one in OBJECTS.items() if key not in keda} | {("Job", "ttsq-migrate"): hooked}
    assert charted("ttsq") == plain
    on = {"enabled": True, "minimum": 1, "maximum": 10, "slotsPerWorker": "50"}
    assert charted("ttsq", keda=on) == OBJECTS | {("Job", "ttsq-migrate"): hooked}


def test_two_releases_share_nothing() -> None:
    """Names and selectors carry the release's name."""
    found = charted("speech", networkPolicy={"enabled": False})
    assert {key[1].split("-")[0] for key in found} == {"speech"}
    assert not [key for key in found if key[0] == "NetworkPolicy"]
    for (kind, _), one in found.items():
        if kind in {"StatefulSet", "Deployment"}:
            assert one["spec"]["selector"]["matchLabels"]["app.kubernetes.io/instance"] == "speech"


def test_helm_takes_the_chart() -> None:
    """Where Helm is installed."""
    if (helm := shutil.which("helm")) is None:
        pytest.skip("Helm is not installed here, and Debian has no package of it")
    done = subprocess.run(
        [helm, "template", "ttsq", str(CHART)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_prometheus_and_grafana_are_given_files_that_exist() -> None:
    """Compose mounts a folder where a file is missing."""
    root = Path(__file__).parents[3]
    text = (root / "docker-compose.yml").read_text(encoding="utf-8")
    mounts = re.findall(r"- \./(\S+?):/", text)
    assert len(mounts) == 5
    assert [name for name in mounts if not (root / name).exists()] == []
