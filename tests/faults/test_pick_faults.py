"""A search on real servers: answers that change or differ, and servers that break at a rate; nothing may be left running."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from servermatrix import plugins
from servermatrix.analysis.holding import held
from servermatrix.contracts import Launch, Server
from servermatrix.measure.bench import Bench, Driver, wanted
from servermatrix.measure.holding import attempts
from servermatrix.measure.rehearsal import rehearse
from servermatrix.model import App, Asked, Attempt, Cell, Failed, Limit, Measured, Plan, Race, Request, Run
from tests.conftest import write_app
from tests.faults.real_servers import ANY_NOISE, cell, real
from tests.faults.test_bad_servers import stub
from tests.unit.analyse_runs import measured, run, window

pytestmark = pytest.mark.servers

CHANGING = """
import datetime, sys, uuid

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    bodies = {
        "/steady": "the same for all",
        "/uuid": f'{{"id": "{uuid.uuid4()}"}}',
        "/date": f"{datetime.datetime.now():%Y-%m-%d %H:%M:%S}",
        "/server": "granian differs" if "granian" in sys.modules else "most are alike",
    }
    body = bodies[scope["path"]].encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})
"""
LIMIT = Limit(metric="latency", bound=1e6, text="p99<1s", percent=99.0)
RACE = Race(limits=(LIMIT,), holding_s=20, generator="builtin")


def defaults(server: str, **more: str) -> Cell:
    """Describe a cell with every option of its server at its default."""
    known = {name: str(option.default) for name, option in plugins.load_servers()[server].options.items()}
    plain = cell(server, options={**known, **more})
    return replace(plain, label=",".join(f"{name}={value}" for name, value in sorted(more.items())))


def on_all(bench: Bench, cells: Sequence[Cell], app: App) -> Bench:
    ready = real(bench, cells[0])
    venue = next(iter(ready.venues.values()))
    return replace(ready, venues={wanted(one): venue for one in cells}, apps={app.name: app})


def test_real_servers_are_rehearsed_and_bytes_that_change_or_differ_are_told(bench: Bench, tmp_path: Path) -> None:
    folder = write_app(tmp_path, "changing", CHANGING)
    mix = tuple(Asked(request=Request(path=path)) for path in ("/steady", "/uuid", "/date", "/server"))
    app = App(name="ok", target="changing:app", folder=str(folder), request=mix[0].request, mix=mix)
    cells = [defaults(name) for name in ("uvicorn", "hypercorn", "granian")]
    found = rehearse(on_all(bench, cells, app), cells, app)
    assert set(found.excluded) == {cells[2].id}
    assert "it answers GET /server otherwise than most: from byte 0 on" in found.excluded[cells[2].id]
    assert "'granian differs'" in found.excluded[cells[2].id]
    assert sorted(warning.split(" differ ")[0] for warning in found.warnings) == [
        "the answers to GET /date",
        "the answers to GET /uuid",
    ]
    # Two random texts begin alike once in sixteen times.
    assert re.search(r"from call to call: from byte ([89]|\d\d) on", found.warnings[0])
    assert set(found.answers) == {one.start for one in cells}
    assert len({answers["GET /steady"] for answers in found.answers.values()}) == 1


def tried(bench: Bench, server: Server, of: Cell, rps: float = 8.0, race: Race = RACE) -> tuple[Run, list[Attempt]]:
    """Try a stub that served so many requests/s in the race, few enough for a busy machine, and return what became of it."""
    raced = run([of], [measured(of, number, window(rps)) for number in (1, 2, 3)], 3)
    raced = replace(raced, header=replace(raced.header, race=race))
    plan = Plan(cells=(of,), excluded=(), apps=(), rounds=3, seed=1, noise=ANY_NOISE, race=race)
    drivers = {"builtin": Driver(plugin=plugins.load_generators()["builtin"])}
    ready = replace(bench, servers={"stub": server}, drivers=drivers)
    found = list(attempts(ready, plan, raced, lambda _: None))
    return replace(raced, attempts=tuple(found)), found


def test_a_server_that_dies_at_a_fixed_rate_is_given_up_after_two_starts(bench: Bench) -> None:
    run_, found = tried(bench, stub("dies", "0.6"), cell(), 200.0)
    assert [type(one.sample) for one in found] == [Failed, Failed]
    (said,) = held(run_)
    assert (said.low_per_s, said.starts) == (0.0, 2)
    assert "with code 0" in said.sentence


def test_a_server_that_behaves_is_driven_at_rates_by_the_built_in_generator(bench: Bench) -> None:
    # Of so few requests the median alone can be told.
    median = Limit(metric="latency", bound=2e6, text="p50<2s", percent=50.0)
    run_, found = tried(bench, stub("works"), cell(), race=replace(RACE, limits=(median,)))
    starts = [one.sample for one in found if isinstance(one.sample, Measured)]
    assert starts
    assert {one.rate_per_s for one in found} <= {4.0, 7.6}
    assert all(start.windows[0].stats.due in {4, 8} for start in starts)
    (said,) = held(run_)
    assert said.low_per_s in {4.0, 7.6}
    assert said.latency_us is not None


def test_a_server_that_does_not_come_up_any_more_fails_its_attempts(bench: Bench) -> None:
    def gone(launch: Launch) -> list[str]:
        return [launch.python, "-c", "raise SystemExit('the database is gone')"]

    broken = Server(requires=(), options={}, protocols=("h1",), argv=gone, proof=lambda _: {})
    run_, found = tried(bench, broken, cell())
    assert len(found) == 2
    assert "the database is gone" in held(run_)[0].sentence
