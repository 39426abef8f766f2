"""Checks by value, one per situation that a reader can meet; nothing here judges anything."""

from __future__ import annotations

from dataclasses import replace

from servermatrix.model import (
    BASELINE,
    CANDIDATE,
    Attribution,
    Canary,
    Cell,
    CellChange,
    Change,
    CheckReport,
    Estimate,
    Excluded,
    Flag,
    Look,
    Metric,
    PlannedCell,
    Probe,
    Shift,
    Side,
    Summary,
    Trial,
    VersionChange,
)
from tests.golden.report_examples import HEADER, LOAD, REASON, REMARKS, planned

FIRST, CONFIRM = 10, 16
BEFORE = Side(
    name=BASELINE,
    requires=("h11==0.16.0", "uvicorn==0.52.0", "uvloop==0.21.0"),
    versions=(("click", "8.3.0"), ("h11", "0.16.0"), ("uvicorn", "0.52.0"), ("uvloop", "0.21.0")),
)
AFTER = Side(
    name=CANDIDATE,
    requires=("h11==0.16.0", "uvicorn==0.54.0", "uvloop==0.22.1"),
    versions=(("click", "8.3.0"), ("h11", "0.16.0"), ("uvicorn", "0.54.0"), ("uvloop", "0.22.1"), ("websockets", "15.0.1")),
)
TRIAL = Trial(baseline=BEFORE, candidate=AFTER, margin=0.03)
DIFFERING = (
    VersionChange(name="uvicorn", baseline="0.52.0", candidate="0.54.0"),
    VersionChange(name="uvloop", baseline="0.21.0", candidate="0.22.1"),
    VersionChange(name="websockets", baseline="", candidate="15.0.1"),
)


def ratio(value: float, spread: float = 0.012, n: int = CONFIRM) -> Estimate:
    return Estimate(value=value, low=value * (1 - spread), high=value * (1 + spread), n=n)


def sided(server: str, side: str, app: str = "plaintext") -> PlannedCell:
    requires = TRIAL.side(side).requires
    options = (("loop", "uvloop"),)
    of = Cell(
        server=server,
        options=options,
        label="loop=uvloop",
        protocol="h1",
        workers=1,
        app=app,
        load=LOAD,
        requires=requires,
        side=side,
    )
    return planned(of)


def row(server: str, side: str, rps: float | None, *flags: Flag, app: str = "plaintext", reason: str = REASON) -> Summary:
    of = sided(server, side, app)
    if rps is None:
        return Summary(planned=of, name=of.cell.setting, status="failed", reason=reason, rounds_ok=0, rounds_failed=2)
    return Summary(
        planned=of,
        name=of.cell.setting,
        status="measured",
        reason="",
        rounds_ok=FIRST,
        rounds_failed=0,
        windows_repeated=1 if Flag.NOISY in flags else 0,
        rps=Estimate(value=rps, low=0.98 * rps, high=1.02 * rps, n=FIRST),
        cpu_us_per_request=Estimate(value=1e6 / rps, low=0.98e6 / rps, high=1.02e6 / rps, n=FIRST),
        flags=flags,
        remarks=tuple(REMARKS[flag] for flag in flags),
    )


def shifts(rps: float, cpu: float, stage: int = 1, p: tuple[float | None, float | None] = (None, None)) -> tuple[Shift, ...]:
    found = ((Metric.RPS, rps, p[0]), (Metric.CPU, cpu, p[1]))
    rounds = CONFIRM if stage == 2 else FIRST
    return tuple(
        Shift(metric=metric, ratio=ratio(value, n=rounds), stage=stage, p=of, beyond=abs(value - 1) + 0.012)
        for metric, value, of in found
    )


