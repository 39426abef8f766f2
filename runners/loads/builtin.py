"""The built-in generator for HTTP/1.1: for fixed rates, and for machines without wrk; its numbers stand beside no other's."""

import json
import platform
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from servermatrix.contracts import LoadErrors, LoadFailure, LoadGenerator, LoadStats, Outcome, Request, Shot

PROGRAM = Path(__file__).with_name("_builtin_load.py")
TASK_FILE = "builtin_load.json"
COUNTS = ("connect", "read", "write", "status")
LATE_US = 1000
LATE_SHARE = 0.01
BUSY_SHARE = 0.95


def version(text: str) -> str:
    """Name the Python that runs it; it has no version of its own."""
    return text.strip() or f"Python {platform.python_version()}"


def argv(shot: Shot) -> list[str]:
    """Build the command line; the task is in a file, which may be larger than an argument."""
    return [sys.executable, "-I", "-S", str(PROGRAM), str(Path(shot.folder) / TASK_FILE)]


def files(shot: Shot) -> dict[str, str]:
    """Write down the task: the fields are those of Task in the program."""
    url, asked, cycle = urlsplit(shot.url), _asked(shot), shot.cycle()
    places = {request: place for place, request in enumerate(asked)}
    task = {
        "host": url.hostname,
        "port": url.port or 80,
        "requests": [_laid_out(replace(shot, request=request), status) for request, status in asked.items()],
        "order": [places[request] for request in cycle],
        "requests_per_connection": shot.requests_per_connection,
        "connections": shot.connections,
        "processes": shot.threads,
        "duration_s": shot.duration_s,
        "result": shot.result,
        "rate_per_s": shot.rate_per_s,
        "wait_s": wait_s(shot),
    }
    return {TASK_FILE: json.dumps(task)}


def _asked(shot: Shot) -> dict[Request, int | None]:
    """Return the status of the right answer to each request."""
    return {each.request: each.expect.status for each in shot.mix} or {shot.request: shot.expect_status}


def _laid_out(shot: Shot, expect_status: int | None) -> tuple[str, str, int | None]:
    return shot.wire().decode("latin-1"), shot.wire(last=True).decode("latin-1"), expect_status


def wait_s(shot: Shot) -> int:
    """Say how long to go on after a window of a fixed rate: as long as it lasted, within the time-out."""
    return min(max(1, shot.duration_s), max(1, shot.timeout_s - shot.duration_s))


def processes(shot: Shot) -> int:
    """Count the processes, as the program does: each needs a connection."""
    return min(shot.threads, shot.connections)


def parse(shot: Shot, outcome: Outcome) -> LoadStats:
    """Read the result of one window; LoadFailure for anything that is not a whole one without errors."""
    if outcome.exit_code != 0:
        last = outcome.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise LoadFailure(f"the built-in generator ended with code {outcome.exit_code}: {last[0]}")
    found = _read(outcome)
    errors = {name: _count(_mapping(found, "errors"), name, 0) for name in COUNTS}
    if any(errors.values()):
        raise LoadFailure(_error_sentence(shot, found, errors))
    requests, duration_us = _count(found, "requests"), _count(found, "duration_us")
    if requests == 0:
        raise LoadFailure(f"no request was answered in {shot.duration_s} s")
    longer_s = duration_us / 1e6 - shot.duration_s
    may_s = max(0.15, shot.duration_s * 0.1)
    if not -may_s <= longer_s <= may_s + (wait_s(shot) if shot.rate_per_s else 0):
        raise LoadFailure(f"the built-in generator ran for {duration_us / 1e6:.2f} s instead of {shot.duration_s} s")
    due, unanswered = _check_rate(shot, found, requests) if shot.rate_per_s else (0, 0)
    return LoadStats(
        requests=requests,
        duration_us=duration_us,
        histogram=_pairs(found, "histogram", requests),
        statuses=_pairs(found, "statuses", requests),
        errors=LoadErrors(),
        bytes_read=_count(found, "bytes"),
        due=due,
        unanswered=unanswered,
    )


