"""The most that a generator can do on this host: found for every generator, protocol and number of threads, or left out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from servermatrix import plugins
from servermatrix.contracts import LoadFailure, LoadGenerator, LoadStats, Outcome, Shot
from servermatrix.measure import tools, window
from servermatrix.measure.bench import Bench, Driver
from servermatrix.measure.calibrate import calibrate, responders
from servermatrix.measure.certificate import make_certificate
from servermatrix.measure.host import Layout, usable_cores
from servermatrix.model import Ceiling, Cell, Noise
from tests.room import guarded, make_bench, make_cell, small_generator

# Asks the responder 100 times over one connection, and works for 0.3 s besides.
ASKING = """
import socket, sys, time
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1].rpartition(":")[2].strip("/"))))
for _ in range(100):
    connection.sendall(b"GET / HTTP/1.1\\r\\n\\r\\n")
    assert connection.recv(4096).endswith(b"ok")
while time.process_time() < 0.3: pass
"""
HUNDRED = LoadStats(requests=100, duration_us=500_000, histogram=((10, 100),))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with guarded() as guard:
        yield make_bench(tmp_path, guard)
    assert list((tmp_path / "logs").iterdir()) == [], "the responder had something to say"


def asking(shots: list[Shot], stats: LoadStats = HUNDRED) -> LoadGenerator:
    """Make a generator that asks, and keeps what it was told."""

    def argv(shot: Shot) -> list[str]:
        shots.append(shot)
        return [sys.executable, "-S", "-c", ASKING, shot.url]

    return replace(small_generator(), argv=argv, parse=lambda _, outcome: whole(outcome, stats))


def whole(outcome: Outcome, stats: LoadStats) -> LoadStats:
    if (outcome.exit_code, outcome.stderr) != (0, ""):
        raise LoadFailure(outcome.stderr)
    return stats


def driven_by(bench: Bench, **drivers: LoadGenerator | str) -> Bench:
    """Have these generators; a text says why one is missing."""
    made = {
        name: Driver(plugin=small_generator(), missing=each) if isinstance(each, str) else Driver(plugin=each)
        for name, each in drivers.items()
    }
    return replace(bench, drivers=made)


def by(generator: str, protocol: str = "h1", workers: int = 1, **load: int) -> Cell:
    cell = make_cell("small", workers=workers, options=(), **load)
    return replace(cell, protocol=protocol, load=replace(cell.load, generator=generator))


def test_a_ceiling_is_what_was_reached_and_what_a_request_cost_the_generator(bench: Bench) -> None:
    shots: list[Shot] = []
    (found,) = calibrate(driven_by(bench, small=asking(shots)), [make_cell()])
    assert (found.generator, found.protocol, found.threads, found.requests_per_s) == ("small", "h1", 1, 200.0)
    assert 3_000 < found.cpu_us_per_request < 20_000  # 0.3 s and the start of a Python over 100 requests
    (shot,) = shots
    assert (shot.duration_s, shot.body_bytes, shot.expect_status, shot.rate_per_s) == (1, 2, 200, 0)


def test_each_generator_protocol_and_number_of_threads_is_calibrated_once_with_the_most_under_way(bench: Bench) -> None:
    one, two = list[Shot](), list[Shot]()
    cells = [
        *(by("one", connections=8), by("one", connections=16), by("one", workers=4, connections=2)),
        *(by("one", connections=8, streams=4), by("one", threads=2), by("two", connections=32, requests_per_connection=1)),
        by("two", rate_percent=60, connections=512),
    ]
    found = list(calibrate(driven_by(bench, one=asking(one), two=asking(two)), cells))
    assert [(each.generator, each.threads) for each in found] == [("one", 1), ("one", 2), ("two", 1)]
    assert [(shot.connections, shot.streams, shot.threads) for shot in one] == [(8, 4, 1), (8, 1, 2)]
    assert [(shot.connections, shot.requests_per_connection) for shot in two] == [(32, 0)]


@pytest.mark.usefixtures("calm")
def test_what_cannot_be_calibrated_is_told_and_the_rest_goes_on(bench: Bench) -> None:
    told: list[str] = []
    bad = replace(small_generator(), argv=lambda _: ["no-such-generator"])
    generators = driven_by(bench, absent="there is no such program", bad=bad, good=asking([]))
    cells = [by("absent"), by("bad"), by("good", protocol="h2c"), by("good")]
    found = calibrate(replace(generators, tell=told.append), cells)
    assert [(each.generator, each.protocol) for each in found] == [("good", "h1")]
    first, second = told  # of what is missing the plan speaks
    assert first.startswith("what 1 thread of bad can do over h1 is not known: the generator could not be started: ")
    assert second.startswith("what 1 thread of good can do over h2c is not known: ")


@pytest.fixture
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "QUIET_LIMIT", 99.0)


def test_a_machine_that_is_loud_is_waited_for_and_has_a_ceiling_all_the_same(bench: Bench) -> None:
    """Was a bug: without a word there was none, and no row could be said to be limited by its generator."""
    told: list[str] = []
    loud = replace(
        driven_by(bench, small=asking([])),
        noise=Noise(foreign_cpu=-1.0, steal=-1.0),
        patience=replace(bench.patience, quiet_s=0.1),
        tell=told.append,
    )
    assert len(list(calibrate(loud, [make_cell(), by("small", threads=2)]))) == 2
    assert ["this machine does not become quiet" in each for each in told] == [True]


def test_a_responder_that_does_not_start_gives_no_ceiling(bench: Bench, tmp_path: Path) -> None:
    encrypted = by("small", protocol="h1s")
    assert list(calibrate(driven_by(bench, small=asking([])), [encrypted])) == []  # there is no certificate
    (log,) = (tmp_path / "logs").iterdir()
    assert "Error" in log.read_text()
    log.unlink()


def test_a_log_that_cannot_be_written_gives_no_ceiling(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for logs in (tmp_path / "none", tmp_path / "file"):
        assert list(calibrate(replace(driven_by(bench, small=asking([])), logs=logs), [make_cell()])) == []


def test_without_cells_of_a_closed_loop_nothing_is_calibrated(bench: Bench) -> None:
    shots: list[Shot] = []
    generators = driven_by(bench, small=asking(shots))
    assert list(calibrate(generators, [])) == []
    assert list(calibrate(generators, [make_cell(rate_percent=30)])) == []
    assert shots == []


def test_the_port_of_a_run_is_left_to_its_servers(bench: Bench) -> None:
    def taken(_: str) -> int:
        pytest.fail("the responder took it")

    assert len(list(calibrate(replace(driven_by(bench, small=asking([])), pick_port=taken), [make_cell()]))) == 1


def test_the_responder_and_the_generator_keep_to_the_cores_of_the_run(bench: Bench, tmp_path: Path) -> None:
    told = tmp_path / "told"
    source = ASKING + f"import os; open({str(told)!r}, 'w').write(str(sorted(os.sched_getaffinity(0))))"
    generator = replace(asking([]), argv=lambda shot: [sys.executable, "-S", "-c", source, shot.url])
    first, last = usable_cores()[0], usable_cores()[-1]
    pinned = replace(driven_by(bench, small=generator), layout=Layout(server=(first,), generator=(last,)))
    assert len(list(calibrate(pinned, [make_cell()]))) == 1
    assert told.read_text() == f"[{last}]"


@pytest.mark.parametrize(("cores", "threads", "processes"), [(1, 1, 1), (0, 2, 1), (-1, 4, 1), (8, 1, 2), (3, 2, 3), (64, 4, 8)])
def test_responders_are_twice_the_generators_threads_as_far_as_there_are_cores(cores: int, threads: int, processes: int) -> None:
    assert responders(cores, threads) == processes


def real(bench: Bench, name: str, program: tools.Tool | None) -> Bench:
    driver = Driver(
        plugin=plugins.load_generators()[name], program=program.path if program else "", env=program.env if program else ()
    )
    return replace(bench, drivers={name: driver}, certificate=make_certificate())


@pytest.mark.servers
@pytest.mark.parametrize(
    ("name", "protocol", "streams"),
    [
        *(("builtin", "h1", 1), ("wrk", "h1", 1), ("wrk", "h1s", 1), ("h2load", "h1", 1), ("h2load", "h1s", 1)),
        *(("h2load", "h2c", 4), ("h2load", "h2", 4)),
    ],
)
def test_each_generator_is_calibrated_in_each_protocol_that_it_drives(
    bench: Bench, request: pytest.FixtureRequest, name: str, protocol: str, streams: int
) -> None:
    program = None if name == "builtin" else request.getfixturevalue(name)
    (found,) = calibrate(real(bench, name, program), [by(name, protocol, connections=8, streams=streams)])
    assert isinstance(found, Ceiling)
    assert (found.generator, found.protocol, found.threads) == (name, protocol, 1)
    assert found.requests_per_s > 1000
    # A generator cannot have used more than its one thread, nor a machine with it.
    assert 0 < found.cpu_us_per_request < 1.3e6 / found.requests_per_s
