from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import log
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from servermatrix.analysis.changepoints import ALPHA, change_points
from servermatrix.analysis.trend import trend
from servermatrix.model import Change, Estimate, Excluded, Host, Load, Night, NightCell, Side, Trial
from servermatrix.render import trend_document, trend_markdown, trend_text
from servermatrix.store import history
from servermatrix.store.codec_night import decode_night, encode_night

TEXT = st.text(st.characters(), max_size=12)
FACTOR = st.floats(1e-6, 1e6)
ESTIMATE = st.builds(Estimate, value=FACTOR, low=st.none() | FACTOR, high=st.none() | FACTOR, n=st.integers(0, 2**60)) | st.none()
PAIRS = st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple)
SIDE = st.builds(Side, name=TEXT, requires=st.lists(TEXT, max_size=3).map(tuple), app_dir=TEXT, versions=PAIRS, git=TEXT)
TRIAL = st.builds(Trial, baseline=SIDE, candidate=SIDE, margin=st.floats(0, 10))
HOST = st.builds(
    Host,
    system=TEXT,
    cpu=st.sampled_from(["one", "other\n<&"]),
    cores=st.integers(1, 2),
    memory_bytes=st.integers(0, 2**50),
    python=TEXT,
    pinned=TEXT,
)
COUNT = st.integers(0, 3)
LOAD = st.builds(Load, generator=TEXT, **{field.name: COUNT for field in fields(Load) if field.name != "generator"})
CELL = st.builds(
    NightCell,
    pair=st.sampled_from(["a/h1", "b/h1", "é|\n<\ud800"]),
    change=st.sampled_from(Change),
    sentence=TEXT,
    rps=ESTIMATE,
    cpu=ESTIMATE,
    host=st.integers(0, 1),
    generator=st.sampled_from(["", "wrk 4", "é<\n"]),
    load=st.none() | LOAD,
)
BEGAN = datetime(2026, 11, 1, tzinfo=UTC)


@st.composite
def a_night(draw: st.DrawFn) -> Night:
    """Draw a night of which every field that is stored has a value of its own."""
    began = BEGAN + timedelta(minutes=draw(st.integers(0, 60 * 24 * 90)))
    made = Night(
        id=f"{began:%Y-%m-%dT%H-%M-%SZ}-{draw(st.integers(0, 3))}",
        started_at=began.isoformat(),
        hosts=(draw(HOST), draw(HOST)),
        trial=draw(TRIAL),
        cells=tuple(draw(st.lists(CELL, max_size=3, unique_by=lambda cell: cell.pair))),
        detectable=draw(st.none() | st.floats(0, 10)),
        left_out=tuple(draw(st.lists(st.builds(Excluded, id=TEXT, reason=TEXT), max_size=2))),
        simulated=draw(st.booleans()),
    )
    assert {field.name for field in fields(Night)} == {
        *("id", "started_at", "hosts", "trial", "cells", "detectable", "left_out", "simulated", "schema")
    }
    return made


NIGHTS = st.lists(a_night(), min_size=1, max_size=5, unique_by=lambda one: one.id)
FEW = settings(max_examples=25, deadline=None)  # what is drawn is large, and files wait for the disk
SHUFFLED = st.integers(0, 2**16)


@FEW
@given(a_night())
def test_a_night_is_read_as_it_was_written(one: Night) -> None:
    text = encode_night(one)
    assert text.isascii()
    assert decode_night(text.encode()) == one
    assert encode_night(decode_night(text.encode())) == text


@FEW
@given(a_night(), st.integers(0, 10_000), st.binary(max_size=4))
def test_no_damage_is_ever_more_than_a_sentence(one: Night, place: int, other: bytes) -> None:
    data = encode_night(one).encode()
    place %= len(data)
    for spoilt in (data[:place], data[:place] + other + data[place + 1 :]):
        try:
            decode_night(spoilt)
        except ValueError as problem:
            assert str(problem)  # noqa: PT017 - what comes in place of a night is one sentence, and nothing else