def _check_rate(shot: Shot, found: Mapping[str, object], requests: int) -> tuple[int, int]:
    """Return what was due and what had no answer; LoadFailure when the generator itself was late.

    It was when it sent over 1 % of what was due, and more than one, over 1 ms late though a connection was idle, or while
    it had nothing to wait for: then what it shows is its own limit, and not the server's. Where it was late by its own fault and
    yet had time to wait, something held it up, and that is noise.
    """
    due, unanswered, late = (_count(found, name) for name in ("due", "unanswered", "late"))
    if due != max(1, round(shot.rate_per_s * shot.duration_s)) or due != requests + unanswered:
        raise LoadFailure(f"the built-in generator's counts do not add up: {due} due, {requests} and {unanswered} not answered")
    sent = _pairs(found, "own_late", None)
    if not requests <= sum(count for _, count in sent) <= due:
        raise LoadFailure(f"the built-in generator's own_late counts do not add up to the requests sent of {due} due")
    own_late = sum(count for us, count in sent if us > LATE_US)
    could_us = processes(shot) * shot.duration_s * 1_000_000
    busy = could_us - _count(found, "waited_us") > BUSY_SHARE * could_us
    lost = "it could not keep the rate, and this machine cannot show how the server does at it"
    if own_late > max(1, LATE_SHARE * due):
        sentence = f"the built-in generator sent {own_late} of {due} requests over 1 ms late by its own fault: {lost}"
        raise LoadFailure(sentence, noise=not busy)
    if busy and late > LATE_SHARE * due:
        raise LoadFailure(f"the built-in generator was busy all the time and sent {late} of {due} requests late: {lost}")
    return due, unanswered


def _read(outcome: Outcome) -> Mapping[str, object]:
    if not outcome.result:
        raise LoadFailure("the built-in generator wrote no result")
    try:
        found = json.loads(outcome.result)
    except (ValueError, RecursionError):
        raise LoadFailure("the built-in generator's result is no JSON document") from None
    if not isinstance(found, dict) or found.get("schema") != 1:
        raise LoadFailure("the built-in generator's result is not of schema 1")
    return found


def _error_sentence(shot: Shot, found: Mapping[str, object], errors: Mapping[str, int]) -> str:
    said = ", ".join(f"{count} {name}" for name, count in errors.items() if count)
    if not errors["status"]:
        return f"the built-in generator counted {said} errors: the server closed or refused connections"
    statuses = _listed(_pairs(found, "statuses", None))
    return f"the built-in generator counted {said} errors; the answers were {statuses}{_wrong_ones(shot, found)}"


def _wrong_ones(shot: Shot, found: Mapping[str, object]) -> str:
    """Say of each request of a mix that was answered wrongly with what."""
    answers = found.get("answers")
    if not shot.mix or not isinstance(answers, list):
        return ""
    said = []
    for (request, right), counts in zip(_asked(shot).items(), answers, strict=False):
        wrong = [pair for pair in _pairs({"answers": counts}, "answers", None) if pair[0] != right]
        said += [f"; {request.method} {request.path}: {_listed(wrong)} instead of {right}"] if wrong else []
    return "".join(said)


def _listed(statuses: Iterable[tuple[int, int]]) -> str:
    return ", ".join(f"{count} of status {status}" for status, count in statuses)


def _mapping(found: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = found.get(name)
    if not isinstance(value, dict):
        raise LoadFailure(f"the built-in generator's result has no {name}")
    return value


def _count(found: Mapping[str, object], name: str, default: int | None = None) -> int:
    value = found.get(name, default)
    if type(value) is not int or value < 0:
        raise LoadFailure(f"the built-in generator's result has no count {name}")
    return value


def _pairs(found: Mapping[str, object], name: str, total: int | None) -> tuple[tuple[int, int], ...]:
    """Read (value, count) pairs; LoadFailure unless the counts sum to the total."""
    pairs = found.get(name)
    try:
        read = tuple((int(value), int(count)) for value, count in pairs) if isinstance(pairs, list) else ()
    except (TypeError, ValueError, OverflowError):
        read = ()
    if any(value < 0 or count < 0 for value, count in read) or list(dict(read)) != sorted(value for value, _ in read):
        raise LoadFailure(f"the built-in generator's {name} are not counts in ascending order")
    if total is not None and sum(count for _, count in read) != total:
        raise LoadFailure(f"the built-in generator's {name} counts do not add up to {total} requests")
    return read


LOAD = LoadGenerator(
    protocols=("h1",), version=version, argv=argv, files=files, parse=parse, reconnects=True, open_loop=True, mixes=True
)
