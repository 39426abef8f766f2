"""Asks a server from inside what really runs, before anything of it is measured."""

from __future__ import annotations

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from servermatrix.measure.bench import Bench, launch_of, log_name, serving
from servermatrix.measure.environments import distributions, unmet
from servermatrix.measure.failure import StepFailure
from servermatrix.measure.probe import Answer, Question, ask, wait_ready
from servermatrix.model import Cause, Cell, Proof

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


def proof_key(cell: Cell) -> str:
    """Name what a proof is about: cells that differ only in app and load share it."""
    return f"{cell.setting}/{cell.protocol}/w{cell.workers}"


def prove(bench: Bench, cell: Cell) -> Proof:
    """Start a cell's setting on the witness and return what every worker agreed on.

    Raises StepFailure when a package is missing, the server does not come up, or it is not what its label says.
    """
    server = bench.servers[cell.server]
    launch = launch_of(cell, python=bench.python, target=bench.witness.target, port=0, folder="")
    requirements = (*server.requires, *server.needs(launch))
    missing = unmet(requirements, bench.versions, bench.python)
    if missing is not None:
        raise StepFailure(Cause.ENVIRONMENT, missing, fatal=True)
    request = replace(bench.witness.request, path="/?" + "&".join(distributions(requirements)))
    log = bench.logs / log_name(cell, "witness")
    with serving(bench, cell, bench.witness, log) as started:
        question = Question(address=started.address, request=request, expect=bench.witness.expect, patience=bench.patience)
        wait_ready(started.running, question, cell.workers)
        told = hear(question, cell.workers)
    return judge(cell, told, dict(server.proof(launch)))


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
    except (OSError, http.client.HTTPException):
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
            versions=tuple(sorted((str(name), str(version)) for name, version in said["versions"].items())),
        )
    except (ValueError, KeyError, TypeError) as failure:
        raise StepFailure(Cause.SERVER, f"the witness gave no testimony: {answer.body[:80]!r}", fatal=True) from failure


def judge(cell: Cell, told: dict[int, Testimony], expected: dict[str, str]) -> Proof:
    """Compare what was said with the label; StepFailure when they differ."""
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
    one = next(iter(told.values()))
    return Proof(
        key=proof_key(cell),
        loop=one.loop,
        http=one.http,
        http_version=one.http_version,
        workers=len(told),
        python=one.python,
        versions=one.versions,
    )
