"""Templates of keys: those that tell jobs apart are taken, and every other one is refused with a remedy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_models.formats import AudioFormat
from api_models.key_templates import FIELDS, FLAT_TEMPLATE, SHARED_TEMPLATE, TemplateError, checked_template
from worker import settings
from worker.artifacts.keys import checked_key, object_key

TEMPLATES = (
    SHARED_TEMPLATE,
    "{id}.{ext}",
    "{tenant}/{id}.{ext}",
    "speech/{batch}-{custom_id}.{ext}",
    "{batch}/{model}/{custom_id}.{ext}",
    "{batch}/{model}-{tenant}/take {custom_id}.{ext}",
    "{batch}/{custom_id}/{model}.{ext}",
    "{batch}/{line:04}-{text:40}.{ext}",
    "{batch}/{voice_1}/{line} {custom_id}.{ext}",
)
VALUES = st.text(min_size=1, max_size=250)
JOB = st.tuples(st.sampled_from(("ann", "bob")), st.sampled_from(("b1", "b2", None)), VALUES, st.uuids(), VALUES)


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_that_distinguishes_jobs_is_accepted(template: str) -> None:
    """As it is."""
    assert checked_template(template, shared=True) == template


def test_a_place_of_its_own_needs_no_batch() -> None:
    """Where no other batch is, names are enough."""
    assert checked_template(FLAT_TEMPLATE, shared=False) == FLAT_TEMPLATE
    with pytest.raises(TemplateError, match="two batches"):
        checked_template(FLAT_TEMPLATE, shared=True)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{tenant}/{batch}.{ext}", "doesn't tell jobs apart"),
        ("{batch}/{custom_id}{model}.{ext}", "doesn't tell jobs apart"),
        ("{batch}/{custom_id}", "what kind of file"),
        ("../{id}.{ext}", "begins or ends with a space or a dot"),
        ("a/./{id}.{ext}", "begins or ends"),
        (".ttsq/{id}.{ext}", "begins or ends"),
        ("/{id}.{ext}", "folder without a name"),
        ("a//{id}.{ext}", "folder without a name"),
        ("a\\{id}.{ext}", "contains"),
        ("a\0{id}.{ext}", "invisible"),
        ("{id!r}.{ext}", "a field {id}"),
        ("{id:.3}.{ext}", "a field {id}"),
        ("{id.__class__}.{ext}", "a field {id.__class__}"),
        ("{0}.{ext}", "a field {0}"),
        ("{name}.{ext}", "known: tenant, batch, custom_id, id, model, ext, line, text, voice_1, voice_2)"),
        ("{batch}/{text:40}.{ext}", "doesn't tell jobs apart"),
        ("{batch}/{line}{text}.{ext}", "doesn't tell jobs apart"),
        ("{batch}/{text}-{line}.{ext}", "doesn't tell jobs apart"),
        ("{batch}/{line:400}-{text}.{ext}", "write it as {line:04}"),
        ("{batch}/{line:x}.{ext}", "write it as {line:04}"),
        ("{batch}/{line:04}-{text:101}.{ext}", "write it as {text:40}, up to 100"),
        ("{line:04}.{ext}", "two batches"),
        ("{id.{ext}", "is no template"),
        ("a/b/c/d/{id}.{ext}", "deeper"),
        ("a" * 400 + "{id}.{ext}", "longer"),
    ],
)
def test_a_template_that_could_do_harm_is_refused(template: str, words: str) -> None:
    """Each refusal says what is wrong."""
    with pytest.raises(TemplateError) as caught:
        checked_template(template, shared=True)
    assert words in str(caught.value)


@given(one=JOB, other=JOB, template=st.sampled_from(TEMPLATES), ext=st.sampled_from(("wav", "mp3")))
def test_no_two_jobs_ever_share_a_key(
    one: tuple[object, ...], other: tuple[object, ...], template: str, ext: str
) -> None:
    """Whatever they are called: a batch belongs to one tenant, and has each custom_id once."""

    def key(job: tuple[object, ...], ext: str) -> str:
        tenant, batch, custom_id, job_id, model = job
        whose = {"b1": "ann", "b2": "bob"}.get(str(batch), str(tenant))
        return object_key(
            template,
            tenant=whose,
            batch=None if batch is None else str(batch),
            custom_id=str(custom_id),
            job=str(job_id),
            model=str(model),
            ext=ext,
        )

    assert checked_key(key(one, ext)) == key(one, ext)
    if one[3] != other[3] and not (one[1] is not None and one[1] == other[1] and one[2] == other[2]):
        assert key(one, ext) != key(other, "wav")


def test_the_page_about_outputs_names_what_there_is() -> None:
    """Every field of a template and no other, every format, and settings that exist."""
    page = (Path(__file__).parents[3] / "docs/outputs.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `\{(\w+)\}`", page, re.MULTILINE) == list(FIELDS)
    assert re.findall(r"^\| `(\w+)` \| `\.", page, re.MULTILINE) == [str(form) for form in AudioFormat]
    assert set(re.findall(r"\bTTSQ_[A-Z0-9_]+\b", page)) <= set(settings.names())


def filled(template: str, cells: dict[str, str | None], line: int | None = 7) -> str:
    """The key of one job."""
    return object_key(
        template, tenant="t", batch="b", custom_id="a", job="j", model="m", ext="wav", line=line, cells=cells
    )


@pytest.mark.parametrize(
    ("template", "cells", "key"),
    [
        ("{line:04}-{text:12}.{ext}", {"text": "Where is: the\nstation? Far."}, "0007-Where is the.wav"),
        ("{Chapter}/{custom_id}.{ext}", {"Chapter": "1/2: “Start”"}, "1 2 “Start”/a.wav"),
        ("{Post Type}/{line}.{ext}", {"Post Type": "  "}, "_/7.wav"),
        ("{x}/{line}.{ext}", {"x": "../../etc"}, "etc/7.wav"),
        ("{x}/{line}.{ext}", {"x": ".ttsq"}, "ttsq/7.wav"),
        ("{x}/{line}.{ext}", {"x": None}, "_/7.wav"),
        ("{x:3}/{line}.{ext}", {"x": "日本語です"}, "日本語/7.wav"),
        ("{x}/{line:03}.{ext}", {"x": "CON%2F\x00"}, "CON 2F/007.wav"),
    ],
)
def test_a_template_may_name_columns_lines_and_texts(template: str, cells: dict[str, str | None], key: str) -> None:
    """What a file name can't hold is left out of them, and none of them leads anywhere else."""
    assert checked_template(template, shared=False, columns=cells) == template
    assert filled(template, cells) == key


def test_a_column_that_the_sheet_lacks_is_an_error() -> None:
    """With those that it has; before the sheet is read, any name may be one."""
    assert checked_template("{Chapter}/{id}.{ext}", shared=True, columns=None)
    with pytest.raises(TemplateError, match=r"a field \{Chapter\} .*; columns of the sheet: Notes, Scene\)"):
        checked_template("{Chapter}/{id}.{ext}", shared=True, columns=("Notes", "Scene"))


@given(one=st.tuples(st.integers(1, 10**6), VALUES), other=st.tuples(st.integers(1, 10**6), VALUES))
def test_a_line_in_front_distinguishes_jobs(one: tuple[int, str], other: tuple[int, str]) -> None:
    """Whatever their texts are."""
    keys = {filled("{line:04} {text:40}.{ext}", {"text": text}, line) for line, text in (one, other)}
    assert one[0] == other[0] or len(keys) == 2
