from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servermatrix.model import (
    App,
    Asked,
    Attempt,
    Cause,
    Ceiling,
    Cell,
    Control,
    Decision,
    Excluded,
    Expect,
    Failed,
    Host,
    Limit,
    Load,
    LoadErrors,
    LoadStats,
    Look,
    Measured,
    Noise,
    Pace,
    PlannedCell,
    Proof,
    Race,
    Request,
    Run,
    RunHeader,
    Side,
    Skipped,
    Trial,
    Usage,
    Window,
    Wire,
)
from servermatrix.store import RUN_FILE, read_run, reopen_run
from servermatrix.store.codec import Record, Resumed, decode, encode

TEXT = st.text(st.characters(), max_size=12)
WORDS = st.lists(TEXT, max_size=3).map(tuple)
PAIRS = st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple)
COUNT = st.integers(0, 2**70)
COUNTS = st.lists(st.tuples(COUNT, COUNT), max_size=4).map(tuple)
SHARE = st.floats(0, 1e9)
ROUND = st.integers(1, 50)
CELL_ID = st.sampled_from(["a/h1", "b/h1", "é|\n"])

Noun = TypeVar("Noun")


def built(noun: Callable[..., Noun], **values: st.SearchStrategy[Any]) -> st.SearchStrategy[Noun]:
    """Draw nouns of which every field that is stored has a value of its own: a field left out would never be tried."""
    assert isinstance(noun, type)
    assert {field.name for field in fields(noun)} == {*values, *(["schema"] if noun is RunHeader else [])}, noun
    return st.builds(noun, **values)


