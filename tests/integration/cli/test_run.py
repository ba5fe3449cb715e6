"""`ttsq run` as its user knows it: a process, an API, files in a folder, an exit code. On the embedded default."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from tests.cluster.waiting import wait_for
from tests.integration.cli.run_command import (
    END_SECONDS,
    emulator,
    end,
    lines,
    running,
    seconds_of,
    ttsq,
    write_texts,
)
from tests.servers import forked
from worker.cli.main import main
from worker.emulator.faults import Effect, Match, Rule
from worker.emulator.latency import Latency
from worker.emulator.server import Emulator

__all__ = ["emulator"]


def test_every_line_becomes_a_playable_file(emulator: Emulator, tmp_path: Path) -> None:
    """One WAV a line under its name, each paid for once, and a JSON line that adds up."""
    rows = [
        '{"text": "Hello from the first line.", "custom_id": "first", "voice_1": "Puck"}',
        '{"text": "Ann: Hello. Ben: Goodbye.", "voice_1": "Kore", "voice_2": "Charon", "temperature": 1.5}',
        '{"text": "The other model speaks [softly].", "model": "gemini-2.5-flash-tts"}',
    ]
    Path("texts.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")

    shown = ttsq("run", "texts.jsonl", "--out", "spoken", "--json")

    assert shown.code == 0, shown.err
    found = shown.data
    assert found.pop("seconds") > 0
    assert len(found.pop("batch")) == 36
    assert found == {
        "total": 3,
        "succeeded": 3,
        "failed": 0,
        "cached": 0,
        "cancelled": 0,
        "held": 0,
        "hold": None,
        "cost": "0.0184",
    }
    assert len(shown.out.splitlines()) == 1
    assert "3 texts spoken" in shown.err
    files = sorted(path.name for path in (tmp_path / "spoken").glob("*.wav"))
    assert files == ["0002.wav", "0003.wav", "first.wav"]
    assert all(seconds_of(tmp_path / "spoken" / name) > 0.5 for name in files)
    state = emulator.state()
    assert (state.billed_calls, state.billed) == (3, Decimal("0.0184"))


def test_the_same_command_buys_nothing_twice(emulator: Emulator, tmp_path: Path) -> None:
    """It reports that nothing remains. Only `--fresh` buys again, in a new batch."""
    write_texts("texts.csv", lines(4))
    first = ttsq("run", "texts.csv", "--json").data
    again = ttsq("run", "texts.csv", "--json")
    assert (again.code, again.data["batch"], again.data["succeeded"]) == (0, first["batch"], 4)
    assert "already spoken" in again.err
    assert emulator.state().billed_calls == 4
    fresh = ttsq("run", "texts.csv", "--fresh", "--json")
    assert (fresh.code, fresh.data["succeeded"], fresh.data["cached"]) == (0, 4, 0)
    assert fresh.data["batch"] != first["batch"]
    assert emulator.state().billed_calls == 8
    assert (tmp_path / "audio" / "texts" / "job-0.wav").is_file()


def test_a_text_that_was_bought_before_is_copied(emulator: Emulator, tmp_path: Path) -> None:
    """Another file, other names, one line more: only that line is paid for."""
    write_texts("texts.csv", lines(3))
    ttsq("run", "texts.csv", "--out", "spoken")
    write_texts("more.csv", lines(4), prefix="more")
    found = ttsq("run", "more.csv", "--out", "spoken", "--json").data
    assert (found["succeeded"], found["cached"], found["cost"]) == (4, 3, "0.0067")
    assert emulator.state().billed_calls == 4
    spoken = tmp_path / "spoken"
    for index in range(3):
        assert (spoken / f"more-{index}.wav").read_bytes() == (spoken / f"job-{index}.wav").read_bytes()


def test_a_refused_line_fails_alone(emulator: Emulator) -> None:
    """Exit code 1, the line and the API's words; given again, only that line is tried again."""
    refused = Effect(status=400, message="text is rude")
    emulator.admin.rules([Rule(effect=refused, match=Match(text_contains="number 2"))])
    write_texts("texts.csv", lines(4))
    shown = ttsq("run", "texts.csv", "--json", "--quiet")
    assert (shown.code, shown.data["succeeded"], shown.data["failed"]) == (1, 3, 1)
    (line,) = shown.err.splitlines()
    assert "line 4, job-2" in line
    assert "text is rude" in line
    emulator.admin.rules([])
    shown = ttsq("run", "texts.csv", "--json")
    assert (shown.code, shown.data["succeeded"]) == (0, 4)
    assert emulator.state().billed_calls == 4


