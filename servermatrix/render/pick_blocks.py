"""What a search says, in the order in which it is told: headings with text and a table, a list or the text of a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from servermatrix.analysis.phrases import joined
from servermatrix.model import Estimate, PickReport, Standing
from servermatrix.render import parity, pick_facts, pick_lines, pick_tables
from servermatrix.render.check_blocks import Block
from servermatrix.render.points import Point
from servermatrix.render.table import Column, Grid, counted, percent, ratio

MOST_REACHED = 5
_LANGUAGES = {".py": "python", ".service": "ini", ".yaml": "yaml", ".yml": "yaml", "Dockerfile": "dockerfile"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part(Block):
    """A block of a search: it may be `folded` until somebody opens it, and its code be in another language than a shell's.

    `needs` stands under the code.
    """

    folded: bool = False
    language: str = "sh"
    needs: str = ""


def blocks(report: PickReport) -> list[Part]:
    """List all that a search says, what a reader must know first, without what is empty."""
    found = (
        use(report),
        why(report),
        _limits(report),
        *_beaten(report),
        _over(report),
        _open(report),
        Part(heading="Failed", points=tuple(pick_lines.by_reason(report.of(Standing.FAILED), report))),
        _pareto(report),
        _effects(report),
        share(report),
        capacity(report),
        *files(report),
        _excluded(report),
        _decided(report),
        _asked(report),
        Part(heading="What was made equal", points=report.header.equalised),
        _unequal(report),
        Part(heading="How to read this", points=tuple(pick_facts.rules(report))),
        Part(heading="How it was measured", grid=pick_facts.facts(report)),
        _again(report),
    )
    return [part for part in found if not part.empty]


def title(report: PickReport) -> str:
    """Name a search."""
    return f"servermatrix pick: {report.header.id}"


def use(report: PickReport) -> Part:
    """Tell the command to paste, and what it needs."""
    line = pick_lines.command(report)
    return Part(heading="Use it", code=(line,) if line else (), needs=pick_lines.needs(report))


def why(report: PickReport) -> Part:
    """Tell of the picked cell and those tied with it; where nothing was picked, of those that came closest."""
    best = pick_lines.recommended(report)
    if report.picked is None:
        best = pick_lines.reached(report)[:MOST_REACHED]
        grid = pick_tables.cells(best, report, full=True) if best else None
        return Part(heading=f"Best that was reached: {counted(len(best), 'cell')}", grid=grid)
    grid = pick_tables.cells(best, report, full=True)
    return Part(heading=f"Why: {pick_lines.beside(report)}", text=_sentences(report.picked.reason), grid=grid)


def _sentences(*texts: str) -> tuple[str, ...]:
    return tuple(filter(None, map(pick_lines.sentence, texts)))


def _limits(report: PickReport) -> Part:
    grid, told = pick_tables.held(report), pick_facts.judged(report)
    heading = f"Limits: {joined([limit.text for limit in report.race.limits])}" if report.race.limits else "At a fixed rate"
    return Part(heading=heading, text=tuple(told) if told else _same_rate(report), grid=grid)


def _same_rate(report: PickReport) -> tuple[str, ...]:
    """Say how latency was compared where there is no limit; nothing where it was not."""
    tried = any(one.held for one in report.candidates)
    return ("Latency was compared in an open loop, at the same rate for all.",) if tried else ()


def _beaten(report: PickReport) -> Iterator[Part]:
    beaten = report.of(Standing.BEATEN)
    best = pick_lines.best_by_server(beaten)
    text = ("The best of each server:",) if len(best) < len(beaten) else ()
    yield Part(heading=f"Beaten: {counted(len(beaten), 'cell')}", text=text, points=pick_lines.told(best, report))
    grid = pick_tables.cells(beaten, report, full=True) if beaten else None
    yield Part(heading=f"All that were beaten, with their figures: {counted(len(beaten), 'cell')}", grid=grid, folded=True)


def _over(report: PickReport) -> Part:
    over = report.of(Standing.OVER_LIMIT)
    return Part(heading=f"Over a limit: {counted(len(over), 'cell')}", points=pick_lines.told(over, report))


def _open(report: PickReport) -> Part:
    """Tell of what is open where nothing was picked; else it stands beside the picked cell."""
    found = () if report.picked else report.of(Standing.OPEN)
    return Part(heading=f"Not told apart yet: {counted(len(found), 'cell')}", points=pick_lines.told(found, report))


def _pareto(report: PickReport) -> Part:
    text = "No other cell is better than one of these in requests/s, p99 or memory without being worse in another."
    return _with_text("Pareto set over requests/s, p99 and memory", text, pick_tables.pareto(report))


def _with_text(heading: str, text: str, grid: Grid) -> Part:
    return Part(heading=heading, text=(text,) if grid.rows else (), grid=grid)


def _effects(report: PickReport) -> Part:
    text = (
        "Requests/s with the option over those without, by the rounds that both have; shown: the interval is still "
        "on one side of 0 when those of all effects and of all their differences hold together with 95 %, shared out over the "
        "looks (Bonferroni)."
    )
    part = _with_text("What each option bought for this app", text, pick_tables.effects(report.effects))
    return replace(part, points=tuple(pick_tables.differing(report.effects)))


def share(report: PickReport) -> Part:
    """Tell whether the server matters for this app."""
    found = report.share
    if found is None:
        return Part(heading="Does the server matter?")
    told = {
        "the best server over the worst, each at its best": found.spread and ratio(found.spread),
        "the app's share of the CPU time of a request": found.app_share and _percent(found.app_share),
    }
    points = tuple(f"{what}: {value or 'not known'}." for what, value in told.items())
    return Part(heading="Does the server matter?", text=_sentences(found.sentence), points=points)


def _percent(found: Estimate) -> str:
    inside = "" if found.low is None or found.high is None else f" [{100 * found.low:.0f}, {100 * found.high:.0f}]"
    return f"{percent(found.value)}{inside}"


def capacity(report: PickReport) -> Part:
    """Tell what the picked cell can carry, with the fit over workers where there is one."""
    found = report.capacity
    if found is None:
        return Part(heading="Capacity")
    grid = pick_tables.scaling(found.scaling) if found.scaling else None
    fit = ("Universal Scalability Law: X(N) = rate N / (1 + contention (N - 1) + coherency N (N - 1)).",) if grid else ()
    return Part(heading="Capacity", text=(*_sentences(*found.sentences), *fit), grid=grid)


def files(report: PickReport) -> list[Part]:
    """List the files that go with the picked cell, each with its text."""
    found = report.deployed.files if report.deployed else ()
    return [
        Part(heading=name, text=_sentences(comment), code=_lines(text), language=_language(name)) for name, text, comment in found
    ]


def _lines(text: str) -> tuple[str, ...]:
    """Take a text apart, with a sign in place of each that could not be shown."""
    shown = (
        "".join(sign if sign.isprintable() or sign == "\t" else "\N{REPLACEMENT CHARACTER}" for sign in line)
        for line in _cut(text)
    )
    return tuple(shown)


def _cut(text: str) -> list[str]:
    return text.rstrip("\n").split("\n")


def _language(name: str) -> str:
    return next((language for end, language in _LANGUAGES.items() if name.endswith(end)), "text")


def _excluded(report: PickReport) -> Part:
    rows = [(each.id, each.reason) for each in report.header.excluded]
    rows += [(pick_lines.name(one, report), one.reason) for one in report.of(Standing.SKIPPED)]
    grid = Grid(columns=(Column(header="setting"), Column(header="reason")), rows=tuple(rows))
    return Part(heading=f"Excluded: {counted(len(rows), 'combination')}", grid=grid, folded=True)


def _asked(report: PickReport) -> Part:
    """Tell the requests where there are several, or headers that a line does not show."""
    grid = pick_facts.asked(report)
    told = len(grid.rows) > 1 or any(column.header == "headers" for column in grid.columns)
    return Part(heading="What was asked of the app", grid=grid if told else None)


def _decided(report: PickReport) -> Part:
    return Part(heading="What was left out, when and why", grid=pick_facts.decided(report.decisions), folded=True)


def _unequal(report: PickReport) -> Part:
    rows = [one.summary for one in pick_lines.recommended(report)]
    points: tuple[Point | str, ...] = tuple(parity.unequal_in_words(rows))
    return Part(heading="What could not be made equal", points=points)


def _again(report: PickReport) -> Part:
    text = tuple(filter(None, [pick_facts.left_out(report.header)]))
    return Part(heading="Reproduce", text=text, code=(pick_facts.again(report.header),))