@FEW
@given(NIGHTS, SHUFFLED)
def test_a_folder_holds_the_nights_that_were_added_in_whatever_order(made: list[Night], seed: int) -> None:
    mixed = [*made, *made]
    Random(seed).shuffle(mixed)  # noqa: S311 - reproducible, not secret
    with TemporaryDirectory() as name:
        for one in mixed:
            history.append(Path(name), one)
        found, _ = history.read(Path(name))
        assert len(list(Path(name).iterdir())) == len(made)
    assert found == tuple(sorted(made, key=lambda one: (one.started_at, one.id)))


@FEW
@given(NIGHTS, SHUFFLED, st.integers(1, 6))
def test_a_trend_is_the_same_whatever_the_order_of_the_nights_and_takes_every_form(
    made: list[Night], seed: int, last: int
) -> None:
    mixed = list(made)
    Random(seed).shuffle(mixed)  # noqa: S311 - reproducible, not secret
    now = BEGAN + timedelta(days=365)
    found = trend(made, last, now=now)
    assert found == trend(mixed, last, now=now)
    assert len(found.nights) == min(last, len([one for one in made if not one.simulated]) or len(made))
    trend_text.to_text(found).encode()
    trend_document.to_json(found).encode()
    for name, text in trend_markdown.files(found).items():
        text.encode()
        if name.endswith(".svg"):
            ET.fromstring(text)  # noqa: S314 - our own text


@FEW
@given(NIGHTS)
def test_who_stopped_had_figures_and_is_not_there_or_has_had_none_for_three_nights(made: list[Night]) -> None:
    made = [replace(one, simulated=False) for one in made]
    found = trend(made, now=BEGAN + timedelta(days=365))
    order = sorted(made, key=lambda one: (one.started_at, one.id))
    figures = [{cell.pair for cell in one.cells if cell.rps or cell.cpu} for one in order]
    there = {cell.pair for cell in order[-1].cells}
    stopped = {one.pair for one in found.stopped}
    assert stopped - there == set().union(*figures) - figures[-1] - there
    assert stopped & there == (set().union(*figures[:-3]) - set().union(*figures[-3:])) & there


VALUES = st.lists(st.floats(-1, 1), min_size=0, max_size=40)


@given(VALUES, st.floats(-1, 1), st.floats(0, 0.5))
def test_change_points_do_not_depend_on_where_zero_is_and_mirror_with_the_values(
    values: list[float], by: float, least: float
) -> None:
    values = [round(value, 2) for value in values]
    found = change_points(values, least)
    mirrored = change_points([-value for value in values], least)
    assert [(one.index, one.p, -one.shift) for one in mirrored] == [(one.index, one.p, one.shift) for one in found]
    moved = change_points([round(value + round(by, 2), 2) for value in values], 0.0333)
    assert [one.index for one in moved] == [one.index for one in change_points(values, 0.0333)]


@given(VALUES, st.floats(0, 0.5))
def test_a_change_point_has_three_values_on_either_side(values: list[float], least: float) -> None:
    found = change_points(values, least)
    ends = [0, *(one.index for one in found), len(values)]
    assert not found or all(later - earlier >= 3 for earlier, later in pairwise(ends))
    assert all(0 < one.p <= ALPHA for one in found)


@given(st.lists(st.floats(0.5, 2.0), min_size=2, max_size=8))
def test_promoting_every_night_adds_up_what_each_gained(ratios: list[float]) -> None:
    def sides(day: int) -> Trial:
        baseline, candidate = (Side(name="", versions=(("a", str(version)),)) for version in (day, day + 1))
        return Trial(baseline=baseline, candidate=candidate)

    host = Host(system="", cpu="", cores=1, memory_bytes=1, python="")
    made = [
        Night(
            id=str(day),
            started_at=(BEGAN + timedelta(days=day)).isoformat(),
            hosts=(host,),
            trial=sides(day),
            cells=(
                NightCell(pair="a", change=Change.UNCHANGED, sentence="", rps=Estimate(value=value, low=None, high=None, n=10)),
            ),
        )
        for day, value in enumerate(ratios)
    ]
    (line,) = trend(made, now=BEGAN + timedelta(days=99)).lines
    level = line.points[-1].rps
    assert level is not None
    assert abs(log(level.total.value) - sum(map(log, ratios))) < 1e-9
    assert trend([replace(one) for one in reversed(made)], now=BEGAN + timedelta(days=99)).lines == (line,)
