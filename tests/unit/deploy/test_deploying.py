"""Dockerfile and Compose's files: what they name exists, and what they promise is written down in them.

Where Docker Compose is installed it is asked, too; a daemon is not needed for that. What their commands do is tested in
`tests/e2e/test_image.py` and `tests/e2e/test_compose.py`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from tests.distribution.compose import PRODUCTION, REHEARSAL, UnsetVariableError, project
from worker import settings
from worker.cli.lazy import load
from worker.cli.main import COMMANDS
from worker.emulator.config import DEFAULT_KEY

ROOT: Final = Path(__file__).parents[3]
DOCKERFILE: Final = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE_TEXT: Final = "".join((ROOT / file).read_text(encoding="utf-8") for file in (PRODUCTION, REHEARSAL))
PRODUCT: Final = project(PRODUCTION)
WHOLE: Final = project(PRODUCTION, REHEARSAL)
SERVICES: Final[dict[str, dict[str, Any]]] = WHOLE.services
OURS: Final = [name for name, service in SERVICES.items() if service["image"] == "ttsq"]
ONE_OFF: Final = {"migrate", "ttsq"}
SECRETS: Final = {"SEGMIND_API_KEY", "POSTGRES_PASSWORD", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"}
LIBRARIES: Final = ("AWS_", "OTEL_")
OTHERS: Final = {
    "S3_BUCKET",
    "GATEWAY_PORT",
    "POSTGRES_PASSWORD",
    "PROMETHEUS_PORT",
    "GRAFANA_PORT",
    "GRAFANA_PASSWORD",
}
"""What the file asks of the environment beside settings and boto3's own variables."""
THE_IMAGES: Final = {"TTSQ_SPOOL_DIR", "TTSQ_ALIVE_FILE"}
"""Settings that the image makes: they name places in it."""
COMPOSE_SECONDS: Final = 60


def variables() -> dict[str, set[str]]:
    """Every variable that the file takes from the environment, with what stands after each of its names."""
    found: dict[str, set[str]] = {}
    for name, rest in re.findall(r"\$\{([A-Z0-9_]+)([^}]*)\}", COMPOSE_TEXT):
        found.setdefault(name, set()).add(rest)
    return found


def check_words(words: list[str]) -> None:
    """Whether `ttsq` would take these words; nothing is run."""
    name, *rest = words
    entry = next(entry for entry in COMMANDS if entry.name == name)
    load(entry).make_context(name, rest)


def test_every_variable_has_a_default_or_a_word_about_it() -> None:
    """One name, one default; only the key has none, and says so. Each is a setting, boto3's, or the file's own."""
    for name, rests in variables().items():
        (rest,) = rests
        assert rest.startswith(":?" if name == "SEGMIND_API_KEY" else ":-"), name
        known = name in settings.names() or name.startswith(LIBRARIES) or name in OTHERS
        assert known, f"{name} means nothing to anybody"


@pytest.mark.parametrize("name", OURS)
def test_our_services_have_settings_that_exist(name: str) -> None:
    """The settings refuse names that they don't know: a slip of the pen would keep the container from starting."""
    for variable in SERVICES[name]["environment"]:
        assert variable in settings.names() or variable.startswith(LIBRARIES), variable


@pytest.mark.parametrize("name", settings.names())
def test_each_setting_reaches_the_containers(name: str) -> None:
    """One that isn't listed could stand in the .env file and would be ignored in silence."""
    if name in THE_IMAGES:
        assert f"{name}=" in DOCKERFILE
        return
    for service in ("migrate", "worker", "gateway", "ttsq"):
        declared = PRODUCT.services[service]["environment"]
        assert name in declared, f"list {name} below x-ttsq in docker-compose.yml, without a value: `    {name}:`"
        given = {"SEGMIND_API_KEY": "SG_0123456789abcdef"}
        if declared[name] is None:
            assert name not in PRODUCT.environment(service, given)
            assert PRODUCT.environment(service, given | {name: "7"})[name] == "7"


@pytest.mark.parametrize("name", [name for name in OURS if name != "emulator"])
def test_a_rehearsal_shares_nothing_with_production(name: str) -> None:
    """Another project has other volumes, networks and containers. Its services have the emulator's key alone, and call
    the emulator, whatever stands in the environment."""
    assert WHOLE.name == "ttsq-rehearsal"
    assert PRODUCT.name is None
    assert "emulator" not in PRODUCT.services
    assert not any("external" in (volume or {}) or "name" in (volume or {}) for volume in WHOLE.volumes.values())
    found = WHOLE.environment(name, {"SEGMIND_API_KEY": "SG_real", "SEGMIND_BASE_URL": "https://api.segmind.com"})
    assert found["SEGMIND_BASE_URL"] == "http://emulator:8765"
    assert found["SEGMIND_API_KEY"] == DEFAULT_KEY
    assert "SG_real" not in found.values()


