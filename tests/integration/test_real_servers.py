"""Every server plug-in in every combination, started for real: it is what its label says, answers under load, and is gone."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from servermatrix.config.applications import builtin_app
from servermatrix.measure.bench import Bench, Driver, Venue, wanted
from servermatrix.measure.certificate import make_certificate
from servermatrix.measure.environments import distributions, installed
from servermatrix.measure.logs import KEPT_LOG_BYTES, log_name
from servermatrix.measure.probe import Patience
from servermatrix.measure.run import measure_step
from servermatrix.measure.tools import Tool
from servermatrix.measure.verify import Suspect, verify
from servermatrix.model import ENCRYPTED, HTTP2, Cell, Load, Measured, Noise, Proof, Step, Validity
from servermatrix.plugins import load_generators, load_servers
from tests.combinations import Combination, combinations
from tests.conftest import none_left
from tests.room import guarded

pytestmark = pytest.mark.servers

ALL = tuple(combinations())
# Never to be fast or slow, only to be there: the machine that runs the tests may be busy.
ANY_NOISE = Noise(foreign_cpu=1e9, steal=1.0)


def first_of_each(found: Iterable[Combination], *options: str) -> list[Combination]:
    """Keep the first combination of each server and protocol that differs in these options."""
    kept: dict[tuple[str, ...], Combination] = {}
    for one in found:
        kept.setdefault((one.name, one.protocol, *(dict(one.options).get(name, "") for name in options)), one)
    return list(kept.values())


def unusual(one: Combination) -> int:
    """Count the options that do not stand at their defaults."""
    return sum(value != one.server.options[name].default for name, value in one.options)


USUAL = sorted(ALL, key=unusual)
WITH_TWO = [one for one in USUAL if one.server.objection(one.launch(workers=2)) is None]
# Each of them starts its workers in a way of its own.
PROVEN_WITH_TWO = first_of_each(WITH_TWO, "worker", "interface")
# Servers within a server.
MORE = [one for one in USUAL if {"uvicorn", "gthread", "rsgi"} & set(dict(one.options).values()) and one.protocol in {"h1", "h2"}]
LOADED = list(dict.fromkeys(map(str, [*first_of_each(USUAL), *first_of_each(MORE, "worker", "interface")])))
# The first of these waits 40 ms for every answer on a connection that is kept.
LOADED_WITH_TWO = [
    "uvicorn[http=h11,loop=asyncio]/h1",
    *(str(one) for one in first_of_each(WITH_TWO) if one.protocol in {"h1", "h2"}),
]
LOGGING = [one.logging() for one in first_of_each(USUAL) if one.protocol == "h1"]
BY_NAME = {str(one): one for one in ALL}


def cell_of(one: Combination, workers: int = 1) -> Cell:
    """Describe a cell of a combination, driven as its protocol is by default."""
    return Cell(
        server=one.name,
        options=one.options,
        label=one.label,
        protocol=one.protocol,
        workers=workers,
        app="plaintext",
        interface=one.server.interface(one.launch()),
        load=Load(
            generator="h2load" if one.protocol in HTTP2 else "wrk",
            connections=8,
            threads=1,
            duration_s=1,
            warmup_s=0,
            windows=1,
            streams=4 if one.protocol in HTTP2 else 1,
        ),
    )


@pytest.fixture(scope="module")
def room(wrk: Tool, h2load: Tool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A bench with real generators and one certificate, on which every server runs in this interpreter."""
    needed = [text for one in ALL for text in (*one.server.requires, *one.server.needs(one.launch()))]
    venue = Venue(path=sys.executable, versions=installed(sys.executable, distributions(needed)))
    plugins = load_generators()
    with guarded() as guard:
        yield Bench(
            venues={wanted(cell_of(one)): venue for one in ALL},
            servers=load_servers(),
            apps={"plaintext": builtin_app("plaintext")},
            witness=builtin_app("witness"),
            drivers={
                name: Driver(plugin=plugins[name], program=tool.path, env=tool.env)
                for name, tool in (("wrk", wrk), ("h2load", h2load))
            },
            guard=guard,
            logs=tmp_path_factory.mktemp("logs"),
            noise=ANY_NOISE,
            certificate=make_certificate(),
            patience=Patience(answer_s=10.0, ready_s=40.0),
        )


