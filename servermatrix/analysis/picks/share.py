"""Whether the server matters for this app: how far servers lie apart at their best, and what the app takes of a request."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from servermatrix.analysis.field import cell_of
from servermatrix.analysis.phrases import joined
from servermatrix.analysis.picks.versus import Versus
from servermatrix.analysis.picks.words import increase, interval, percent, setting, times
from servermatrix.analysis.summarise import Row
from servermatrix.model import Estimate, Flag, Share

SMALL = 1.10  # a spread that is surely below it is called one that does not matter, one surely above it one that does
LIMITED = {  # what brings servers closer together than they are; a server that waits for the app is no such thing
    Flag.GENERATOR_BOUND: "the load generator was the limit",
    Flag.HOST_BOUND: "the machine was the limit",
    Flag.OVERSUBSCRIBED: "there were too few cores for it",
    Flag.CONNECTION_BOUND: "there were too few connections to fill it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """The servers at their best by what limits nothing but themselves, best first, and how far they lie apart.

    `last` is the server that the `spread` is to, `limited` the best cell of a server that has none without a limit besides
    itself, and `raw` the spread whatever limited them. The servers of `broken` fail in every setting.
    """

    servers: tuple[str, ...]
    last: str
    spread: Estimate | None
    raw: Estimate | None
    limited: Row | None
    broken: tuple[str, ...]

    @property
    def small(self) -> bool:
        """Tell whether the spread is surely small, and was not made so by what limited the best cells."""
        both = all(one is not None and one.high is not None and one.high <= SMALL for one in (self.spread, self.raw))
        return both and not self.limited


def share_of(
    rows: Sequence[Row],
    references: Sequence[Row],
    rates: Versus,
    cpu: Versus,
    *,
    picked: str | None,
    over: Collection[str] = (),
) -> Share | None:
    """Return how far servers lie apart in requests/s and what the app takes of a request; None where nothing was measured.

    `rates` has the requests/s of the cells, `cpu` the CPU microseconds per request of cells and references. `picked` is the cell
    whose server the share of the app is told of, if that server has a reference. The cells `over` a limit are left aside.
    """
    measured = [row for row in rows if row.rps and row.id not in over]
    if not measured:
        return None
    best = best_of_servers(measured, rates)
    field = _field(rows, measured, best, rates)
    part, told = _app_share(measured, references, cpu, picked)
    sentence = "; ".join(filter(None, (_spread(field), told, _waiting(next(iter(best.values()))))))
    return Share(spread=field.spread, app_share=part, matters=not field.small or bool(field.broken), sentence=sentence)


def _field(rows: Sequence[Row], measured: Sequence[Row], best: Mapping[str, Row], rates: Versus) -> _Field:
    """Put the servers against each other; all pairs of cells of two servers count, for the pair is chosen by what it did."""
    free = [row for row in measured if LIMITED.keys().isdisjoint(row.summary.flags)]
    own = best_of_servers(free, rates) if free else {}
    limited = next((row for server, row in best.items() if server not in own), None)
    chosen = best if limited else own
    servers = [cell_of(row).server for row in measured]
    pairs = max(1, sum(one != other for one, other in combinations(servers, 2)))
    last, spread = _widest(chosen, rates, pairs)
    return _Field(
        servers=tuple(chosen),
        last=last,
        spread=spread,
        raw=_widest(best, rates, pairs)[1],
        limited=limited,
        broken=_broken(rows),
    )


def _broken(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the servers that failed in every setting."""
    servers = dict.fromkeys(cell_of(row).server for row in rows)
    return tuple(each for each in servers if all(row.summary.status == "failed" for row in rows if cell_of(row).server == each))


def best_of_servers(rows: Sequence[Row], rates: Versus) -> Mapping[str, Row]:
    """Return by server the cell with the most requests/s, best server first, by the rounds that each has with the best cell."""
    best = max(rows, key=lambda row: row.value)
    found: dict[str, Row] = {}
    for row in sorted(rows, key=lambda row: -_against(rates.ratio(row.id, best.id))):
        found.setdefault(cell_of(row).server, row)
    return found