LOADS = built(
    Load,
    generator=TEXT,
    connections=COUNT,
    threads=COUNT,
    duration_s=COUNT,
    warmup_s=COUNT,
    windows=COUNT,
    streams=COUNT,
    requests_per_connection=COUNT,
    rate_percent=COUNT,
)
CELLS = built(
    Cell,
    server=TEXT,
    options=PAIRS,
    label=TEXT,
    protocol=TEXT,
    workers=COUNT,
    app=TEXT,
    load=LOADS,
    interface=TEXT,
    python=TEXT,
    requires=WORDS,
    duplicate=st.booleans(),
    side=TEXT,
)
PLANNED = built(PlannedCell, cell=CELLS, argv=WORDS, load_argv=WORDS, unequal=WORDS, settings=PAIRS, settings_argv=WORDS)
EXPECTS = built(Expect, status=COUNT, body=st.none() | TEXT, contains=st.none() | TEXT)
REQUESTS = built(Request, method=TEXT, path=TEXT, headers=PAIRS, body=TEXT)
CONTROLS = st.none() | built(Control, holds=TEXT, seconds=SHARE, threads=COUNT, burns=SHARE, beyond=TEXT)
APPS = built(
    App,
    name=TEXT,
    target=TEXT,
    folder=TEXT,
    request=REQUESTS,
    expect=EXPECTS,
    twins=PAIRS,
    control=CONTROLS,
    factory=st.booleans(),
    lifespan=TEXT,
    env=PAIRS,
    mix=st.lists(built(Asked, request=REQUESTS, expect=EXPECTS, weight=COUNT), max_size=2).map(tuple),
)
LIMITS = built(Limit, metric=TEXT, bound=SHARE, text=TEXT, percent=SHARE)
RACES = st.none() | built(
    Race,
    prefer=TEXT,
    limits=st.lists(LIMITS, max_size=2).map(tuple),
    rate_per_s=SHARE,
    references=WORDS,
    cores=COUNT,
    pool=COUNT,
    finalists=COUNT,
    holding_s=COUNT,
    generator=TEXT,
)
HOSTS = built(Host, system=TEXT, cpu=TEXT, cores=COUNT, memory_bytes=COUNT, python=TEXT, pinned=TEXT)
SIDES = built(Side, name=TEXT, requires=WORDS, app_dir=TEXT, versions=PAIRS, git=TEXT)
TRIALS = built(Trial, baseline=SIDES, candidate=SIDES, margin=SHARE)
HEADERS = built(
    RunHeader,
    id=TEXT,
    started_at=TEXT,
    argv=WORDS,
    seed=st.integers(),
    rounds=COUNT,
    noise=built(Noise, foreign_cpu=SHARE, steal=SHARE),
    generators=PAIRS,
    host=HOSTS,
    versions=PAIRS,
    git=TEXT,
    cells=st.lists(PLANNED, max_size=2).map(tuple),
    excluded=st.lists(built(Excluded, id=TEXT, reason=TEXT), max_size=2).map(tuple),
    apps=st.lists(APPS, max_size=2).map(tuple),
    settings=PAIRS,
    equalised=WORDS,
    looks=st.lists(built(Look, round=ROUND, alpha=SHARE), max_size=3).map(tuple),
    budget_s=COUNT,
    trial=st.none() | TRIALS,
    race=RACES,
)
ERRORS = built(LoadErrors, connect=COUNT, read=COUNT, write=COUNT, status=COUNT, timeout=COUNT)
STATS = built(
    LoadStats,
    requests=COUNT,
    duration_us=COUNT,
    histogram=COUNTS,
    statuses=COUNTS,
    errors=ERRORS,
    bytes_read=COUNT,
    due=COUNT,
    unanswered=COUNT,
)
USAGES = built(
    Usage,
    wall_us=COUNT,
    server_cpu_us=COUNT,
    worker_cpu_us=st.lists(COUNT, max_size=3).map(tuple),
    generator_cpu_us=COUNT,
    own_cpu_us=COUNT,
    pss_bytes=st.none() | COUNT,
    foreign_cpu=SHARE,
    steal=SHARE,
    throttled_us=COUNT,
    involuntary_switches=COUNT,
    worker_connections=st.lists(COUNT, max_size=3).map(tuple),
    pss_before_bytes=st.none() | COUNT,
    log_bytes=COUNT,
    connects=st.none() | COUNT,
)
WINDOWS = st.lists(built(Window, stats=STATS, usage=USAGES, discarded=WORDS), max_size=2).map(tuple)
WIRES = st.none() | built(Wire, head_bytes=COUNT, body_bytes=COUNT, framing=TEXT)
MEASURED = built(Measured, cell_id=CELL_ID, round=ROUND, started_at=TEXT, startup_s=SHARE, windows=WINDOWS, wire=WIRES)
FAILED = built(Failed, cell_id=CELL_ID, round=ROUND, started_at=TEXT, cause=st.sampled_from(Cause), reason=TEXT, log=TEXT)
SKIPPED = built(Skipped, cell_id=CELL_ID, round=ROUND, started_at=TEXT, reason=TEXT)
PROOFS = built(
    Proof,
    key=TEXT,
    loop=TEXT,
    http=TEXT,
    http_version=TEXT,
    workers=COUNT,
    python=TEXT,
    versions=PAIRS,
    interface=TEXT,
    tls=TEXT,
)
RESUMED = built(Resumed, started_at=TEXT, argv=WORDS)
CEILINGS = built(Ceiling, generator=TEXT, protocol=TEXT, threads=ROUND, requests_per_s=SHARE, cpu_us_per_request=SHARE)
PACES = built(Pace, cell_id=CELL_ID, rate_per_s=SHARE, slowest=TEXT)
DECISIONS = built(Decision, round=ROUND, alpha=SHARE, dropped=PAIRS, stopped=TEXT)
ATTEMPTS = built(Attempt, number=ROUND, rate_per_s=SHARE, sample=MEASURED | FAILED)
AFTER_HEADER = st.one_of(MEASURED, FAILED, SKIPPED, PROOFS, RESUMED, CEILINGS, PACES, DECISIONS, ATTEMPTS)
RECORDS = HEADERS | AFTER_HEADER
RUNS = st.tuples(HEADERS, st.lists(AFTER_HEADER, max_size=5))


def written(records: list[Record]) -> bytes:
    return b"".join(encode(record).encode() + b"\n" for record in records)


def as_run(data: bytes) -> Run:
    with TemporaryDirectory() as folder:
        file = Path(folder, RUN_FILE)
        file.write_bytes(data)
        return read_run(file)


@given(RECORDS)
def test_every_record_comes_back_as_it_was_stored(record: Record) -> None:
    assert decode(encode(record)) == record
    assert decode(encode(record).encode()) == record


@given(RECORDS)
def test_a_record_is_one_line_of_printable_ascii(record: Record) -> None:
    line = encode(record)
    assert line.isascii()
    assert line.isprintable()


@given(RECORDS, st.dictionaries(TEXT.map(lambda text: f"later {text}"), st.none() | COUNT | TEXT, max_size=3))
def test_keys_that_a_later_version_adds_are_ignored(record: Record, extra: dict[str, object]) -> None:
    assert decode(json.dumps({**json.loads(encode(record)), **extra})) == record


@given(RECORDS, st.data())
def test_a_record_cut_short_is_never_taken_for_a_record(record: Record, data: st.DataObject) -> None:
    line = encode(record)
    cut = line[: data.draw(st.integers(0, len(line) - 1))]
    with pytest.raises(ValueError, match=r".*"):
        decode(cut)


