"""What all forms of a trend say in the same words: its first line, its change points, its alarms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from servermatrix.model import Estimate, Metric, VersionChange
from servermatrix.model.trends import Line, Promotion, Step, Trend
from servermatrix.render.table import ABSENT, change, counted

_MOST_PACKAGES = 5
_BLOCKS = "▁▂▃▄▅▆▇█"
GAP = "·"
_MOST_PROMOTIONS = 5


def first_line(trend: Trend) -> str:
    """Write the line for machines."""
    cells = len({line.pair for line in trend.lines})
    steps = sum(len(line.steps) for line in trend.lines)
    return (
        f"trend: {counted(cells, 'cell')} over {counted(len(trend.nights), 'night')}, {counted(steps, 'change point')}, "
        f"{len(trend.stopped)} stopped reporting" + (", the latest night is too old" if trend.stale else "")
    )


def alarms(trend: Trend) -> Iterator[str]:
    """Write a sentence for each alarm."""
    if trend.stale:
        yield f"the nights have stopped: {trend.stale}"
    for one in trend.stopped:
        yield f"{one.pair} stopped reporting: {one.sentence}"


def several_machines(trend: Trend) -> str:
    """Say that nights of several machines are not joined, empty where there is one."""
    if len(trend.machines) < 2:  # noqa: PLR2004 - two are several
        return ""
    return (
        f"The nights were measured on {len(trend.machines)} kinds of machines, and a cell has a line for each: what a change "
        "costs on one processor says little about another."
    )


def advices(trend: Trend) -> tuple[str, ...]:
    """Say what to do about the cells that stopped, each advice once."""
    return tuple(dict.fromkeys(one.advice for one in trend.stopped))


def promoted(trend: Trend) -> Iterator[str]:
    """Say where the baseline was another than the night before, the latest where there are many."""
    left_out = len(trend.promotions) - _MOST_PROMOTIONS
    if left_out > 0:
        yield f"the baseline changed {counted(len(trend.promotions), 'time')}, the latest of which were:"
    for one in trend.promotions[-_MOST_PROMOTIONS:]:
        yield promotion_sentence(one)


def promotion_sentence(one: Promotion) -> str:
    """Write a change of the baseline as a sentence."""
    return f"the baseline changed in the night {one.night}" + (f": {_packages(one.differing)}" if one.differing else "")


def step_sentence(step: Step) -> str:
    """Write a change point as a sentence."""
    moved = change(Estimate(value=step.ratio, low=None, high=None, n=0))
    went = f"; about then the candidate went from {_packages(step.differing)}" if step.differing else ""
    return f"{step.metric} changed by {moved} in the night {step.night} (p = {step.p:.1g}){went}"


def _packages(differing: Sequence[VersionChange]) -> str:
    told = [f"{one.name} {one.baseline or 'none'} -> {one.candidate or 'none'}" for one in differing[:_MOST_PACKAGES]]
    more = len(differing) - len(told)
    return ", ".join(told) + (f" and {more} more" if more else "")


def stands(line: Line, metric: Metric) -> str:
    """Write where a metric stood the last time it had figures, `+4.1 % [3.2, 5.0]`."""
    known = [level for point in line.points if (level := point.level(metric))]
    return change(known[-1].total) if known else ABSENT


def sparkline(values: Sequence[float | None], least: float) -> str:
    """Draw values as blocks, from the smallest to the largest, or over `least` where they differ by less; a point for a gap."""
    known = [value for value in values if value is not None]
    if not known:
        return GAP * len(values)
    middle, spread = (min(known) + max(known)) / 2, max(max(known) - min(known), least, 1e-9)
    return "".join(GAP if value is None else _block((value - middle) / spread + 0.5) for value in values)


def _block(share: float) -> str:
    return _BLOCKS[min(int(share * len(_BLOCKS)), len(_BLOCKS) - 1)]
