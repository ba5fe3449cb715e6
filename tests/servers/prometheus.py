"""Debian's `promtool`, which checks metrics and rules and runs rules over series."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.servers.debian import unpacked

SECONDS: Final = 240
MINUTE: Final = 60
FIRING: Final = 'ALERTS{alertstate="firing"}'
_NAME: Final = re.compile(r'alertname="(\w+)"')
_TIME: Final = re.compile(r"time: ([\dhms]+),")


def promtool() -> str:
    """The program. Skips the test where it can't be had."""
    return shutil.which("promtool") or str(unpacked("prometheus", "prometheus") / "usr/bin/promtool")


def check(*arguments: str, text: str = "") -> str:
    """What `promtool check` complains of; empty if nothing."""
    done = subprocess.run(
        [promtool(), "check", *arguments], input=text, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    return "" if not done.returncode else done.stdout + done.stderr


@dataclass(frozen=True, slots=True)
class Course:
    """Series with a sample every `step` minutes, at which the rules are evaluated, and the minutes to look at them."""

    series: Mapping[str, Sequence[float | None]]
    looks: Sequence[int]
    step: int = 1


def firing(rules: Path, course: Course, folder: Path) -> dict[int, frozenset[str]]:
    """Run the rules over the series. Returns the names of the firing alerts, by minute.

    Every look expects no alert, and promtool reports those that fire all the same.
    """
    looks = [{"expr": FIRING, "eval_time": f"{minute}m", "exp_samples": []} for minute in course.looks]
    given = [{"series": name, "values": _values(values)} for name, values in course.series.items()]
    test: dict[str, Any] = {
        "rule_files": [str(rules)],
        "evaluation_interval": f"{course.step}m",
        "tests": [{"interval": f"{course.step}m", "input_series": given, "promql_expr_test": looks}],
    }
    file = folder / "rules-test.yml"
    file.write_text(json.dumps(test), encoding="utf-8")  # JSON is YAML as well
    done = subprocess.run(
        [promtool(), "test", "rules", str(file)], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    output = done.stdout + done.stderr
    found: dict[int, frozenset[str]] = dict.fromkeys(course.looks, frozenset())
    failures = re.split(r"(?=expr: )", output)[1:]
    assert done.returncode == 0 or failures, output
    for failure in failures:
        moment = _TIME.search(failure)
        assert moment is not None, failure
        found[_minutes(moment[1])] = frozenset(_NAME.findall(failure.partition("got:")[2]))
    return found


def _values(values: Sequence[float | None]) -> str:
    return " ".join("_" if value is None else f"{value:.10g}" for value in values)


def _minutes(text: str) -> int:
    """`1h30m`, `90m`, `1d2h` and the like, as promtool writes them."""
    units = {"s": 1 / MINUTE, "m": 1, "h": 60, "d": 1_440, "w": 10_080}
    return round(sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)([smhdw])", text)))
