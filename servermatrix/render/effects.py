"""What each option buys, in words and as a table: the effects of a table of results, shown or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from servermatrix.analysis.phrases import counted
from servermatrix.model import Effect, EffectIn, Table
from servermatrix.render.points import Point, shortened
from servermatrix.render.table import Column, Grid, amount, change

HEADING = "What each option buys"


def grid(table: Table) -> Grid:
    """Lay out every effect of a table of results."""
    columns = (
        Column(header="option"),
        Column(header="instead of"),
        Column(header="where"),
        Column(header="requests/s", right=True),
        Column(header="shown"),
    )
    rows = ((_option(effect), effect.instead_of, *_seen(one)) for effect in table.effects for one in effect.seen)
    return Grid(columns=columns, rows=tuple(rows))


def _option(effect: Effect) -> str:
    return f"{effect.option}={effect.value}"


def _seen(one: EffectIn) -> tuple[str, str, str]:
    return one.where, change(one.ratio), "yes" if one.shown else "not shown"


def introduction(table: Table) -> str:
    """Say how the effects were found and how many were looked at."""
    seen = [one for effect in table.effects for one in effect.seen]
    found = f"{sum(one.shown for one in seen)} of {amount(len(seen))}"
    corrected = counted(table.effect_comparisons, "comparison")
    return f"Requests/s with the option over those without, by round. Shown: {found}, with Holm's correction over {corrected}."


def sentences(table: Table) -> list[str]:
    """Say where an option does not do the same everywhere: a sentence for each such option."""
    return [_differs(effect) for effect in table.effects if effect.differs]


def _differs(effect: Effect) -> str:
    """Name the two settings of those that were shown to differ whose effects are the furthest apart; count the others."""
    found = {one.where: one for one in effect.seen}
    pairs = [(found[one], found[other]) for one, other in effect.differs if one in found and other in found]
    if not pairs:
        return f"{_instead(effect)}: its effect differs between settings."
    most, least = max(
        (sorted(pair, key=_value, reverse=True) for pair in pairs), key=lambda pair: _value(pair[0]) / _value(pair[1])
    )
    more = len(pairs) - 1
    others = f", as do those of {counted(more, 'more pair')} of settings" if more else ""
    return f"{_instead(effect)}: {_under(most)}, {_under(least)}; these differ{others}."


def _value(one: EffectIn) -> float:
    return one.ratio.value


def _instead(effect: Effect) -> str:
    return f"{_option(effect)} instead of {effect.instead_of}"


def _under(one: EffectIn) -> str:
    return f"{change(one.ratio)} under {one.where}"


def points(table: Table) -> Iterator[Point]:
    """Say the same in short: an option a point, its shown effects first, those not shown by name alone."""
    for effect in table.effects:
        shown = sorted((one for one in effect.seen if one.shown), key=_value, reverse=True)
        hidden = [one for one in effect.seen if not one.shown]
        items = (*shortened([*map(_under, shown)], "setting"), *([_hidden(hidden)] if hidden else []))
        note = " (these effects differ)" if effect.differs else ""
        yield _compact(f"{_instead(effect)}{note}", items)


def _hidden(effects: Sequence[EffectIn]) -> str:
    if len(effects) == 1:
        return f"not shown: {_under(effects[0])}"
    low, high = min(effects, key=_value), max(effects, key=_value)
    return (
        f"not shown: {amount(len(effects))} effects from {change(low.ratio)} ({low.where}) to {change(high.ratio)} ({high.where})"
    )


def _compact(head: str, items: tuple[str, ...]) -> Point:
    return Point(text=f"{head}: {items[0]}") if len(items) == 1 else Point(text=head, items=items)
