"""The producers' client from its own wheel, alone in an empty environment: all of its examples, against a gateway."""

from __future__ import annotations

import json
import re
import tarfile
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.distribution.installation import Installation, install
from tests.distribution.interpreters import RUNNING, interpreter
from tests.distribution.running import SERVES, emulator, said, started
from tests.distribution.uv import ROOT, alone, uv

CLIENT: Final = ROOT / "clients" / "python"
EXAMPLES: Final = CLIENT / "examples"

pytestmark = pytest.mark.timeout(400)


@dataclass(frozen=True, slots=True)
class Served:
    """A gateway that speaks, and where its database is."""

    address: str
    folder: Path
    client: Installation

    def run(self, home: Path, name: str, **settings: str) -> str:
        """What an example prints; Python isolated from every module of the checkout."""
        home.mkdir(exist_ok=True)
        script = home / name
        script.write_bytes((EXAMPLES / name).read_bytes())
        given = {"TTSQ_URL": self.address, **settings}
        done = self.client.run(home, "python", "-I", "-W", "error", str(script), settings=given)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def get(self, path: str) -> Any:  # noqa: ANN401 - any JSON value
        """What the gateway answers."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.address}{path}", timeout=60) as answer:
            return json.load(answer)


@pytest.fixture(scope="session")
def client_dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with its wheel and source distribution, built twice into folders beside each other."""
    folder = tmp_path_factory.mktemp("client")
    for name in ("one", "two"):
        uv("build", "--quiet", "--out-dir", str(folder / name), str(CLIENT), SOURCE_DATE_EPOCH="1796000000")
    return folder


@pytest.fixture
def client_alone(run_folder: Path, client_dist: Path) -> Installation:
    """The wheel with what it declares, and nothing else."""
    python = interpreter(RUNNING)
    assert python is not None
    (wheel,) = (client_dist / "one").glob("*.whl")
    with alone(run_folder / "client-alone-turn"):
        return install(run_folder / "client-alone", python, wheel, ())


@pytest.fixture
def served(bare: Installation, client_alone: Installation, tmp_path: Path) -> Iterator[Served]:
    """The product and its emulator from its own wheel, in one process."""
    words = ("ttsq", "serve", "--port", "0", "--all-in-one")
    with emulator(bare, tmp_path / "emulator") as api:
        settings = {**api, "TTSQ_WEBHOOK_ALLOW": "127.0.0.1"}
        with started(bare, tmp_path / "gateway", SERVES, *words, settings=settings) as gateway:
            yield Served(said(gateway, SERVES), tmp_path / "gateway", client_alone)


def test_it_is_built_alike_twice(client_dist: Path) -> None:
    """To the byte, as `make release` compares."""
    names = sorted(path.name for path in (client_dist / "one").iterdir() if path.suffix in {".whl", ".gz"})
    assert len(names) == 2
    for name in names:
        assert (client_dist / "one" / name).read_bytes() == (client_dist / "two" / name).read_bytes()


def test_it_holds_the_package_and_nothing_else(client_dist: Path) -> None:
    """With its mark of types, its licence and its README."""
    (wheel,), (sdist,) = (client_dist / "one").glob("*.whl"), (client_dist / "one").glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = next(archive.read(name).decode() for name in names if name.endswith("/METADATA"))
    modules = {f"ttsq_client/{path.name}" for path in (CLIENT / "src/ttsq_client").iterdir() if path.is_file()}
    assert {name for name in names if ".dist-info/" not in name} == modules
    assert "ttsq_client/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert metadata.endswith((CLIENT / "README.md").read_text(encoding="utf-8"))
    assert re.findall("^Requires-Dist: (.*)", metadata, re.MULTILINE) == ["urllib3<3,>=2.6"]
    with tarfile.open(sdist) as archive:
        kept = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "src/ttsq_client/client.py"} <= kept


def test_it_is_alone(client_alone: Installation, tmp_path: Path) -> None:
    """Itself and urllib3."""
    listed = uv("pip", "list", "--quiet", "--format", "json", "--python", str(client_alone.bin / "python"))
    assert {one["name"] for one in json.loads(listed)} == {"ttsq-client", "urllib3"}
    done = client_alone.run(tmp_path, "python", "-I", "-c", "import ttsq_client; print(ttsq_client.__file__)")
    assert Path(done.stdout.strip()).is_relative_to(client_alone.folder)


def test_every_example_runs(served: Served, tmp_path: Path) -> None:
    """One text, many twice, events from where the last run stopped, errors, a webhook."""
    home = tmp_path / "home"
    assert re.fullmatch(r"ferry\.mp3: 0\.\d+ dollars, \d{4,} bytes\n", served.run(home, "submit_one.py"))
    first, again = served.run(home, "submit_many.py"), served.run(home, "submit_many.py")
    assert first.startswith("3 of 3 texts to buy")
    assert again.startswith("0 of 3 texts to buy")
    assert first.splitlines()[1:] == again.splitlines()[1:], "the same batch"
    assert len(list((home / "station").glob("platform-0?.wav"))) == 3
    shown = [served.run(home, "follow_events.py").splitlines() for _ in range(2)]
    assert [lines[-1].split()[0] for lines in shown] == ["batch.finished", "batch.finished"]
    assert not {*shown[0]} & {*shown[1]}, "an event was seen twice"
    assert served.run(home, "handle_errors.py").startswith("invalid-input, voice_1: no voice")


def test_the_first_code_of_the_readme_runs(served: Served, tmp_path: Path) -> None:
    """As it stands, but for the address."""
    found = re.search(r"^```python\n(.*?)^```$", (CLIENT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None
    (tmp_path / "first.py").write_text(found[1].replace("http://127.0.0.1:8000", served.address), encoding="utf-8")
    done = served.client.run(tmp_path, "python", "-I", "-W", "error", "first.py")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "ferry.wav").read_bytes()[:4] == b"RIFF"


def test_the_example_of_a_webhook_runs(served: Served, tmp_path: Path) -> None:
    """Signed with the secret of callbacks, which exists after a first one."""
    home = tmp_path / "home"
    home.mkdir()
    body = json.dumps({"text": "First.", "webhook_url": "http://127.0.0.1:9/"}).encode()
    request = urllib.request.Request(f"{served.address}/v1/jobs", body, {"Content-Type": "application/json"})
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60).close()
    (endpoint,) = served.get("/v1/endpoints")["endpoints"]
    secrets = home / "secrets.txt"
    secrets.write_text(served.get(f"/v1/endpoints/{endpoint['id']}/secret")["secret"], encoding="utf-8")
    shown = served.run(home, "receive_webhook.py", TTSQ_WEBHOOK_SECRETS=str(secrets))
    assert re.fullmatch(r"job\.succeeded /v1/jobs/[0-9a-f-]{36}/audio\n", shown), shown


def test_no_example_is_forgotten() -> None:
    """Each is run by one of these tests."""
    text = Path(__file__).read_text(encoding="utf-8")
    assert [path.name for path in EXAMPLES.glob("*.py") if f'"{path.name}"' not in text] == []


def test_the_example_of_the_inbox_runs(served: Served, tmp_path: Path) -> None:
    """A row in a transaction of Python's own SQLite driver becomes a job."""
    database = served.folder / ".ttsq" / "ttsq.db"
    shown = served.run(tmp_path / "home", "inbox_sqlite.py", TTSQ_DATABASE=str(database))
    assert shown == "succeeded Your order 17 is on its way.\n"