def _against(ratio: Estimate | None) -> float:
    return ratio.value if ratio else 0.0


def _widest(best: Mapping[str, Row], rates: Versus, pairs: int) -> tuple[str, Estimate | None]:
    """Return the server with the ratio that may be the farthest above 1; ("", None) where there is none or one is not known."""
    (_, first), *others = best.items()
    known = {server: ratio for server, row in others if (ratio := rates.ratio(first.id, row.id, pairs))}
    if not known or len(known) < len(others):
        return "", None
    return max(known.items(), key=lambda each: (each[1].high is None, each[1].high or each[1].value))


def _spread(field: _Field) -> str:
    """Say whether the server matters, and which servers fail whatever their settings."""
    told = _told(field)
    if not field.broken:
        return told
    fails = f"{joined(field.broken)} {'fails' if len(field.broken) == 1 else 'fail'} in every setting"
    return f"of the servers that work ({joined(field.servers)}): {told}; {fails}"


def _told(field: _Field) -> str:
    first, spread = field.servers[0], field.spread
    if len(field.servers) == 1:
        return f"only {first} was measured, so whether the server matters is not known"
    if spread is None:
        return "the servers have no round in common, so whether the server matters is not known"
    if field.limited:
        where, flags = setting(cell_of(field.limited)), field.limited.summary.flags
        limit = next(words for flag, words in LIMITED.items() if flag in flags)
        return f"whether the server matters is not known: under {where} {limit}, not the server alone"
    if field.small:
        between = f"{first} against {field.last}, each with its best settings"
        return f"the server does not matter for this app: the spread is {increase(spread)} in requests/s ({between})"
    apart = f"{first} does {times(spread)} the requests/s of {field.last}, each with its best settings"
    if spread.low is not None and spread.low > 1 and spread.high is not None and spread.high > SMALL:
        return f"the server matters {'' if spread.low >= SMALL else 'at least a little '}for this app: {apart}"
    return f"whether the server matters is not known: {apart}, and {_uncertain(spread)}"


def _uncertain(spread: Estimate) -> str:
    return "there are too few rounds to say how sure that is" if spread.low is None else "that may be no difference at all"


def _app_share(rows: Sequence[Row], references: Sequence[Row], cpu: Versus, picked: str | None) -> tuple[Estimate | None, str]:
    """Return which part of the CPU time of a request is the app's, and the sentence; (None, "") without a reference."""
    apps = {cell_of(row).start: row for row in rows if row.cpu_us}
    pairs = [(plain, apps[cell_of(plain).start]) for plain in references if plain.cpu_us and cell_of(plain).start in apps]
    wanted = next((cell_of(row).server for row in rows if row.id == picked), "")
    for plain, app in sorted(pairs, key=lambda pair: cell_of(pair[0]).server != wanted):
        ratio = cpu.ratio(plain.id, app.id)
        if ratio:
            return _remainder(ratio), _taken(plain, app, ratio)
    return None, ""


def _remainder(ratio: Estimate) -> Estimate:
    """Return what is left of 1, and nothing where the app takes less than the plaintext app."""
    low, high = (None if each is None else max(0.0, 1 - each) for each in (ratio.high, ratio.low))
    return Estimate(value=max(0.0, 1 - ratio.value), low=low, high=high, n=ratio.n)


def _taken(plain: Row, app: Row, ratio: Estimate) -> str:
    whole, bare = app.summary.cpu_us_per_request, plain.summary.cpu_us_per_request
    where = f"under {setting(cell_of(app))}"
    if whole is None or bare is None or ratio.value >= 1:
        return f"the app takes no more CPU time per request than the plaintext app {where}"
    figures = (
        f"{interval(Estimate(value=whole.value, low=None, high=None, n=whole.n))} us per request against {bare.value:,.1f} us"
    )
    return f"your app takes {percent(_remainder(ratio))} of the CPU time of a request ({figures} for the plaintext app, {where})"


def _waiting(best: Row) -> str:
    if Flag.WAITING not in best.summary.flags or best.summary.verdict is None:
        return ""
    return f"most of the time the best of them waits for the app: {best.summary.verdict.evidence}"
