"""What a search looks for, as the header of a run file keeps it; reads no file and knows no run."""

from __future__ import annotations

from servermatrix.model import Limit, Race
from servermatrix.store.jsonvalue import Raw, number, objects, text, texts, whole


def read_race(raw: Raw) -> Race:
    """Read what a search looks for; raises what jsonvalue raises for damage."""
    return Race(
        prefer=text(raw, "prefer"),
        limits=tuple(map(_limit, objects(raw, "limits"))),
        rate_per_s=number(raw, "rate_per_s"),
        references=texts(raw, "references"),
        cores=whole(raw, "cores"),
        pool=whole(raw, "pool"),
        finalists=whole(raw, "finalists"),
        holding_s=whole(raw, "holding_s"),
        generator=text(raw, "generator", ""),
    )


def _limit(raw: Raw) -> Limit:
    return Limit(metric=text(raw, "metric"), bound=number(raw, "bound"), text=text(raw, "text"), percent=number(raw, "percent"))
