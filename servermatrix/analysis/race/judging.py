"""What is left out of a race at its looks, when it ends, and what became of each cell: Run -> Decision, Run -> Outcome."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from math import exp, isfinite, log1p

from servermatrix.analysis.phrases import counted
from servermatrix.analysis.race.became import Outcome
from servermatrix.analysis.race.duels import FEWEST, Duels, beaten_in_family, duels
from servermatrix.analysis.race.entrants import Entrants, entrants
from servermatrix.analysis.race.schedule import ENOUGH, last_look
from servermatrix.model import CPU, MEMORY, Decision, Estimate, Look, Race, Run

REFERENCE = "it was measured for comparison only"
ALIKE = 0.01  # cells that surely differ by less than this share are not worth telling apart
NO_ONE = "no cell is left that could be picked"
OTHERS = "those in front failed or are over the limit of memory, and nobody else is left to be measured"
WORDS = {
    CPU: "it takes {ratio} times the CPU time per request of {name}",
    MEMORY: "it takes {ratio} times the memory of {name}",
}
SERVES = "it serves {ratio} times as many requests as {name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """A race at a look: `ids` are the rows of the duels, `playing` those that may still be picked, `leader` one of these."""

    entrants: Entrants
    race: Race
    ids: tuple[str, ...]
    names: tuple[str, ...]
    playing: tuple[int, ...]
    duels: Duels
    leader: int | None


def decide(run: Run, look: Look) -> Decision:
    """Return what to do at a look, after the last step of its round.

    A cell is left out when it is surely worse than another that may still be picked, when it failed, or is over the limit of
    memory. The race ends when one is left, or those that are left are surely alike, not before they had enough rounds for their
    figures to be worth something.
    """
    gone = _left_out(run, look.round - 1)
    state = _state(run, look, gone)
    references = (run.header.race or Race()).references
    known = {one.cell.id for one in run.header.cells}
    dropped = {own: REFERENCE for own in references if own in known}
    dropped |= {own: f"it failed: {reason}" for own, reason in state.entrants.failed.items()}
    dropped |= {**state.entrants.over, **state.entrants.skipped, **_beaten(state)}
    new = tuple((own, reason) for own, reason in dropped.items() if own not in gone)
    out = dropped.keys() | gone.keys()
    left = [cell.id for cell in state.entrants.cells if cell.id not in out]
    stopped = (
        (_stopped(state, left, look.round) or _emptied(run, look, left, state.entrants))
        if any(one.round > look.round for one in run.header.looks)
        else ""
    )
    return Decision(round=look.round, alpha=look.alpha, dropped=new, stopped=stopped)


def outcome(run: Run) -> Outcome:
    """Return what became of each cell, by the test of the last look on all rounds there are, ended or not."""
    look = last_look(run)
    found = entrants(run, look.round)
    competing = {cell.id for cell in found.cells} - _out(found)
    stored = _left_out(run, look.round)
    gone = _still_beaten(run, look.round, _out(found))
    back = stored.keys() - gone.keys()
    state = _state(run, look, gone)
    beaten = {own: reason for own, reason in gone.items() if own in competing} | _beaten(state)
    best = None if state.leader is None else state.ids[state.leader]
    scores = _scores(state)
    left = [cell.id for cell in found.cells if cell.id in competing and cell.id not in beaten and cell.id != best]
    tied = [own for own in left if own in scores and scores[own].low is not None and own not in back]
    return Outcome(
        best=best,
        tied=tuple(sorted(tied, key=lambda own: -scores[own].value)),
        beaten=beaten,
        over=found.over,
        failed=found.failed,
        skipped=found.skipped,
        open=tuple(own for own in left if own not in tied),
        scores=scores,
    )


def _left_out(run: Run, until: int) -> dict[str, str]:
    return {own: reason for one in run.decisions if one.round <= until for own, reason in one.dropped}


def _out(found: Entrants) -> set[str]:
    return {*found.failed, *found.over, *found.skipped}


def _still_beaten(run: Run, until: int, out: AbstractSet[str]) -> dict[str, str]:
    """Return who was left out, and why, but for those that were beaten only by cells that dropped out since.

    Each look is taken again without these, from the first one on at which one of them was still there.
    """
    gone: dict[str, str] = {}
    dropped: set[str] = set()
    for one in sorted(run.decisions, key=lambda one: one.round):
        if one.round > until:
            break
        dropped |= {own for own, _ in one.dropped}
        if out <= dropped and dropped - {own for own, _ in one.dropped} <= gone.keys() | out:
            gone |= dict(one.dropped)
            continue
        again = _beaten(_state(run, Look(round=one.round, alpha=one.alpha), {**gone, **dict.fromkeys(out, "")}))
        gone |= {own: again.get(own, reason) for own, reason in one.dropped if own in out or own in again}
    return gone


def _state(run: Run, look: Look, gone: Mapping[str, str]) -> _State:
    found = entrants(run, look.round)
    ids, starts = found.ids, {cell.id: cell.start for cell in found.cells}
    told = duels(found.table(), look.alpha / found.comparisons)
    playing = tuple(place for place, own in enumerate(ids) if own not in gone and own not in found.over)
    return _State(
        entrants=found,
        race=run.header.race or Race(),
        ids=ids,
        names=tuple(starts[own] for own in ids),
        playing=playing,
        duels=told,
        leader=_leader(told, playing),
    )


def _leader(told: Duels, playing: Sequence[int]) -> int | None:
    """Return who is ahead on the average, of those with half as many rounds as anyone or more, and that nobody surely beats."""
    import numpy as np  # noqa: PLC0415 - not in memory before the first look

    if not playing:
        return None
    among = told.among(playing)
    ahead = np.nansum(among.centres, axis=1) / np.maximum(1, (among.rounds > 0).sum(axis=1))
    own = np.diag(among.rounds)
    known = 2 * own >= own.max()
    unbeaten = known & ~among.better.any(axis=0)
    return playing[int(np.argmax(np.where(unbeaten if unbeaten.any() else known, ahead, -np.inf)))]


def _beaten(state: _State) -> dict[str, str]:
    """Say of those that may be picked which are surely worse than another of them, or lie beyond what was seen to fall off."""
    rows = state.playing
    if not rows:
        return {}
    among = state.duels.among(rows)
    beyond = beaten_in_family(among, state.entrants.families([state.ids[row] for row in rows]))
    said = {rows[own]: _family_sentence(state, rows[one], rows[other]) for own, (one, other) in beyond.items()}
    for row, column in zip(rows, among.better.T.tolist(), strict=True):
        showing = [other for other, is_better in zip(rows, column, strict=True) if is_better]
        if showing:
            said[row] = _sentence(state, row, _best_evidence(state, showing, row))
    return {state.ids[row]: said[row] for row in sorted(said) if row != state.leader}


def _best_evidence(state: _State, showing: Sequence[int], own: int) -> int:
    """Return which of the rows that are better shows it best: the leader, if it is one of them."""
    if state.leader is not None and state.leader in showing:
        return state.leader
    gaps = state.duels.centres - state.duels.half_widths
    return max(showing, key=lambda row: float(gaps[row, own]))


def _sentence(state: _State, own: int, other: int) -> str:
    centre, half = float(state.duels.centres[own, other]), float(state.duels.half_widths[own, other])
    way = 1 if state.race.prefer not in WORDS else -1
    value, *ends = (exp(way * centre), *sorted((exp(way * centre - half), exp(way * centre + half))))
    ratio = f"{value:.3g} [{ends[0]:.3g}, {ends[1]:.3g}]"
    name = _named(state, other)
    rounds = counted(int(state.duels.rounds[own, other]), "round")
    return f"{WORDS.get(state.race.prefer, SERVES).format(ratio=ratio, name=name)}, by {rounds}"


def _family_sentence(state: _State, one: int, other: int) -> str:
    return f"the same settings are worse as {_named(state, one)} than as {_named(state, other)}, and it lies beyond"


def _named(state: _State, row: int) -> str:
    return state.names[row]


def _stopped(state: _State, left: Sequence[str], number: int) -> str:
    """Say why the race ends, empty when it goes on."""
    if number < ENOUGH or not left:
        return ""
    if len(left) == 1:
        return "one cell is left"
    if _alike(state, left):
        return f"the {len(left)} cells that are left differ by less than {ALIKE:.0%}".replace("%", " %")
    return ""


def _emptied(run: Run, look: Look, left: Sequence[str], found: Entrants) -> str:
    """Say why a race ends that has nobody left to measure, empty when it has."""
    if left:
        return ""
    beaten = {own for own in _left_out(run, look.round - 1) if own in found.scores and own not in _out(found)}
    return OTHERS if beaten else NO_ONE


def _alike(state: _State, left: Sequence[str]) -> bool:
    """Tell whether no two of them can differ by as much as would matter."""
    places = [place for place, own in enumerate(state.ids) if own in left]
    if len(places) < len(left):
        return False
    most = abs(state.duels.centres) + state.duels.half_widths
    return all(bool(most[one, other] < log1p(ALIKE)) for one in places for other in places if one < other)


def _scores(state: _State) -> dict[str, Estimate]:
    return dict(_estimates(state)) if state.leader is not None else {}


def _estimates(state: _State) -> Iterator[tuple[str, Estimate]]:
    best = state.leader
    for own, name in enumerate(state.ids):
        rounds = int(state.duels.rounds[own, best])
        centre, half = float(state.duels.centres[own, best]), float(state.duels.half_widths[own, best])
        if own == best:
            yield name, Estimate(value=1.0, low=1.0, high=1.0, n=rounds)
        elif rounds:
            told = rounds >= FEWEST and isfinite(half)
            yield (
                name,
                Estimate(
                    value=exp(centre),
                    low=exp(centre - half) if told else None,
                    high=exp(centre + half) if told else None,
                    n=rounds,
                ),
            )