@given(
    st.binary()
    | st.text().map(str.encode)
    | st.recursive(COUNT | TEXT | st.none(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_anything_else_is_refused_as_a_value_error(line: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        decode(line)


@given(RECORDS, st.data())
def test_a_value_of_another_kind_is_refused(record: Record, data: st.DataObject) -> None:
    fields = json.loads(encode(record))
    key = data.draw(st.sampled_from(sorted(set(fields) - {"schema"})))
    wrong = {"nested": True} if not isinstance(fields[key], dict) else 1
    with pytest.raises(ValueError, match=r".*"):
        decode(json.dumps({**fields, key: wrong}))


@given(RUNS, st.data())
def test_any_prefix_of_a_run_file_is_a_shorter_run(run: tuple[RunHeader, list[Record]], data: st.DataObject) -> None:
    header, records = run
    whole = written([header, *records])
    least = len(written([header])) - 1
    full, cut = as_run(whole), as_run(whole[: data.draw(st.integers(least, len(whole)))])
    assert cut.header == full.header == header
    assert cut.samples == full.samples[: len(cut.samples)]
    assert cut.proofs == full.proofs[: len(cut.proofs)]
    assert cut.ceilings == full.ceilings[: len(cut.ceilings)]
    assert cut.paces == full.paces[: len(cut.paces)]
    assert cut.decisions == full.decisions[: len(cut.decisions)]
    assert cut.attempts == full.attempts[: len(cut.attempts)]


@given(RUNS, AFTER_HEADER, st.data())
def test_a_torn_run_can_be_gone_on_with_and_loses_no_whole_record(
    run: tuple[RunHeader, list[Record]], more: Record, data: st.DataObject
) -> None:
    header, records = run
    whole = written([header, *records])
    torn = whole[: data.draw(st.integers(len(written([header])) - 1, len(whole)))]
    with TemporaryDirectory() as folder:
        file = Path(folder, RUN_FILE)
        file.write_bytes(torn)
        with reopen_run(Path(folder)) as writer:
            writer.append(more)
        stored = [decode(line) for line in file.read_bytes().removesuffix(b"\n").split(b"\n")]
    kept = stored[1:-1]
    assert stored[0] == header
    assert kept == records[: len(kept)]
    assert len(kept) >= torn.count(b"\n") - 1
    assert stored[-1] == more


@given(st.lists(MEASURED | FAILED | SKIPPED, max_size=8), HEADERS)
def test_of_two_samples_of_one_cell_and_round_the_first_counts(samples: list[Record], header: RunHeader) -> None:
    run = as_run(written([header, *samples]))
    places = [(sample.cell_id, sample.round) for sample in run.samples]
    assert len(set(places)) == len(places)
    firsts: dict[tuple[str, int], Record] = {}
    for sample in samples:
        assert isinstance(sample, Measured | Failed | Skipped)
        firsts.setdefault((sample.cell_id, sample.round), sample)
    assert list(run.samples) == list(firsts.values())


@given(HEADERS, PROOFS)
def test_a_proof_that_a_resumed_run_repeats_is_read_once(header: RunHeader, proof: Proof) -> None:
    other = replace(proof, workers=proof.workers + 1)
    assert as_run(written([header, proof, other, proof])).proofs == (proof, other)


@given(HEADERS, ATTEMPTS, ATTEMPTS)
def test_of_two_attempts_of_one_number_the_first_counts(header: RunHeader, first: Attempt, second: Attempt) -> None:
    other = replace(second, number=first.number + 1)
    assert as_run(written([header, first, replace(second, number=first.number), other])).attempts == (first, other)


@given(HEADERS, st.lists(CEILINGS | PACES | DECISIONS | ATTEMPTS, max_size=8))
def test_what_was_settled_once_is_not_settled_anew(header: RunHeader, records: list[Ceiling | Pace | Decision | Attempt]) -> None:
    """Of two ceilings of a generator, paces of a cell, decisions of a look, attempts of a number, the first counts."""
    run = as_run(written([header, *records]))
    firsts: dict[object, Record] = {}
    for record in records:
        match record:
            case Ceiling():
                firsts.setdefault((record.generator, record.protocol, record.threads), record)
            case Pace():
                firsts.setdefault(("pace", record.cell_id), record)
            case Decision():
                firsts.setdefault(("look", record.round), record)
            case Attempt():
                firsts.setdefault(("attempt", record.number), record)
    found: list[Record] = [*run.ceilings, *run.paces, *run.decisions, *run.attempts]
    assert sorted(map(encode, found)) == sorted(map(encode, firsts.values()))
