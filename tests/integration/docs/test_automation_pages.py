"""The recipes of docs/automation: every command is run, every JSON, YAML and piece of code is checked."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
import soundfile
import yaml

from api_models.event_samples import SAMPLES, message
from api_models.happenings import Happening
from api_models.jobs import JobIn
from tests.gateway import Client, served
from worker.emulator.config import EmulatorConfig
from worker.emulator.server import Emulator
from worker.webhooks.addresses import Allowed, checked_url

ROOT: Final = Path(__file__).parents[3]
FOLDER: Final = ROOT / "docs" / "automation"
PAGES: Final = sorted(FOLDER.glob("*.md"))
WORKFLOW: Final = json.loads((ROOT / "examples" / "automation" / "n8n-speech.json").read_text(encoding="utf-8"))
SECONDS: Final = 90.0
KEY: Final = "any-word"

pytestmark = pytest.mark.timeout(240)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language with further words, and what it holds."""

    page: str
    words: tuple[str, ...]
    text: str


BLOCKS: Final = [
    Block(page.name, tuple(head.split()), text)
    for page in PAGES
    for head, text in re.findall(
        r"^```([^\n]+)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
]


def of(*words: str) -> list[Any]:
    """The blocks of this language, as parameters."""
    return [
        pytest.param(block, id=f"{block.page}-{number}")
        for number, block in enumerate(BLOCKS)
        if block.words[: len(words)] == words
    ]


def only(*words: str) -> str:
    """The text of the one block of this kind."""
    (found,) = [block.text for block in BLOCKS if block.words[: len(words)] == words]
    return found


def test_no_block_is_left_out() -> None:
    """Each is of a kind that is checked below."""
    kinds = {" ".join(block.words[:2]) for block in BLOCKS}
    checked = {"bash", "json job", "json message", "js zapier", "js pipedream", "text"}
    assert kinds == checked | {"yaml home-assistant", "yaml environment", "yaml litellm"}
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"({page.name})" in index for page in PAGES if page.name != "README.md")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One process that serves and speaks; nothing is ever sent to the addresses of the pages, which do not exist."""
    folder = tmp_path_factory.mktemp("gateway")
    with Emulator(EmulatorConfig(latency_seconds=0.02)) as emulator:
        settings = {"SEGMIND_BASE_URL": emulator.base_url, "SEGMIND_API_KEY": emulator.key}
        with served(folder, "--all-in-one", **settings) as (process, address):
            yield address
            process.send_signal(signal.SIGINT)
            process.wait(SECONDS)


@pytest.mark.parametrize("block", of("bash"))
def test_every_command_runs(block: Block, gateway: str, tmp_path: Path) -> None:
    """As it stands, with address and key in the environment; a file that it writes is audio."""
    # A gateway on loopback without keys takes no header that claims to be one of ours.
    script = block.text.replace('--header "Authorization: Bearer $TTSQ_KEY"', "")
    script = script if "openai" in script or "ttsq.header" in script else script.replace("$TTSQ_KEY", "")
    script = script.replace("--header @ttsq.header", "")
    given = os.environ | {"TTSQ_URL": gateway, "TTSQ_KEY": KEY, "no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=given,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for path in tmp_path.glob("*.mp3"):
        assert soundfile.info(path).format == "MP3"
    if "--output" in script:
        assert list(tmp_path.glob("*.mp3"))
    else:
        assert [json.loads(text) for text in re.findall(r"[\[{].*[\]}]", done.stdout)]


@pytest.mark.parametrize("block", of("json", "job"))
def test_every_job_is_accepted(block: Block, gateway: str) -> None:
    """By the gateway, at an address that webhooks may be sent to."""
    content = json.loads(block.text)
    receiver = JobIn.model_validate(content).receiver
    assert receiver is None or checked_url(receiver, Allowed())
    assert Client(gateway).post("/v1/jobs", content).status == 202


@pytest.mark.parametrize("block", of("json", "message"))
def test_the_message_is_what_is_sent(block: Block) -> None:
    """Name by name; a made sample differs in the beginning of its link alone."""
    shown, kind = json.loads(block.text), Happening(block.words[2])
    sample = message(kind, SAMPLES[kind])
    del sample["data"]
    assert list(shown) == list(sample)
    assert shown == sample | {"audio_url": "https://speech.example.org" + sample["audio_url"]}


def test_the_settings_of_open_webui_and_litellm_lead_to_the_gateway() -> None:
    """YAML that holds the addresses of the protocol, and no second retry."""
    environment = yaml.safe_load(only("yaml", "environment"))["services"]["open-webui"]["environment"]
    assert environment["AUDIO_TTS_OPENAI_API_BASE_URL"].endswith("/openai/v1")
    assert (environment["AUDIO_TTS_ENGINE"], environment["AUDIO_TTS_MODEL"]) == ("openai", "tts-1")
    proxy = yaml.safe_load(only("yaml", "litellm"))
    (model,) = proxy["model_list"]
    assert model["litellm_params"]["api_base"].endswith("/openai/v1")
    assert (model["litellm_params"]["max_retries"], proxy["router_settings"]["num_retries"]) == (0, 0)


@pytest.mark.parametrize("text", ['It\'s "done".', "$(touch harm) `touch harm` '; touch harm; '", "a\\'b\nc"])
def test_the_command_of_home_assistant_cannot_be_ended_by_a_text(gateway: str, tmp_path: Path, text: str) -> None:
    """Its template makes JSON without an apostrophe; the shell sees one argument."""
    command = yaml.safe_load(only("yaml", "home-assistant"))["shell_command"]["speak"]
    template = re.search(r"{{(.*)}}", command)
    assert template is not None
    assert template[1].strip().endswith(r"""| to_json | replace("'", "\\u0027")""")
    fields = {"text": text, "format": "mp3", "tags": ["home"]}
    written = json.dumps(fields).replace("'", "\\u0027")
    script = (
        command.replace(template[0], written).replace("/config/www/", "").replace("http://ttsq.local:8000", gateway)
    )
    script = script.replace("--header @/config/ttsq.header", "")
    given = os.environ | {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
    subprocess.run(["sh", "-c", script], cwd=tmp_path, env=given, timeout=SECONDS, check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["speech.mp3"]
    assert Client(gateway).get("/v1/jobs?tag=home&limit=1").json["jobs"][0]["text"] == text


class TestWorkflow:
    """The file for n8n, by the shape that n8n documents."""

    def test_every_node_is_complete_and_connected(self) -> None:
        """Each but the trigger is led to, by a name that exists, along the path of the recipe."""
        nodes = {node["name"]: node for node in WORKFLOW["nodes"]}
        assert len({node["id"] for node in nodes.values()}) == len(nodes)
        for node in nodes.values():
            assert {"id", "name", "type", "typeVersion", "position", "parameters"} <= set(node)
            assert UUID(node["id"]).version == 4
            assert re.fullmatch(r"n8n-nodes-base\.[A-Za-z]+", node["type"])
            assert [type(one) for one in node["position"]] == [int, int]
        targets = [
            one["node"]
            for name, outputs in WORKFLOW["connections"].items()
            for output in outputs["main"]
            for one in output
            if name in nodes and one["type"] == "main" and one["index"] == 0
        ]
        assert sorted(targets) == sorted(set(nodes) - {"Start"})

    def test_it_holds_no_secret(self) -> None:
        """Keys are credentials of n8n; an import is inactive."""
        text = json.dumps(WORKFLOW)
        assert "Bearer" not in text
        assert "ttsq_" not in text
        assert WORKFLOW["active"] is False

    def test_it_waits_for_what_it_submits(self) -> None:
        """By a POST to its own execution, for a limited time; the fields it reads are those of the message."""
        nodes = {node["name"]: node["parameters"] for node in WORKFLOW["nodes"]}
        assert (nodes["Submit"]["method"], nodes["Wait"]["httpMethod"]) == ("POST", "POST")
        assert (nodes["Wait"]["resume"], nodes["Wait"]["limitWaitTime"]) == ("webhook", True)
        fields = re.findall(r"(\w+):", nodes["Submit"]["jsonBody"])
        assert set(fields) <= set(JobIn.model_fields)
        assert "webhook_url: $execution.resumeUrl" in nodes["Submit"]["jsonBody"]
        read = set(re.findall(r"\$json\.body\.(\w+)", json.dumps(WORKFLOW)))
        assert read == {"status", "id", "code", "message"}
        assert read <= set(message(Happening.JOB_FAILED, SAMPLES[Happening.JOB_FAILED]))


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
class TestCode:
    """The JavaScript of the pages, run by Node."""

    def test_zapiers_requests_subscribe_list_and_unsubscribe(self, gateway: str, tmp_path: Path) -> None:
        """Against the gateway, as Zapier's `z.request` sends them."""
        script = (
            only("js", "zapier")
            + """
const z = {
  request: async ({ method = "GET", url, body, params }) => {
    const place = params ? `${url}?${new URLSearchParams(params)}` : url;
    const headers = body ? { "content-type": "application/json" } : {};
    const reply = await fetch(place, { method, headers, body: body && JSON.stringify(body) });
    if (!reply.ok) throw new Error(`${reply.status} ${await reply.text()}`);
    return { data: reply.status === 204 ? {} : await reply.json() };
  },
};
const bundle = {
  authData: { url: process.argv[2] },
  inputData: { event: "job.expired" },
  targetUrl: "https://hooks.zapier.com/hooks/standard/1/b/",
  cleanedRequest: { id: "1" },
};
bundle.subscribeData = await subscribe(z, bundle);
const [sample] = await performList(z, bundle);
await unsubscribe(z, bundle);
console.log(JSON.stringify([bundle.subscribeData.event, sample.type, sample.id, perform(z, bundle)]));
"""
        )
        shown = json.loads(node(tmp_path, script, gateway))
        assert shown[:2] == ["job.expired", "job.expired"]
        assert str(UUID(shown[2])) == shown[2]
        assert shown[3] == [{"id": "1"}]
        kept = Client(gateway).get("/v1/subscriptions").json["subscriptions"]
        assert "job.expired" not in {one["event"] for one in kept}

    @pytest.mark.parametrize(
        ("given", "passes"), [("a-long-one", True), ("another", False), ("", False), (None, False)]
    )
    def test_pipedreams_step_ends_what_has_another_secret(
        self,
        tmp_path: Path,
        given: str | None,
        passes: bool,
    ) -> None:
        """Also one of another length, or none."""
        headers = json.dumps({} if given is None else {"x-webhook-token": given})
        script = only("js", "pipedream").replace("export default", "const step =") + (
            "process.env.TTSQ_TOKEN = 'a-long-one';\n"
            "const $ = { flow: { exit: () => 'ended' } };\n"
            f"const steps = {{ trigger: {{ event: {{ headers: {headers}, body: 'passed' }} }} }};\n"
            "console.log(await step.run({ steps, $ }));\n"
        )
        assert node(tmp_path, script).strip() == ("passed" if passes else "ended")


def node(folder: Path, script: str, *arguments: str) -> str:
    """What a module prints."""
    path = folder / "script.mjs"
    path.write_text(script, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    command = ["node", str(path), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=True).stdout