@pytest.fixture
def bench(room: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """The bench with a folder for temporary files that marks every process that is started on it; at the end none is left."""
    marker = tmp_path / "marker"
    marker.mkdir()
    monkeypatch.setenv("TMPDIR", str(marker))
    monkeypatch.setattr("tempfile.tempdir", str(marker))
    yield room
    assert none_left(marker) == []
    assert list(marker.iterdir()) == [], "a work folder was left behind"


def named(found: Iterable[Combination]) -> list[object]:
    return [pytest.param(one, id=str(one)) for one in found]


def proven(bench: Bench, one: Combination, workers: int) -> Proof:
    """Start a combination on the witness, demand that it is what its label says and ends by itself, and return its proof."""
    cell = cell_of(one, workers)
    (seen,) = verify(bench, [Suspect(cell=cell)])
    assert (seen.validity, seen.reason, seen.left) == (Validity.VALID, "", "")
    assert seen.exit_code in {0, -15}, "it had to be killed"
    assert seen.proof is not None
    return seen.proof


@pytest.mark.parametrize(
    ("one", "workers"),
    [
        *(pytest.param(one, 1, id=f"{one}/w1") for one in ALL),
        *(pytest.param(one, 2, id=f"{one}/w2") for one in PROVEN_WITH_TWO),
    ],
)
def test_a_server_is_what_its_label_says_and_is_gone_after_the_stop(bench: Bench, one: Combination, workers: int) -> None:
    proof = proven(bench, one, workers)
    launch = one.launch(workers=workers)
    expected = one.server.proof(launch)
    assert proof.workers == workers
    assert proof.http_version.partition(".")[0] == ("2" if one.protocol in HTTP2 else "1")
    assert proof.loop.startswith(expected["loop"])
    assert proof.http.startswith(expected["http"])
    assert proof.interface == one.server.interface(launch)
    assert proof.tls.startswith("TLSv1.3 ") if one.protocol in ENCRYPTED else proof.tls == ""
    assert {name for name, _ in proof.versions} == set(distributions((*one.server.requires, *one.server.needs(launch))))


def measured(bench: Bench, one: Combination, workers: int = 1) -> Measured:
    """Measure one step and demand that it gives a whole number."""
    sample = measure_step(bench, Step(cell=cell_of(one, workers), round=1))
    assert isinstance(sample, Measured), sample
    assert sample.startup_s > 0
    (window,) = sample.windows
    assert window.stats.requests > 0
    assert window.stats.errors.total == 0
    assert window.usage.server_cpu_us > 0
    assert (window.usage.pss_bytes or 0) > 2**20
    assert len(window.usage.worker_cpu_us) >= workers
    return sample


@pytest.mark.parametrize(
    ("one", "workers"),
    [
        *(pytest.param(BY_NAME[name], 1, id=f"{name}/w1") for name in LOADED),
        *(pytest.param(BY_NAME[name], 2, id=f"{name}/w2") for name in LOADED_WITH_TWO),
    ],
)
def test_a_server_answers_under_load_in_its_protocol(bench: Bench, one: Combination, workers: int) -> None:
    sample = measured(bench, one, workers)
    assert sample.wire is not None
    assert (sample.wire.body_bytes, sample.wire.framing) == (len("Hello, World!"), "content-length")
    least, most = (5, 120) if one.protocol in HTTP2 else (60, 250)
    assert least < sample.wire.head_bytes < most
    log = bench.logs / log_name(cell_of(one, workers), "round-1")
    assert not log.exists() or log.read_bytes().count(b"\n") < sample.windows[0].stats.requests / 4, "it writes an access log"


@pytest.mark.parametrize("one", named(LOGGING))
def test_an_access_log_that_is_asked_for_is_written_and_does_not_fail_the_step(bench: Bench, one: Combination) -> None:
    sample = measured(bench, one)
    log = bench.logs / log_name(cell_of(one), "round-1")
    lines = log.read_bytes().count(b"\n")
    assert lines >= sample.windows[0].stats.requests or log.stat().st_size == KEPT_LOG_BYTES
