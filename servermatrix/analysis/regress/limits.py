"""What held the requests per second of a pair down that is not its server."""

from __future__ import annotations

from collections.abc import Mapping

from servermatrix.model import UNRANKED, Flag, Summary

LIMITS: Mapping[Flag, str] = {
    Flag.GENERATOR_BOUND: "the generator",
    Flag.HOST_BOUND: "the machine",
    Flag.WAITING: "what the answers waited for",
    Flag.CONNECTION_BOUND: "the number of connections",
    Flag.OVERSUBSCRIBED: "cores that are too few",
    Flag.RATE_NOT_KEPT: "a rate that was not kept",
}


def limited(baseline: Summary, candidate: Summary) -> str:
    """Say what limited the requests per second of either side, empty where that was the servers."""
    sides = {"baseline": set(baseline.flags), "candidate": set(candidate.flags)}
    found = {flag: [name for name, flags in sides.items() if flag in flags] for flag in Flag if flag in UNRANKED & LIMITS.keys()}
    told = [
        f"{LIMITS[flag]} ({'both sides' if len(names) == len(sides) else names[0]})" for flag, names in found.items() if names
    ]
    return f"requests/s were limited by {' and by '.join(told)}" if told else ""
