"""The answer of a search in one sentence, its first line for machines, and why the picked cell is the one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from servermatrix.analysis.field import cell_of
from servermatrix.analysis.phrases import counted, joined
from servermatrix.analysis.picks.choice import why
from servermatrix.analysis.picks.standings import Known, Placed
from servermatrix.analysis.picks.words import interval, latency, mebibytes, number, rate, setting
from servermatrix.analysis.summarise import Row
from servermatrix.model import CPU, LATENCY, MEMORY, Candidate, Held, Race, Standing

_BETTER = {CPU: "take less CPU time per request", MEMORY: "take less memory"}
_FASTER = "serve more requests/s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the sentences are about: what was looked for, what became of the cells, and by what they were placed."""

    race: Race
    candidates: tuple[Candidate, ...]
    placed: Placed
    known: Known

    @property
    def picked(self) -> Row | None:
        """Return the row that is recommended, None where there is none."""
        return self.known.rows[self.placed.picked] if self.placed.picked else None

    def of(self, standing: Standing) -> list[Candidate]:
        """Return the cells of which this became."""
        return [one for one in self.candidates if one.standing is standing]


def line(candidates: Sequence[Candidate]) -> str:
    """Write the first line: `pick: uvicorn[http=h11,loop=uvloop]/h1/w2 (3 tied, 41 beaten, 2 failed, 0 over a limit)`."""
    counts = {standing: sum(one.standing is standing for one in candidates) for standing in Standing}
    always = (Standing.TIED, Standing.BEATEN, Standing.FAILED, Standing.OVER_LIMIT)
    seldom = [standing for standing in (Standing.OPEN, Standing.SKIPPED) if counts[standing]]
    picked = next((one.summary.planned.cell.start for one in candidates if one.standing is Standing.PICKED), "nothing")
    return f"pick: {picked} ({', '.join(f'{counts[standing]} {standing}' for standing in (*always, *seldom))})"


def answer(told: Told) -> str:
    """Say in one sentence what to use, or why nothing can be recommended."""
    if told.picked is None:
        return _nothing(told)
    tied = told.of(Standing.TIED)
    cheap = why(told.picked, [told.known.rows[own] for own in told.placed.tied])
    parts = (_recommended(told.picked, told), cheap if tied else "")
    return "; ".join(filter(None, parts))


def _recommended(picked: Row, told: Told) -> str:
    held, cell = told.known.held.get(picked.id), cell_of(picked)
    does = f"{_kept(held, told.race, told.known)}, and " if held else ""
    full = f"it serves {cell.app} at {rate(picked.summary.rps)}" if picked.summary.rps else "it serves it"
    costs = joined([*_costs(picked)])
    # Of what is not told apart yet any may turn out to be the one.
    use = "so far, use" if told.of(Standing.OPEN) else "use"
    return f"{use} {setting(cell)}: {does}{full}{f' with {costs}' if costs else ''}"


def _costs(row: Row) -> Iterator[str]:
    cost, size = row.summary.cpu_us_per_request, row.summary.pss_bytes
    if cost is not None:
        yield f"{interval(cost)} us of CPU time per request"
    if size is not None:
        yield f"{mebibytes(size)} of memory"


def _kept(held: Held, race: Race, known: Known) -> str:
    """Say what a cell did at fixed rates, and that there was no time for more where that is so."""
    took = "" if held.latency_us is None else latency(held.latency_us)
    at = f"{number(held.low_per_s)} requests/s"
    short = f"{counted(held.starts, 'start')}; the time was up before " if held.cell_id in known.unsettled else ""
    rest = f"{short}there were all starts" if short else ""
    if not race.latency_limits:
        return f"its p99 at {at} is {took}{f' ({rest})' if rest else ''}"
    limits = joined([limit.text for limit in race.latency_limits])
    if race.rate_per_s:
        seen = "; ".join(filter(None, (f"p{race.latency_limits[0].percent:g} {took}" if took else "", rest)))
        return f"it keeps {limits} at {number(race.rate_per_s)} requests/s{f' ({seen})' if seen else ''}"
    beyond = f"not at {number(held.high_per_s)}" if held.high_per_s else "" if short else "the most that was tried"
    closer = f"{short}this could be told closer" if short else ""
    return f"it keeps {limits} up to {'at least ' if short else ''}{at} ({'; '.join(filter(None, (beyond, closer)))})"