def change(
    server: str,
    kind: Change,
    sentence: str,
    found: tuple[Shift, ...] = (),
    *,
    rps: tuple[float | None, float | None] = (20_000, 20_000),
    flags: tuple[Flag, ...] = (),
    app: str = "plaintext",
) -> CellChange:
    return CellChange(
        pair=sided(server, BASELINE, app).cell.pair,
        change=kind,
        sentence=sentence,
        shifts=found,
        flagged=any(shift.stage == 2 for shift in found),
        beyond=max((shift.beyond or 0 for shift in found), default=None),
        baseline=row(server, BASELINE, rps[0], app=app),
        candidate=row(server, CANDIDATE, rps[1], *flags, app=app),
    )


WORSE = change(
    "uvicorn",
    Change.REGRESSION,
    "12.0 % fewer requests/s [10.9, 13.1] and 13.6 % more CPU us/request [12.2, 15.0]",
    shifts(0.88, 1.136, 2, (0.00003, 0.0012)),
    rps=(20_000, 17_600),
)
BROKEN = change("hypercorn", Change.REGRESSION, f"failed on the candidate alone, in 2 of 10 starts: {REASON}", rps=(9_000, None))
BETTER = change("granian", Change.IMPROVEMENT, "3.4x the requests/s", shifts(3.4, 0.29, 2, (0.0004, 0.0004)), rps=(9_000, 30_600))
SAME = change("daphne", Change.UNCHANGED, "no change beyond 2.1 %", shifts(1.0000004, 0.991), rps=(4_000.4, 4_000.4))
SLOW_SAME = change("daphne", Change.UNCHANGED, "no change beyond 1.9 %", shifts(0.993, 1.007), rps=(80.44, 79.88), app="sleep")
NOISY = change(
    "gunicorn",
    Change.INCONCLUSIVE,
    "too noisy: a change of up to 14.0 % may be there",
    shifts(0.95, 1.02),
    rps=(12_000, 11_400),
    flags=(Flag.NOISY, Flag.FEW_ROUNDS),
)
FAILED = change("twisted", Change.FAILED, f"failed on both sides: {REASON}", rps=(None, None))
NEW = change("hypercorn", Change.NEW, "the baseline never gave a number, the candidate does", rps=(None, 8_000), app="json")
GONE = replace(
    change("tornado", Change.GONE, "in the baseline and no longer in the candidate", rps=(3_000, 3_000)), candidate=None
)
CANARY = Canary(
    pair=WORSE.pair,
    shifts=shifts(1.004, 0.998),
    fit=True,
    sentence="the baseline of this cell differs from itself by no more than 1.6 %",
    alarmed=False,
)
CELLS = (SAME, NOISY, WORSE, BETTER, FAILED, NEW, GONE, BROKEN, SLOW_SAME)
CHECK_HEADER = replace(
    HEADER,
    id="2026-11-22T02-30-00Z-1a2b",
    started_at="2026-11-22T02:30:00+00:00",
    argv=(
        *("check", "--baseline", "uvicorn==0.52.0 uvloop==0.21.0", "--candidate=new.txt", "-k", "*plaintext"),
        *("--history", "nights", "--bisect", "--rounds", "10", "--seed", "3", "-v"),
    ),
    rounds=FIRST + CONFIRM,
    looks=(Look(round=FIRST, alpha=0.1), Look(round=FIRST + CONFIRM, alpha=0.01)),
    cells=tuple(found.planned for cell in CELLS for found in (cell.baseline, cell.candidate) if found),
    excluded=(Excluded(id="granian[loop=uvloop]/h1/w1/c64/json", reason="needs none of the packages that differ"),),
    equalised=("Access logs are off.",),
    trial=TRIAL,
)
EVERY = CheckReport(
    headers=(CHECK_HEADER,),
    trial=TRIAL,
    cells=CELLS,
    canaries=(CANARY,),
    differing=DIFFERING,
    detectable=0.0384,
    complete=True,
    steps=(260, 260),
)
QUIET = replace(EVERY, cells=(SAME, SLOW_SAME))
EMPTY = replace(EVERY, cells=(), canaries=(), differing=(), detectable=None, steps=(0, 0))
CUT_OFF = replace(EVERY, complete=False, steps=(37, 260))
UNFIT = replace(
    EVERY,
    cells=(replace(SAME, change=Change.INCONCLUSIVE, sentence="the canary is not fit, so this does not count as unchanged"),),
    canaries=(
        replace(
            CANARY,
            fit=False,
            alarmed=True,
            sentence="the baseline of this cell was told apart from itself",
            shifts=shifts(0.8, 1.3),
        ),
    ),
    detectable=float("nan"),
)
SHARDS = replace(
    EVERY,
    headers=tuple(
        replace(
            CHECK_HEADER,
            id=f"2026-11-22T02-3{number}-00Z-1a2b",
            argv=(*CHECK_HEADER.argv, "--shard", f"{number + 1}/3"),
            host=replace(CHECK_HEADER.host, cpu=f"CPU {number} @ 3 GHz", pinned=""),
        )
        for number in range(3)
    ),
    canaries=(CANARY, replace(CANARY, pair=SAME.pair), replace(CANARY, pair=NOISY.pair)),
)
BISECTED = replace(
    EVERY,
    cells=(WORSE, SAME),
    attribution=Attribution(
        packages=("uvloop",),
        sentence="uvloop 0.21.0 -> 0.22.1 made the difference: with it alone the change is there.",
        probes=(
            Probe(
                upgraded=("uvicorn",), worse=False, sentence="1.2 % fewer requests/s [0.1, 2.3]", run="2026-11-22T03-00-00Z-aaaa"
            ),
            Probe(upgraded=("uvloop",), worse=True, sentence="12.3 % fewer requests/s [11, 14]", run="2026-11-22T03-10-00Z-bbbb"),
            Probe(upgraded=("uvicorn", "uvloop"), worse=None, sentence="could not be installed: | no such version `0.54.0`"),
        ),
    ),
)
FAKE = replace(QUIET, headers=(replace(CHECK_HEADER, generators=(("fake", "1"),)),))
APPS = replace(
    QUIET,
    trial=Trial(
        baseline=Side(name=BASELINE, app_dir="../main", git="1234abc"),
        candidate=Side(name=CANDIDATE, app_dir=".", git="5678def with changes"),
    ),
    differing=(),
)
ALIKE = replace(APPS, trial=replace(TRIAL, candidate=replace(BEFORE, name=CANDIDATE)))
MANY_PINS = tuple(f"package{number}==1.{number}" for number in range(40))
LOCKED = replace(QUIET, trial=replace(TRIAL, baseline=replace(BEFORE, requires=MANY_PINS)))
HOSTILE = "a|b `c` <details>\n\n</details> | *d* @someone #12 &lt; ::error::x\r\n%0A\x00\x1b[31m ]]> _e_ \ud800 [f](g)"
AWKWARD = replace(
    EVERY,
    cells=(
        replace(WORSE, sentence=HOSTILE, pair=f"uvicorn[{HOSTILE}]/h1/w1/c64/plaintext", baseline=None, candidate=None),
        replace(FAILED, sentence=HOSTILE, baseline=row("twisted", BASELINE, None, reason=HOSTILE), candidate=None),
        replace(SAME, sentence="", shifts=(), beyond=None, baseline=None, candidate=None),
        replace(NOISY, sentence=HOSTILE, shifts=(Shift(metric=Metric.RPS, ratio=None),), beyond=None),
    ),
    canaries=(replace(CANARY, pair=HOSTILE, sentence=HOSTILE, fit=False, shifts=()),),
    differing=(VersionChange(name=HOSTILE, baseline="1", candidate=HOSTILE),),
    attribution=Attribution(packages=(), sentence=HOSTILE, probes=(Probe(upgraded=(), worse=None, sentence=HOSTILE),)),
)

CHECK_EXAMPLES = {
    "every verdict": EVERY,
    "nothing changed": QUIET,
    "no cells": EMPTY,
    "cut off": CUT_OFF,
    "canary not fit": UNFIT,
    "three shards": SHARDS,
    "bisected": BISECTED,
    "simulated": FAKE,
    "two apps": APPS,
    "nothing differs": ALIKE,
    "lock file": LOCKED,
    "awkward": AWKWARD,
}
