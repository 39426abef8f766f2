"""Starts every setting once on the app before a race, and compares what they answer; nothing is driven and nothing measured.

Every request is asked twice of each setting, with one worker. The first setting is asked again after more than a second, so that
a time of day in an answer shows. Before a setting is left out because it answers otherwise than most, one of those is started
again: where that does not answer as it did before, it is the app whose answers change, and no setting is to blame.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from servermatrix.measure import probe
from servermatrix.measure.answers import Said, Seen, compared, volatile
from servermatrix.measure.bench import Bench, check_alarms, serving
from servermatrix.measure.failure import StepFailure, last_words, refused
from servermatrix.measure.logs import log_name
from servermatrix.measure.process import Running
from servermatrix.measure.quiet import nobody
from servermatrix.measure.witness import check_interpreter
from servermatrix.model import App, Cause, Cell

BETWEEN_S = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What came of it: `excluded` says by cell id why a cell is to be left out, `warnings` are sentences about the app.

    `answers` are SHA-256 sums of bodies by the setting that was started and by request, `changing` says of requests how
    their answers differ under the same setting, with the bytes. `nothing` is a sentence where no setting gave the right answer,
    `unfit` tells that this is for want of what is needed here, and not the app's doing.
    """

    excluded: Mapping[str, str]
    warnings: tuple[str, ...] = ()
    answers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    changing: Mapping[str, str] = field(default_factory=dict)
    nothing: str = ""
    unfit: bool = False


def rehearse(
    bench: Bench, cells: Iterable[Cell], app: App, *, before: Callable[[str], None] = nobody, between_s: float = BETWEEN_S
) -> Rehearsal:
    """Start each setting of these cells once, with one worker, and say which of them are to be left out.

    `before` is told the name of each that is started. Raises nothing for an app or a server that fails.
    """
    by_start: dict[str, list[Cell]] = {}
    for cell in cells:
        by_start.setdefault(single(cell).start, []).append(cell)
    seen, reasons = dict[str, Seen](), dict[str, StepFailure]()
    for name, group in by_start.items():
        before(name)
        try:
            seen[name] = _asked(bench, group[0], app, 0.0 if seen else between_s)
        except StepFailure as failure:
            reasons[name] = failure
    return _judged(bench, app, by_start, seen, reasons)


def single(cell: Cell) -> Cell:
    """Return the cell with one worker."""
    return replace(cell, workers=1)


def _judged(
    bench: Bench, app: App, by_start: Mapping[str, Sequence[Cell]], seen: dict[str, Seen], failures: Mapping[str, StepFailure]
) -> Rehearsal:
    pairs, reasons = [*seen.values()], {name: failure.reason for name, failure in failures.items()}
    found = compared(seen, pairs)
    if found.others and found.most:
        pairs += _since(bench, app, by_start[found.most][0], seen[found.most])
        found = compared(seen, pairs)
    changing = volatile(pairs)
    excluded = {**reasons, **found.others}
    return Rehearsal(
        excluded={cell.id: excluded[name] for name, group in by_start.items() if name in excluded for cell in group},
        warnings=(*(f"{said}; they are compared by status and length alone" for said in changing.values()), *found.warnings),
        answers={name: {request: said.digest for request, said in one.first.items()} for name, one in seen.items()},
        changing=changing,
        nothing="" if seen or not failures else _nothing(failures),
        unfit=not seen and all(failure.cause is Cause.ENVIRONMENT for failure in failures.values()),
    )


def _nothing(failures: Mapping[str, StepFailure]) -> str:
    """Say why no setting gave the right answer: what is the app's doing first, for what is not installed says nothing of it."""
    name, failure = min(failures.items(), key=lambda one: one[1].cause is Cause.ENVIRONMENT)
    count = "the only setting does not" if len(failures) == 1 else f"none of the {len(failures)} settings does"
    return f"the app does not answer rightly: {count}; {name}: {failure.reason}"


def _since(bench: Bench, app: App, cell: Cell, before: Seen) -> list[Seen]:
    """Start a setting once more, and put what it answers beside what it answered before; nothing where it does not answer."""
    try:
        again = _asked(bench, cell, app, 0.0)
    except StepFailure:
        return []
    return [Seen(first=before.first, second=again.first, apart="start")]


def _asked(bench: Bench, cell: Cell, app: App, between_s: float) -> Seen:
    """Start a setting, ask each request twice, stop it; StepFailure when it does not come up or an answer is wrong."""
    one = single(cell)
    check_interpreter(bench, one)
    log = bench.logs / log_name(one, "rehearsal")
    try:
        with serving(bench, one, app, log) as started:
            asked = probe.questions(started.address, app, bench.patience)
            probe.wait_ready(started.running, asked[0], one.workers)
            check_alarms(bench.servers[one.server], started)
            first = _answers(started.running, asked)
            time.sleep(between_s)
            return Seen(first=first, second=_answers(started.running, asked))
    except OSError as error:
        raise refused(error) from error


def _answers(running: Running, asked: Sequence[probe.Question]) -> dict[str, Said]:
    found: dict[str, Said] = {}
    for one in asked:
        name = f"{one.request.method} {one.request.path}"
        times = sum(known.split(" (")[0] == name for known in found)
        found[f"{name} ({times + 1})" if times else name] = _answer(running, one)
    return found


def _answer(running: Running, question: probe.Question) -> Said:
    heard = probe.hear(question)
    if heard.answer is None or heard.wrong is not None:
        asked = f"asked {question.request.method} {question.request.path}, the server"
        raise StepFailure(Cause.SERVER, f"{asked} {heard.wrong}{last_words(running.log)}", fatal=True)
    return Said(status=heard.answer.status, body=heard.answer.body)
