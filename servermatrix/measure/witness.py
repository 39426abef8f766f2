"""Asks a server from inside what really runs, before anything of it is measured."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from servermatrix.contracts import Launch
from servermatrix.measure.bench import Bench, Started, Venue, check_alarms, launch_of, serving
from servermatrix.measure.client import Answer
from servermatrix.measure.environments import distributions, unmet
from servermatrix.measure.failure import StepFailure
from servermatrix.measure.logs import log_name
from servermatrix.measure.probe import Question, Ready, ask, wait_ready
from servermatrix.model import Cause, Cell, Proof
from servermatrix.pins import broken_pins

LIMIT_S = 10.0
HTTP_VERSIONS = {"h1": "1.1", "h1s": "1.1", "h2c": "2", "h2": "2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Testimony:
    """What one worker said."""

    pid: int
    loop: str
    http: str
    http_version: str
    python: str
    versions: tuple[tuple[str, str], ...]
    tls: str = ""


def prove(bench: Bench, cell: Cell) -> Proof:
    """Start a cell's setting on the witness and return what every worker agreed on.

    Raises StepFailure when a package is missing, the server does not come up, or it is not what its label says.
    """
    check_interpreter(bench, cell)
    with serving(bench, cell, bench.witness, bench.logs / log_name(cell, "witness")) as started:
        return testify(bench, cell, started)[1]


def check_interpreter(bench: Bench, cell: Cell) -> None:
    """Fail when the interpreter of a cell is not there or lacks what the server needs: some servers would start and hang."""
    venue = bench.venue(cell)
    if venue.failure:
        raise StepFailure(Cause.SERVER, venue.failure, fatal=True)
    requirements = _requirements(bench, cell)
    refused = next((venue.refused[text] for text in requirements if text in venue.refused), None)
    if refused is not None:
        raise StepFailure(Cause.SERVER, refused, fatal=True)
    missing = unmet(requirements, venue.versions, venue.path)
    if missing is None:
        return
    if cell.python or cell.requires:  # made for the cell: what it asks for does not go together, and nothing is to be installed
        raise StepFailure(Cause.SERVER, f"{missing.partition('; type: ')[0]}, in the environment of this cell", fatal=True)
    raise StepFailure(Cause.ENVIRONMENT, missing, fatal=True)


def _requirements(bench: Bench, cell: Cell) -> tuple[str, ...]:
    server = bench.servers[cell.server]
    return (*server.requires, *server.needs(_launch(bench, cell)))


def _launch(bench: Bench, cell: Cell) -> Launch:
    return launch_of(cell, python=bench.venue(cell).path, target=bench.witness.target, port=0, folder="")


def testify(bench: Bench, cell: Cell, started: Started) -> tuple[Ready, Proof]:
    """Wait for the witness, hear every worker and judge; StepFailure when it does not come up or is not what its label says."""
    server, venue = bench.servers[cell.server], bench.venue(cell)
    names = distributions((*_requirements(bench, cell), *venue.pins))
    request = replace(bench.witness.request, path="/?" + "&".join(names))
    question = Question(address=started.address, request=request, expect=bench.witness.expect, patience=bench.patience)
    ready = wait_ready(started.running, question, cell.workers)
    told = hear(question, cell.workers)
    check_alarms(server, started)
    return ready, judge(cell, told, server.proof(_launch(bench, cell)), venue)


def hear(question: Question, workers: int) -> dict[int, Testimony]:
    """Ask over fresh connections, several at once, until every worker has answered; bounded.

    The witness holds its worker while it answers, so that simultaneous connections spread over all of them.
    """
    told: dict[int, Testimony] = {}
    deadline = time.monotonic() + LIMIT_S
    with ThreadPoolExecutor(max_workers=4 * workers) as pool:
        while len(told) < workers and time.monotonic() < deadline:
            asked = [pool.submit(_ask_or_none, question) for _ in range(4 * workers)]
            answers = [answer for each in asked if (answer := each.result()) is not None]
            told.update({said.pid: said for said in map(_read, answers)})
    return told


def _ask_or_none(question: Question) -> Answer | None:
    try:
        return ask(question)
    except OSError:
        return None


def _read(answer: Answer) -> Testimony:
    try:
        said = json.loads(answer.body)
        return Testimony(
            pid=int(said["pid"]),
            loop=str(said["loop"]),
            http=str(said["http"]),
            http_version=str(said["http_version"]),
            python=str(said["python"]),
            versions=tuple(sorted((str(name), str(version)) for name, version in said["versions"].items() if version)),
            tls=answer.tls,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as failure:
        raise StepFailure(Cause.SERVER, f"the witness gave no testimony: {answer.body[:80]!r}", fatal=True) from failure


def judge(cell: Cell, told: Mapping[int, Testimony], expected: Mapping[str, str], venue: Venue) -> Proof:
    """Compare what was said with the label, and versions with those that were asked for; StepFailure when they differ."""
    if len(told) != cell.workers:
        sentence = f"{len(told)} worker processes answered, the label says {cell.workers}"
        raise StepFailure(Cause.SERVER, sentence, fatal=True)
    expected = {**expected, "http_version": HTTP_VERSIONS[cell.protocol]}
    for said in told.values():
        for fact, prefix in expected.items():
            found = str(getattr(said, fact))
            if not found.startswith(prefix):
                sentence = f"{fact.replace('_', ' ')} is {found}, the label says {prefix.rstrip('.')}"
                raise StepFailure(Cause.SERVER, sentence, fatal=True)
        if broken := broken_pins(venue.pins, dict(said.versions), constraints=venue.constraints):
            raise StepFailure(Cause.SERVER, broken, fatal=True)
    one = next(iter(told.values()))
    return Proof(
        key=cell.start,
        loop=one.loop,
        http=one.http,
        http_version=one.http_version,
        workers=len(told),
        python=one.python,
        versions=one.versions,
        interface=cell.interface,
        tls=one.tls,
    )