def test_ctrl_c_stops_gracefully_and_the_same_command_resumes(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls in flight finish and are kept; in the end each text was paid for exactly once."""
    emulator.admin.latency(Latency(seconds=0.3))
    monkeypatch.setenv("TTSQ_CONCURRENCY", "2")
    write_texts("texts.csv", lines(12))
    with running("run", "texts.csv", "--json") as process:
        wait_for(lambda: emulator.state().billed_calls >= 2, seconds=30, what="two calls billed")
        process.send_signal(signal.SIGINT)
        stopped = end(process)

    assert stopped.code == 130, stopped.err
    assert "Stopping" in stopped.err
    assert "accepted audio is not bought again" in stopped.err
    billed = emulator.state().billed_calls
    assert stopped.data["succeeded"] == billed < 12
    assert stopped.data["held"] == 12 - billed
    shown = ttsq("run", "texts.csv", "--json")
    assert (shown.code, shown.data["succeeded"]) == (0, 12), shown.err
    assert f"{billed} finished, {12 - billed} remaining" in shown.err
    assert set(emulator.state().billed_texts.values()) == {1}


def test_a_line_put_on_top_costs_one_call(emulator: Emulator) -> None:
    """Every unnamed line moves to another file; each file holds its own line's speech, and nothing is bought again."""
    texts = lines(12)
    Path("p.txt").write_text("\n".join(texts), encoding="utf-8")
    assert ttsq("run", "p.txt", "--out", "spoken").code == 0
    spoken = [Path(f"spoken/{line:04}.wav").read_bytes() for line in range(1, 13)]
    Path("p.txt").write_text("\n".join(["This line is new.", *texts]), encoding="utf-8")
    shown = ttsq("run", "p.txt", "--out", "spoken", "--json")
    assert (shown.code, shown.data["succeeded"], shown.data["cached"]) == (0, 13, 12)
    assert [Path(f"spoken/{line:04}.wav").read_bytes() for line in range(2, 14)] == spoken
    assert emulator.state().billed_calls == 13


def test_a_second_ctrl_c_ends_at_once(emulator: Emulator) -> None:
    """However long a call would have taken; what it left behind is taken up by the next run."""
    emulator.admin.latency(Latency(seconds=600))
    write_texts("texts.csv", lines(2))
    with running("run", "texts.csv") as process:
        wait_for(lambda: emulator.state(detail=False).in_flight == 2, seconds=30, what="two calls in flight")
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        while "again to stop immediately" not in (line := process.stderr.readline()):
            assert line, "it ended without a word"
        process.send_signal(signal.SIGINT)
        stopped = end(process)
    assert stopped.code == 130
    assert "Stopped immediately" in stopped.err
    emulator.admin.latency(Latency(seconds=0.02))
    assert ttsq("run", "texts.csv", "--json").data["succeeded"] == 2


def test_a_closed_account_holds_the_run_until_it_is_mended(emulator: Emulator) -> None:
    """No job fails; `ttsq status` shows the reason and the time; the run resumes by itself."""
    emulator.admin.account(key_valid=False)
    write_texts("texts.csv", lines(3))

    def hold() -> dict[str, Any]:
        shown = ttsq("status", "texts", "--json")
        found: dict[str, Any] = shown.data if shown.code == 0 else {}
        return found if (found.get("hold") or {}).get("name") == "account" else {}

    with running("run", "texts.csv", "--json") as process:
        found = wait_for(hold, seconds=30, what="the hold in `ttsq status`")
        assert (found["hold"]["code"], found["failed"]) == ("bad_key", 0)
        assert found["hold"]["since"].endswith("Z")
        emulator.admin.account(key_valid=True)
        shown = end(process)
    assert (shown.code, shown.data["succeeded"], shown.data["hold"]) == (0, 3, None), shown.err
    assert "held by the account since" in shown.err
    assert emulator.state().billed_calls == 3


BAD_INPUTS: Final[dict[str, tuple[str, bytes, list[str]]]] = {
    "empty text": ("a.csv", b"text,custom_id\nfine,a\n\"\",b\nfine too,c\n", ["line 3, text: is empty"]),
    "long text": ("a.txt", b"fine\n" + b"word " * 900_000, ["line 2: is longer than 1,048,576 characters"]),
    "long dialogue": ("a.csv", b"text,voice_1,voice_2\n" + b"word " * 1_000 + b",Kore,Puck\n", ["line 2, voice_2"]),
    "voice": ("a.csv", b"text,voice_1\nfine,Kor\n", ['line 2, voice_1: no voice "Kor"; did you mean "Kore"?']),
    "temperature": ("a.csv", b"text,temperature\nfine,9\n", ["line 2, temperature: 9 is outside 0 to 2"]),
    "encoding": ("a.txt", b"fine\nna\xefve\n", ["line 2"]),
    "column": ("a.csv", b"said,voice_1\nfine,Kore\n", ["--text-column said"]),
    "duplicate": ("a.csv", b"custom_id,text\nx,fine\nx,fine\n", ['line 3, custom_id: "x" is already the name of']),
    "empty file": ("a.csv", b"", ["is empty"]),
    "no such file": ("nowhere/a.csv", b"", ["there is no such file"]),
    "several": (
        "a.csv",
        b"custom_id,text,voice_1\nx,,Kore\nx,fine,Kor\n",
        ["line 2, text", "line 3, voice_1", "line 3, custom_id"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_INPUTS)
def test_bad_input_is_refused_at_once_and_costs_nothing(
    emulator: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    """Every fault with its line and field, exit code 2; nothing was stored, nothing was spent."""
    name, content, faults = BAD_INPUTS[case]
    if "/" not in name:
        Path(name).write_bytes(content)
    with pytest.raises(SystemExit) as ended:
        main(["run", name, "--json"])
    shown = capsys.readouterr()
    assert (ended.value.code, shown.out) == (2, "")
    for fault in faults:
        assert fault in shown.err
    assert "nothing was queued or charged" in shown.err
    assert not (tmp_path / ".ttsq").exists()
    assert not (tmp_path / "audio").exists()
    assert emulator.state().calls == 0


def test_a_folder_that_cannot_be_written_is_found_before_anything_is_bought(emulator: Emulator, tmp_path: Path) -> None:
    """Not after the first paid call."""
    write_texts("texts.csv", lines(2))
    (tmp_path / "taken").touch()
    shown = ttsq("run", "texts.csv", "--out", "taken/folder")
    assert shown.code == 2
    assert "taken/folder" in shown.err
    assert emulator.state().calls == 0


def test_without_a_key_the_way_to_one_is_named(tmp_path: Path) -> None:
    """And the way to do without one. Nothing is stored."""
    write_texts("texts.csv", lines(2))
    shown = ttsq("run", "texts.csv")
    assert shown.code == 2
    assert "SEGMIND_API_KEY" in shown.err
    assert "ttsq run texts.csv --rehearse" in shown.err
    assert not (tmp_path / ".ttsq").exists()


def test_a_rehearsal_needs_nothing_and_touches_nothing_real(tmp_path: Path) -> None:
    """No key, no settings; a separate queue and folder. A second run is quick; deleted files are made again."""
    write_texts("texts.csv", lines(3))
    folder = tmp_path / "audio" / "texts-rehearsal"
    shown = ttsq("run", "texts.csv", "--rehearse")
    assert shown.code == 0, shown.err
    assert "rehearsal with the emulator" in shown.out
    assert sorted(path.name for path in folder.glob("*.wav")) == ["job-0.wav", "job-1.wav", "job-2.wav"]
    assert not (tmp_path / ".ttsq" / "ttsq.db").exists()
    assert "already spoken" in ttsq("run", "texts.csv", "--rehearse").out
    shutil.rmtree(folder)
    assert "3 texts spoken" in ttsq("run", "texts.csv", "--rehearse").out
    assert seconds_of(folder / "job-0.wav") > 0.5


def test_a_file_that_went_is_put_back(emulator: Emulator, tmp_path: Path) -> None:
    """Its folder remembers what it held: the very take that was bought, at no cost."""
    write_texts("texts.csv", lines(3))
    ttsq("run", "texts.csv")
    path = tmp_path / "audio" / "texts" / "job-1.wav"
    bought = path.read_bytes()
    path.unlink()
    shown = ttsq("run", "texts.csv")
    assert (shown.code, path.read_bytes()) == (0, bought)
    assert "1 file restored at no cost" in shown.err
    assert emulator.state().billed_calls == 3


def test_files_that_went_for_good_are_missed(emulator: Emulator, tmp_path: Path) -> None:
    """They were paid for, so they aren't bought again unasked: exit code 1, and the command that buys just those."""
    write_texts("texts.csv", lines(3))
    ttsq("run", "texts.csv", "--out", "my audio")
    folder = tmp_path / "my audio"
    sound = {path.name: path.read_bytes() for path in folder.glob("*.wav")}
    shutil.rmtree(folder / ".ttsq" / "contents")
    (folder / "job-1.wav").unlink()
    shown = ttsq("run", "texts.csv", "--out", "my audio")
    assert shown.code == 1
    assert "1 file of finished jobs is missing" in shown.err
    assert "`ttsq run texts.csv --out 'my audio' --missing`" in shown.err
    assert emulator.state().billed_calls == 3
    shown = ttsq("run", "texts.csv", "--out", "my audio", "--missing", "--json")
    assert (shown.code, shown.data["succeeded"], shown.data["cached"], shown.data["cost"]) == (0, 3, 2, "0.0067")
    assert "About $0.0067 for 1 call" in shown.err
    assert emulator.state().billed_calls == 4
    assert seconds_of(folder / "job-1.wav") > 0.5
    assert {path.name: path.read_bytes() for path in folder.glob("*.wav")}.items() >= {
        name: content for name, content in sound.items() if name != "job-1.wav"
    }.items()
    again = ttsq("run", "texts.csv", "--out", "my audio", "--missing")
    assert (again.code, emulator.state().billed_calls) == (0, 4)


def test_a_pipe_is_read_and_the_options_fill_what_it_leaves_open(emulator: Emulator, tmp_path: Path) -> None:
    """`-` is standard input; names come from line numbers, and go to a folder of that name."""
    done = forked.run(
        [sys.executable, "-m", "worker.cli", "run", "-", "--json", "--model=gemini-2.5-flash-tts", "--voice=Puck"],
        input="One line.\n\nAnother line.\n",
        timeout=END_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["cost"] == "0.01"
    assert sorted(path.name for path in (tmp_path / "audio" / "stdin").glob("*.wav")) == ["0001.wav", "0003.wav"]
    rows = [json.loads(line) for line in ttsq("jobs", "list", "--json").out.splitlines()]
    assert {row["model"] for row in rows} == {"gemini-2.5-flash-tts"}
    assert emulator.state().billed_calls == 2


def test_a_quiet_run_that_went_well_says_nothing(emulator: Emulator) -> None:
    """Neither on one stream nor on the other."""
    write_texts("texts.csv", lines(2))
    shown = ttsq("run", "texts.csv", "--quiet")
    assert (shown.code, shown.out, shown.err) == (0, "", "")
    assert emulator.state().billed_calls == 2


def test_the_key_is_never_written(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not in any output, log, row or file, also where the API says it back."""
    monkeypatch.setenv("TTSQ_LOG_LEVEL", "debug")
    told = Effect(status=400, message=f"the key {emulator.key} may not say that")
    emulator.admin.rules([Rule(effect=told, match=Match(text_contains="number 1"))])
    write_texts("texts.csv", lines(3))
    outputs = [
        ttsq("run", "texts.csv", "--json"),
        ttsq("status"),
        ttsq("status", "texts", "--json"),
        ttsq("jobs", "list", "--json"),
        ttsq("jobs", "list"),
        ttsq("doctor"),
    ]
    assert outputs[0].code == 1
    assert "may not say that" in outputs[0].err
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert tmp_path / ".ttsq" / "ttsq.log" in written
    for shown in outputs:
        assert emulator.key not in shown.out + shown.err
    for path in written:
        assert emulator.key.encode() not in path.read_bytes(), path


@pytest.mark.usefixtures("emulator")
def test_faulty_rows_are_skipped_on_request(tmp_path: Path) -> None:
    """Each skipped row is reported with its line, the others succeed, and the exit code reports the incomplete run."""
    path = Path("some.csv")
    path.write_text("custom_id,text,voice_1\na,Hello.,Kore\nb,,Kore\nc,Hi.,Unknown\nd,Bye.,\n", encoding="utf-8")
    refused = ttsq("run", str(path), "--out", str(tmp_path / "out"), "--json")
    spoken = ttsq("run", str(path), "--out", str(tmp_path / "out"), "--json", "--on-invalid", "skip")
    assert refused.code == 2
    assert spoken.code == 1, spoken.err
    assert (spoken.data["total"], spoken.data["succeeded"], spoken.data["failed"]) == (2, 2, 0)
    assert "skipped: line 3, text: is empty" in spoken.err
    assert "skipped: line 4, voice_1: no voice" in spoken.err
    assert "rows skipped because of 2 errors" in spoken.err
    assert {file.stem for file in (tmp_path / "out").glob("*.wav")} == {"a", "d"}


def test_an_input_that_may_mean_something_else_is_not_skipped_through(emulator: Emulator) -> None:
    """An unknown column or a bad option concerns every row."""
    path = Path("some.csv")
    path.write_text("text,temprature\nHello.,0.4\n", encoding="utf-8")
    assert ttsq("run", str(path), "--on-invalid", "skip").code == 2
    path.write_text("text,voice_1\nHello.,Kore\n", encoding="utf-8")
    assert ttsq("run", str(path), "--on-invalid", "skip", "--priority", "500").code == 2
    assert emulator.state().calls == 0


@pytest.mark.usefixtures("emulator")
def test_rows_override_the_options_of_the_batch() -> None:
    """Priority, deadline and tags of the command fill what a row leaves empty."""
    path = Path("some.csv")
    path.write_text('custom_id,text,priority,tags\na,Hello.,,\nb,Bye.,7,"night, late"\n', encoding="utf-8")
    late = "2036-12-01T08:00:00Z"
    shown = ttsq("run", str(path), "--priority", "3", "--deadline", late, "--tag", "news", "--tag", "day", "--json")
    assert shown.code == 0, shown.err
    with sqlite3.connect(".ttsq/ttsq.db") as connection:
        rows = connection.execute("SELECT custom_id, priority, tags, deadline FROM jobs ORDER BY id").fetchall()
    connection.close()
    assert [row[:3] for row in rows] == [("a", 3, ",news,day,"), ("b", 7, ",night,late,")]
    assert all(row[3].startswith("2036-12-01 08:00") for row in rows)