def test_nothing_starts_without_the_key() -> None:
    """And what is missing is said."""
    with pytest.raises(UnsetVariableError, match="put your Segmind key"):
        PRODUCT.environment("worker", {})


def test_secrets_come_from_the_environment() -> None:
    """None of them is written out where it is used, but for the emulator's key, which is no secret."""
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if name in SECRETS and value != DEFAULT_KEY:
                assert str(value).startswith(f"${{{name}"), f"{name} is written into the file"


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_that_stays_is_looked_after(name: str) -> None:
    """A health check of its own or of its image, and a restart; those that end have neither."""
    service = SERVICES[name]
    disabled = service.get("healthcheck", {}).get("disable", False)
    assert disabled == (name in ONE_OFF)
    if name in ONE_OFF:
        assert "restart" not in service
        return
    assert "healthcheck" in service or (name in OURS and "HEALTHCHECK" in DOCKERFILE)
    assert service.get("restart") == "unless-stopped" or name == "emulator"


def test_what_is_waited_for_exists_and_can_be_seen() -> None:
    """A service that is waited for until it is healthy has something to tell it by; one that is to end does."""
    for service in SERVICES.values():
        for other, how in service.get("depends_on", {}).items():
            assert other in SERVICES
            if how["condition"] == "service_healthy":
                assert "test" in SERVICES[other]["healthcheck"]
            else:
                assert (how["condition"], other in ONE_OFF) == ("service_completed_successfully", True)


def test_data_are_on_named_volumes() -> None:
    """Each that is used is declared, and what is to be kept is on one."""
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())}
    files = {name for name in used if name.startswith("./")}
    assert used - files == set(WHOLE.volumes) == {"postgres", "s3", "spool", "prometheus", "grafana"}


def test_any_number_of_workers_can_run() -> None:
    """No name and no port that two would fight for; and as much time to leave as they are given for their calls."""
    worker = SERVICES["worker"]
    assert not {"container_name", "ports", "hostname"} & set(worker)
    grace = float(settings.Settings.model_fields["grace_seconds"].default)
    assert float(worker["stop_grace_period"].removesuffix("s")) >= grace + 20
    assert not any("container_name" in service for service in SERVICES.values())


def test_ports_are_open_to_this_machine_alone() -> None:
    """Other interfaces need an explicit change."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports[0] == "127.0.0.1:${GATEWAY_PORT:-8000}:8000"
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("name", OURS)
def test_the_commands_exist(name: str) -> None:
    """With every option that is given."""
    words = [*SERVICES[name].get("entrypoint", ()), *SERVICES[name].get("command", ())]
    if not words:
        assert 'CMD ["celery", "-A", "worker.app", "worker"]' in DOCKERFILE
        assert (ROOT / "worker" / "app.py").exists()
        return
    assert words[0] == "ttsq"
    check_words(words[1:])


def test_the_image_is_not_run_as_root_and_has_all_it_copies() -> None:
    """The last stage changes user after it has made what the user needs; nothing that is copied is left out."""
    last = DOCKERFILE.rsplit("\nFROM ", 1)[1]
    assert re.search(r"^USER ttsq$", last, re.MULTILINE)
    assert last.index("chown ttsq /spool") < last.index("USER ttsq")
    assert "HEALTHCHECK" in last
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    for copied in re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for name in copied.split():
            assert (ROOT / name).exists(), name
            assert name not in ignored, name


def test_the_images_own_settings_exist() -> None:
    """As in docker-compose.yml."""
    names = re.findall(r"\b(TTSQ_[A-Z_]+)=", DOCKERFILE)
    assert names
    assert set(names) <= set(settings.names())


def test_docker_compose_takes_the_file(tmp_path: Path) -> None:
    """With nothing but the key; and without the key it says what is missing."""
    docker = shutil.which("docker") or os.devnull
    asked = (
        subprocess.run([docker, "compose", "version"], capture_output=True, check=False)
        if docker != os.devnull
        else None
    )
    if asked is None or asked.returncode != 0:
        pytest.skip("Docker Compose is not installed here")
    files = [word for file in (PRODUCTION, REHEARSAL) for word in ("--file", str(ROOT / file))]
    command = [docker, "compose", *files, "--env-file", os.devnull, "config", "--quiet"]
    known = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}

    def taken(**environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, env={**known, **environment}, capture_output=True, text=True, timeout=COMPOSE_SECONDS, check=False
        )

    assert taken(SEGMIND_API_KEY="SG_0123456789abcdef").returncode == 0
    refused = taken()
    assert refused.returncode != 0
    assert "put your Segmind key" in refused.stderr
