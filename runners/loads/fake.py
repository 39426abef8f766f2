"""fake: answers from a seeded model and takes no time, so that everything but the load itself can be tried and tested.

The model, as in matrix.yaml (later globs override earlier ones key by key; only * and ? are wildcards):

    seed: 1
    noise: {kind: normal, sd: 0.03}     # kind: normal, contaminated, one-sided, drift, periodic; shared: size of the common part
    cells: {"*": {rps: 20000, cpu_us: 40}, "granian*": {rps: 30000, workers: {2: 1.8, 4: 2.5}}}     # times rps
    fail: {"hypercorn*": "the sentence that says why"}
    sides: {candidate: {"uvicorn*": {rps: x0.9, cpu_us: 44}}}              # of a check; also fail, invalid, rounds: 1-10
    packages: {"httptools==0.8.0": {"uvicorn*": {cpu_us: x1.2}}}           # the same, where the cell requires this version

With `invalid: 0.2` in the noise every start is lost with that probability. The same model, question and seed always give the same
answer. A server is as busy as `busy` says, at a fixed rate in proportion. In a check a glob may match the id of a cell or its
name without the side; draws go by the id, so that its sides are independent.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import accumulate, pairwise
from random import Random

from servermatrix.contracts import LoadFailure, LoadGenerator, LoadStats, Outcome, Question, Shot, Usage, Window

KINDS = ("normal", "contaminated", "one-sided", "drift", "periodic")
NOISE = {"sd": 0.03, "shared": 0.10, "invalid": 0.0}
NEEDED = ("rps", "cpu_us")
DEFAULTS = {"p99": 3.0, "busy": 0.97, "generator": 0.2, "foreign_cpu": 0.0, "steal": 0.0, "pss_mib": 30.0}
PLAIN = (*NEEDED, *DEFAULTS, "p50_us")
OPTIONAL = (*DEFAULTS, "p50_us", "workers")
Change = tuple[str, float, bool]  # of which number, by how much, and whether that is a factor
CONNECTIONS = 64  # in a closed loop the typical wait is connections / rps
WITHIN = 0.2  # windows of one start differ by this part of what starts differ by
CPU_NOISE = 1 / 3  # CPU per request is that much steadier than requests per second
PERIOD = 5  # rounds
FULLEST = 0.99  # share of its capacity above which a queue at a fixed rate is as long as it gets here

# Latency by share of the requests: up to the median in parts of it, then in powers of the 99th percentile over the median.
FAST = ((0.5, 0.02), (0.6, 0.05), (0.7, 0.09), (0.8, 0.12), (0.9, 0.15), (1.0, 0.17))
SLOW = ((0.1, 0.12), (0.2, 0.09), (0.3, 0.07), (0.45, 0.05), (0.6, 0.03), (0.8, 0.02), (1.0, 0.012))
TAIL = ((1.5, 0.006), (2.5, 0.002))


def simulate(question: Question) -> Window:
    """Answer one question from its model; LoadFailure when the model says so, is mistaken, or knows no such cell."""
    model = _known(question.model, "the fake model", ("seed", "noise", "cells", "fail", "sides", "packages"))
    for reason in [*_matching(model.get("fail", {}), "fail of the fake model", question).values()][-1:]:
        raise LoadFailure(str(reason))
    changes = tuple(_changes(model, question))
    rate, cpu = _noise(model.get("noise", {}), _number(model, "seed", "the fake model", 0), question, changes)
    numbers = _numbers(model, question, changes)
    capacity = max(1, round(numbers["rps"] * rate * question.duration_s))
    full = _stats(question, capacity, numbers["p50_us"] / rate, numbers["p99"])
    stats, used = _at_a_rate(question, capacity, numbers["p99"]) if question.rate_per_s else (full, 1.0)
    return Window(stats=stats, usage=_usage(numbers, stats.requests * numbers["cpu_us"] * cpu, question.workers, used))


def _stats(question: Question, requests: int, p50_us: float, p99: float) -> LoadStats:
    histogram = _histogram(requests, p50_us, p99)
    return LoadStats(
        requests=requests, duration_us=question.duration_s * 1_000_000, histogram=histogram, statuses=((200, requests),)
    )


def _at_a_rate(question: Question, capacity: int, p99: float) -> tuple[LoadStats, float]:
    """Answer an open loop, and say which share of the capacity it used; latency is that of a queue for every worker.

    Source: Kleinrock (1975), Queueing Systems 1, 3.2: in M/M/1 the time in the system is exponential, of mean service / (1 - u).
    Above capacity the queue grows all through the window, and the median is half of what the last answer waits.
    """
    due = max(1, round(question.rate_per_s * question.duration_s))
    answered, window_us = min(due, capacity), question.duration_s * 1e6
    service_us = window_us * question.workers / capacity
    p50_us = math.log(2) * service_us / (1 - min(FULLEST, due / capacity)) + window_us * (1 - answered / due) / 2
    return replace(_stats(question, answered, p50_us, p99), due=due, unanswered=due - answered), answered / capacity


def _usage(numbers: Mapping[str, float], cpu_us: float, workers: int, used: float) -> Usage:
    wall_us = max(1, round(cpu_us / (numbers["busy"] * used * workers)))
    return Usage(
        wall_us=wall_us,
        server_cpu_us=round(cpu_us),
        worker_cpu_us=(round(cpu_us / workers),) * workers,
        generator_cpu_us=round(wall_us * numbers["generator"] * used),
        own_cpu_us=0,
        pss_bytes=round(numbers["pss_mib"] * 2**20) * workers,
        foreign_cpu=numbers["foreign_cpu"],
        steal=numbers["steal"],
    )


def _histogram(requests: int, p50_us: float, p99: float) -> tuple[tuple[int, int], ...]:
    """Spread the requests over some 15 latencies so that the median and p99 / median are the ones asked for."""
    multiples = [*FAST, *((p99**power, share) for power, share in SLOW), *((p99 * factor, share) for factor, share in TAIL)]
    reached = [0, *(round(requests * share) for share in accumulate(share for _, share in multiples))]
    counts: dict[int, int] = {}
    for (multiple, _), (before, after) in zip(multiples, pairwise([*reached[:-1], requests]), strict=True):
        latency_us = max(1, round(p50_us * multiple))
        counts[latency_us] = counts.get(latency_us, 0) + after - before
    return tuple(sorted((latency_us, count) for latency_us, count in counts.items() if count))


def _changes(model: Mapping[str, object], question: Question) -> Iterator[Change]:
    """Yield what the side and the packages of a cell change; LoadFailure when one of them lets it fail."""
    sides = _known(model.get("sides", {}), "sides of the fake model", ("baseline", "candidate"))
    packages = _mapping(model.get("packages", {}), "packages of the fake model")
    if unclear := [name for name in packages if not all("==" in word for word in name.split() or [""])]:
        raise LoadFailure(f"packages of the fake model has {unclear[0]!r}, which is no version of a package as in uvloop==0.22.1")
    chosen = {name: entries for name, entries in sides.items() if name == question.side}
    chosen |= {name: entries for name, entries in packages.items() if set(name.split()) <= set(question.requires)}
    for name, entries in chosen.items():
        for glob, entry in _matching(entries, f"{name} of the fake model", question).items():
            yield from _entry(entry, f"the entry {glob!r} of {name} in the fake model", question.round)


def _entry(entry: object, where: str, number: int) -> Iterator[Change]:
    """Yield what one entry changes in a round; with `rounds` it counts in that one only, or from the first to the last."""
    given = _known(entry, where, (*PLAIN, "invalid", "fail", "rounds"))
    rounds = re.fullmatch(r"(\d+)(?:-(\d+))?", str(given.pop("rounds", number)))
    if rounds is None:
        raise LoadFailure(f"{where} has rounds that are neither a number nor, as in 1-10, the first and the last of several")
    if not int(rounds[1]) <= number <= int(rounds[2] or rounds[1]):
        return
    if "fail" in given:
        raise LoadFailure(str(given["fail"]))
    for key, value in given.items():
        factor = re.fullmatch(r"x(\d{1,6}(?:\.\d+)?)", str(value))
        if factor is None and isinstance(value, str):
            raise LoadFailure(f"{where} has {value!r} as {key}, which must be a number, or a factor as in x0.9")
        yield key, float(factor[1]) if factor else _number(given, key, where, 0), factor is not None


def _changed(numbers: Mapping[str, float], changes: Sequence[Change]) -> dict[str, float]:
    changed = dict(numbers)
    for key, value, is_factor in changes:
        if key in changed:
            changed[key] = value * changed[key] if is_factor else value
    return changed


def _noise(given: object, seed: float, question: Question, changes: Sequence[Change]) -> tuple[float, float]:
    """Return what noise makes of one window: factors on requests per second and on CPU per request."""
    where = "the noise of the fake model"
    noise = _known(given, where, ("kind", *NOISE))
    if (kind := noise.get("kind", KINDS[0])) not in KINDS:
        raise LoadFailure(f"{where} is of kind {kind!r}, which is not one of {', '.join(KINDS)}")
    sd, shared, invalid = (_number(noise, key, where, default) for key, default in NOISE.items())
    run = f"{seed}/{question.seed}"
    start = Random(f"{run}/{question.cell_id}/{question.round}")  # noqa: S311 - reproducible, not secret
    window = Random(f"{run}/{question.cell_id}/{question.round}/{question.window}")  # noqa: S311 - reproducible, not secret
    if Random(f"{run}/{question.cell_id}/{question.round}/lost").random() < _changed({"invalid": invalid}, changes)["invalid"]:  # noqa: S311 - reproducible, not secret
        raise LoadFailure(f"the model lets noise spoil round {question.round}", noise=True)
    spread = sd * 4 if kind == "contaminated" and start.random() < 0.15 else sd  # noqa: PLR2004 - the usual contamination
    common = shared * _common(str(kind), run, question.round)
    # Nothing makes a server faster than it is; the standard deviation of this exponential distribution is 1 too.
    draw = (lambda random: -random.expovariate(1)) if kind == "one-sided" else Random.gauss
    rate = common + spread * draw(start) + sd * WITHIN * draw(window)
    cpu = -sd * CPU_NOISE * (draw(start) + WITHIN * draw(window))
    return math.exp(rate), math.exp(cpu)


def _common(kind: str, run: str, number: int) -> float:
    """Return the part, from -1 to 1, that all cells of a round share, so that pairing by round removes it."""
    phase = 2 * math.pi * Random(run).random()  # noqa: S311 - reproducible, not secret
    if kind == "periodic":
        return math.sin(phase + 2 * math.pi * number / PERIOD)
    return math.tanh(number / 10) * math.copysign(1, math.sin(phase)) if kind == "drift" else 0.0


def _numbers(model: Mapping[str, object], question: Question, changes: Sequence[Change]) -> dict[str, float]:
    """Merge the entries whose glob matches the cell, in their order, over the defaults, and change what is to be changed."""
    said = f"the fake model gives {question.cell_id}"
    if not (entries := _matching(model.get("cells", {}), "cells of the fake model", question)):
        raise LoadFailure(f"no entry of the fake model matches {question.cell_id}")
    numbers, factor = dict(DEFAULTS), 1.0
    for name, entry in entries.items():
        where = f"the entry {name!r} of the fake model"
        given = _known(entry, where, (*NEEDED, *OPTIONAL))
        factor = _factor(given.pop("workers"), f"workers of {where}", question.workers) if "workers" in given else factor
        numbers.update({key: _number(given, key, where, 0) for key in given})
    if missing := [key for key in NEEDED if key not in numbers]:
        raise LoadFailure(f"{said} no {missing[0]}")
    numbers = _changed(numbers, changes)
    numbers = _changed({"p50_us": CONNECTIONS * 1e6 / (numbers["rps"] or 1)}, changes) | numbers
    if empty := [key for key in (*NEEDED, "busy", "p50_us") if numbers[key] <= 0]:
        raise LoadFailure(f"{said} {numbers[empty[0]]:g} as {empty[0]}, which must be above 0")
    if numbers["p99"] < 1:
        raise LoadFailure(f"{said} {numbers['p99']:g} as p99, which must be 1 or more times the median")
    return numbers | {"rps": numbers["rps"] * factor, "p50_us": numbers["p50_us"] / factor}


def _factor(given: object, where: str, workers: int) -> float:
    """Read how many times the rps of one worker so many have: between those given on a line, beyond them as the last."""
    factors = _mapping(given, where)
    if wrong := [count for count in factors if not re.fullmatch(r"[1-9]\d{0,3}", count) or not _number(factors, count, where, 0)]:
        raise LoadFailure(f"{where} has {wrong[0]!r}, which is no number of workers with a factor above 0")
    points = {1: 1.0} | {int(count): _number(factors, count, where, 0) for count in factors}
    below = max(each for each in points if each <= workers)
    above = min((each for each in points if each > workers), default=below)
    return points[below] + (points[above] - points[below]) * (workers - below) / ((above - below) or 1)


def _matching(given: object, where: str, question: Question) -> dict[str, object]:
    """Return the entries whose glob matches the cell: by its id, or by the name that both sides of a check have in common."""
    names = (question.cell_id, question.pair or question.cell_id)
    return {glob: entry for glob, entry in _mapping(given, where).items() if any(map(_pattern(glob).fullmatch, names))}


@lru_cache(maxsize=1024)
def _pattern(glob: str) -> re.Pattern[str]:
    """Compile a glob in which [ stands for itself: cell ids have brackets."""
    return re.compile(re.escape(glob).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def _known(given: object, where: str, keys: tuple[str, ...]) -> dict[str, object]:
    found = _mapping(given, where)
    if unknown := [key for key in found if key not in keys]:
        raise LoadFailure(f"{where} has {unknown[0]!r}, which is not one of {', '.join(keys)}")
    return found


def _mapping(given: object, where: str) -> dict[str, object]:
    if not isinstance(given, Mapping):
        raise LoadFailure(f"{where} must be a mapping, not {given!r}")
    return {str(key): value for key, value in given.items()}


def _number(given: Mapping[str, object], key: str, where: str, default: float) -> float:
    value = given.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise LoadFailure(f"{where} has {value!r} as {key}, which must be a number from 0 on")
    return value


def _parse(_: Shot, __: Outcome) -> LoadStats:
    raise LoadFailure("the fake generator is asked, not run: it has no result to read")


LOAD = LoadGenerator(
    protocols=("h1", "h1s", "h2c", "h2"),
    version=lambda _: "1",
    argv=lambda _: [],
    parse=_parse,
    reconnects=True,
    open_loop=True,
    mixes=True,
    simulate=simulate,
)