def _nothing(told: Told) -> str:
    """Say why nothing is recommended."""
    nearest = told.known.rows.get(told.placed.nearest or "")
    if told.placed.early and nearest:
        return f"too few rounds to recommend anything; {_so_far(nearest, told.race.prefer)}"
    if told.race.latency_limits or told.race.prefer == LATENCY:
        if tried := _at_rates(told, nearest):
            return tried
    elif told.of(Standing.OVER_LIMIT):
        limit = told.race.limit(MEMORY)
        size = nearest.summary.pss_bytes if nearest else None
        best = f"; the least is {mebibytes(size)}, by {setting(cell_of(nearest))}" if nearest and size is not None else ""
        return f"no cell that works keeps {limit.text if limit else 'the limits'}{best}"
    failed = told.of(Standing.FAILED)
    if failed and len(failed) == len(told.candidates):
        return f"nothing can be recommended: all {counted(len(failed), 'cell')} failed; the first, with: {failed[0].reason}"
    broken = f", and {counted(len(failed), 'cell')} failed" if failed else ""
    if told.of(Standing.BEATEN):
        return f"nothing can be recommended: none of the cells that worked is left, for each was worse than another{broken}"
    return f"nothing can be recommended: the run ended before there was enough to compare{broken}"


def _so_far(row: Row, prefer: str) -> str:
    """Say what the cell in front has, after too few rounds."""
    name, cost, size = setting(cell_of(row)), row.summary.cpu_us_per_request, row.summary.pss_bytes
    if prefer == CPU and cost is not None:
        return f"the lowest CPU time per request so far is that of {name}, {interval(cost)} us"
    if prefer == MEMORY and size is not None:
        return f"the lowest memory so far is that of {name}, {mebibytes(size)}"
    return f"the highest so far is {name} at {number(row.value)} requests/s"


def _at_rates(told: Told, nearest: Row | None) -> str:
    """Say what was reached at fixed rates, empty where the race itself left nobody to be tried there."""
    limits = joined([limit.text for limit in told.race.latency_limits])
    per_s = f"{number(told.race.rate_per_s)} requests/s" if told.race.rate_per_s else ""
    tried = [own for own, one in told.known.held.items() if one.starts]
    if tried and told.known.broke.keys() >= {*tried}:
        first, those = told.known.broke[tried[0]], counted(len(tried), "cell")
        return f"nothing can be recommended: none of the {those} tried works at fixed rates; the first: {first}"
    if (limits or per_s) and tried:
        at = (f" at {per_s}" if per_s else " at any rate that was tried") if limits else ""
        found = told.known.held.get(nearest.id) if nearest else None
        best = f"; {setting(cell_of(nearest))} came nearest: {found.sentence}" if nearest and found else ""
        return f"no cell {'is known to keep' if told.of(Standing.OPEN) else 'keeps'} {limits or per_s}{at}{best}"
    if not told.of(Standing.OPEN):
        return ""
    known = f"none is known to keep {limits}" if limits else "which answers soonest is not known"
    return f"nothing can be recommended: the run ended before there was enough at fixed rates, so {known}"


def reason_of(picked: Row, placed: Placed, known: Known, race: Race) -> str:
    """Say why the picked cell is the one."""
    held, cheap = known.held.get(picked.id), why(picked, [known.rows[own] for own in placed.tied])
    best = f"{_kept(held, race, known)}; " if held else ""
    lead = _no_one_better(race, at_rates=held is not None)
    return f"{best}{lead}{f', and {cheap}' if cheap else ''}"


def _no_one_better(race: Race, *, at_rates: bool) -> str:
    if not at_rates:
        return f"none of the others was shown to {_BETTER.get(race.prefer, _FASTER)}"
    sooner = race.prefer == LATENCY and (race.rate_per_s or not race.latency_limits)
    better = "answer sooner" if sooner else _BETTER.get(race.prefer, _FASTER)
    return f"of those that were tried{' and keep the limits' if race.latency_limits else ''}, none was shown to {better}"
