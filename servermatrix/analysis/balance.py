"""How the work of a cell was spread over its workers, over all of its starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from servermatrix.analysis.cases import Case
from servermatrix.analysis.phrases import counted
from servermatrix.analysis.stats import median
from servermatrix.model import Balance, Flag, Measured, Remark

EXCESS = 0.20  # of all work, above the even share of one worker


def balance(starts: Sequence[Measured], workers: int) -> Balance | None:
    """Return how the work was spread, None where there is one worker, or where the work of each was not seen."""
    spreads = [spread for start in starts if (spread := _spread(start, workers))] if workers > 1 else []
    if not spreads:
        return None
    shares = [max(spread) for spread in spreads]
    connections = [share for start in starts if (share := _connections(start, workers)) is not None]
    return Balance(
        share=median(shares),
        worst=max(shares),
        index=median([fairness(spread) for spread in spreads]),
        connections=median(connections) if connections else None,
        unbalanced_starts=sum(share > limit(workers) for share in shares),
        starts=len(shares),
    )


def limit(workers: int) -> float:
    """Return the share (0-1) of all work above which one of so many workers does far more than its part."""
    return 1 / workers + EXCESS


def fairness(shares: Sequence[float]) -> float:
    """Return Jain's index: 1 when all have the same, 1 / n when one has everything.

    Source: Jain, Chiu & Hawe (1984), A quantitative measure of fairness and discrimination.
    """
    return sum(shares) ** 2 / (len(shares) * sum(share * share for share in shares))


def _spread(start: Measured, workers: int) -> list[float]:
    """Return the shares of the workers in the work of one start, empty where it was not seen.

    The busiest processes are taken for the workers: a server may have others, which start and watch these.
    """
    seen = [window.usage.worker_cpu_us[:workers] for window in start.windows]
    return _shares([each for each in seen if sum(each) > 0], workers)


def _connections(start: Measured, workers: int) -> float | None:
    seen = [window.usage.worker_connections[:workers] for window in start.windows]
    shares = _shares([each for each in seen if sum(each) > 0], workers)
    return max(shares) if shares else None


def _shares(seen: Sequence[Sequence[int]], workers: int) -> list[float]:
    """Return the median share of the busiest, the second busiest and so on, over the windows of a start."""
    return [median([_share(each, place) for each in seen]) for place in range(workers)] if seen else []


def _share(counts: Sequence[int], place: int) -> float:
    return sorted(counts, reverse=True)[place] / sum(counts) if place < len(counts) else 0.0


def unbalanced(case: Case, found: Balance | None) -> Iterator[Remark]:
    """Yield a remark where in any start one worker did far more than its part."""
    if found is None or not found.unbalanced_starts:
        return
    workers = case.cell.workers
    held = "" if found.connections is None else f"; in the median start one held {found.connections:.0%} of the connections"
    yield Remark(
        flag=Flag.UNBALANCED,
        sentence=(
            f"in {found.unbalanced_starts} of {counted(found.starts, 'start')} one of {workers} workers did more than "
            f"{limit(workers):.0%} of the work, at worst {found.worst:.0%}, where {1 / workers:.0%} would be fair{held}"
        ),
        advice="Use more --connections and more --rounds: who gets which connection is drawn anew at every start.",
    )
