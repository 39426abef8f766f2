"""Nights -> what they say together: lines of accumulated ratios, change points, and what ceased to report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from servermatrix.analysis.lines import line, promotions
from servermatrix.analysis.nights import machine
from servermatrix.analysis.phrases import counted
from servermatrix.analysis.stopping import not_concerned, stopped, waiting
from servermatrix.errors import NothingSelected
from servermatrix.globs import any_matches
from servermatrix.model import Night, NightCell
from servermatrix.model.trends import Line, Trend

LAST = 60
_AHEAD = timedelta(days=1)  # clocks of two machines differ, but not by more


def trend(
    nights: Iterable[Night],
    last: int = LAST,
    *,
    keep: tuple[str, ...] = (),
    now: datetime | None = None,
    max_age: timedelta | None = None,
) -> Trend:
    """Say what the last nights say together, in whatever order they come.

    `keep` are globs of cells, `max_age` is how long ago the latest night may have begun.
    Nights that began more than a day after `now` are left out, with a note, and so are those that were simulated, unless all
    were. Raises NothingSelected where none is left.
    """
    now = now or datetime.now(UTC)
    found = sorted(((began(night), night.id, night) for night in nights), key=lambda one: one[:2])
    ahead = [night for start, _, night in found if start > now + _AHEAD]
    past, about_simulated = measured([night for start, _, night in found if start <= now + _AHEAD])
    if not past:
        raise NothingSelected(
            "; ".join(_ahead(ahead)) or "there is no night to look at", tip="Is the clock of this machine right?"
        )
    shown = past[-last:]
    pairs = pairs_of(shown, keep)
    return Trend(
        nights=tuple((night.id, night.started_at) for night in shown),
        machines=tuple(dict.fromkeys(machine(host) for night in shown for host in night.hosts)),
        margin=shown[-1].trial.margin,
        lines=tuple(_lines(past, shown, keep)),
        stopped=tuple(stopped(past, shown, pairs)),
        promotions=tuple(promotions(shown)),
        stale=_stale(shown[-1], now, max_age),
        notes=(*_ahead(ahead), *about_simulated, *waiting(past, pairs), *not_concerned(shown[-1], pairs)),
    )


def measured(nights: Sequence[Night]) -> tuple[list[Night], tuple[str, ...]]:
    """Return the nights that were not simulated, or all where all were, and what is to be said about that."""
    real = [night for night in nights if not night.simulated]
    if real and len(real) < len(nights):
        return real, (f"{counted(len(nights) - len(real), 'simulated night')} left out: nothing was measured in them",)
    return list(nights), ("all nights were simulated: nothing was measured in them",) if nights and not real else ()


def began(night: Night) -> datetime:
    """Return when a night began, in UTC; raises ValueError for what is no time."""
    return datetime.fromisoformat(night.started_at).astimezone(UTC)


def pairs_of(nights: Sequence[Night], keep: tuple[str, ...] = ()) -> list[str]:
    """Name the cells of some nights: those of the latest in its order, then those of the one before it, and so on."""
    named = dict.fromkeys(cell.pair for night in reversed(nights) for cell in night.cells)
    return [pair for pair in named if not keep or any_matches(pair, keep)]


def _lines(past: Sequence[Night], shown: Sequence[Night], keep: tuple[str, ...]) -> Iterator[Line]:
    ids = frozenset(night.id for night in shown)
    by_pair: dict[str, dict[str, list[tuple[Night, NightCell]]]] = {}
    for night in past:
        for cell in night.cells:
            by_pair.setdefault(cell.pair, {}).setdefault(machine(night.hosts[cell.host]), []).append((night, cell))
    for pair in pairs_of(shown, keep):
        for name, seen in by_pair[pair].items():
            if any(night.id in ids for night, _ in seen):
                yield line(pair, name, seen, ids)


def _stale(latest: Night, now: datetime, max_age: timedelta | None) -> str:
    age = now - began(latest)
    if max_age is None or age <= max_age:
        return ""
    return f"the latest night, {latest.id}, began {_days(age)} ago, and {_days(max_age)} is the most that was allowed"


def _days(age: timedelta) -> str:
    hours = age / timedelta(hours=1)
    return f"{hours / 24:.1f} days" if hours >= 48 else f"{hours:.1f} hours"  # noqa: PLR2004 - what reads well


def _ahead(nights: Sequence[Night]) -> Iterator[str]:
    for night in nights:
        yield f"{night.id} is left out: it says that it began at {night.started_at}, which is still to come; a clock is wrong"
