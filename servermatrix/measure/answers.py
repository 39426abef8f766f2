"""Answers to the same request side by side: do they change from call to call, and which setting answers otherwise than most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

BEFORE, AFTER = 12, 28  # bytes that are shown around the first that differs
Signature = tuple[int, int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One answer."""

    status: int
    body: bytes

    @property
    def digest(self) -> str:
        """Return the SHA-256 sum of the body."""
        return sha256(self.body).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one setting answered to each request, by method and path, when asked and when asked again, `apart` in what."""

    first: Mapping[str, Said]
    second: Mapping[str, Said]
    apart: str = "call"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What settings are alike: `most` is one of those that answer as most do, `others` says of each other how it differs."""

    most: str = ""
    others: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def volatile(seen: Iterable[Seen]) -> dict[str, str]:
    """Say of each request whose answers differ under the same setting by which bytes they do."""
    found: dict[str, str] = {}
    for one in seen:
        for request, first in one.first.items():
            second = one.second[request]
            if (first.status, first.body) != (second.status, second.body):
                found.setdefault(
                    request, f"the answers to {request} differ from {one.apart} to {one.apart}: {differing(first, second)}"
                )
    return found


def differing(one: Said, other: Said, *, earlier: str = "first", later: str = "then") -> str:
    """Say how two answers differ: by their status, else from which byte on, counted from 0, with what stands there."""
    if one.status != other.status:
        return f"{earlier} status {one.status}, {later} {other.status}"
    pairs = enumerate(zip(one.body, other.body, strict=False))
    place = next((place for place, (left, right) in pairs if left != right), min(len(one.body), len(other.body)))
    lengths = "" if len(one.body) == len(other.body) else f" ({len(one.body):,} and {len(other.body):,} bytes long)"
    return f"from byte {place:,} on, {earlier} {_shown(one.body, place)}, {later} {_shown(other.body, place)}{lengths}"


def _shown(body: bytes, place: int) -> str:
    begin = max(0, place - BEFORE)
    text = repr(body[begin : place + AFTER].decode("ascii", errors="backslashreplace"))
    return f"{'...' if begin else ''}{text}{'...' if place + AFTER < len(body) else ''}"


def compared(seen: Mapping[str, Seen], pairs: Sequence[Seen]) -> Compared:
    """Find what answers otherwise than most settings do; where most do not agree, nobody can be said to be wrong.

    `pairs` are answers that should be alike. Of requests where they are not, the status is compared, and the length if that is.
    """
    others: dict[str, str] = {}
    warnings: list[str] = []
    for request in next((list(one.first) for one in seen.values()), []):
        votes = _votes(seen, pairs, request)
        winner, count = Counter(votes.values()).most_common(1)[0]
        typical = next(name for name, vote in votes.items() if vote == winner)
        told = {name: _against(seen, request, typical, name) for name, vote in votes.items() if vote != winner}
        if 2 * count > len(votes):
            others |= {
                name: f"it answers {request} otherwise than most: {how}" for name, how in told.items() if name not in others
            }
        else:
            how = next(iter(told.values()))
            warnings.append(f"most settings do not agree on the answer to {request}, which is not compared: {how}")
    return Compared(most=next((name for name in seen if name not in others), ""), others=others, warnings=tuple(warnings))


def _votes(seen: Mapping[str, Seen], pairs: Sequence[Seen], request: str) -> dict[str, Signature]:
    alike = [(one.first[request], one.second[request]) for one in pairs]
    exact = all(one == other for one, other in alike)
    sized = all(len(one.body) == len(other.body) for one, other in alike)
    return {name: _signature(one.first[request], exact=exact, sized=sized) for name, one in seen.items()}


def _signature(said: Said, *, exact: bool, sized: bool) -> Signature:
    return said.status, len(said.body) if sized else 0, said.digest if exact else ""


def _against(seen: Mapping[str, Seen], request: str, typical: str, name: str) -> str:
    usual, own = seen[typical].first[request], seen[name].first[request]
    return differing(usual, own, earlier=f"{typical} has", later=f"{name} has")
