"""Reports by value of what is said beside tables: noise floor, effects, looks, controls, open loops; nothing here analyses."""

from __future__ import annotations

from dataclasses import replace

from servermatrix.model import (
    Ceiling,
    Cell,
    Check,
    Decision,
    Effect,
    EffectIn,
    Estimate,
    Flag,
    Look,
    NoiseFloor,
    Passed,
    PlannedCell,
    Ranking,
    Report,
    Summary,
    Table,
)
from tests.golden.report_examples import (
    ASYNCIO,
    GRANIAN,
    HEADER,
    HYPERCORN,
    LOAD,
    RANKED,
    REMARKS,
    TABLE,
    UVLOOP,
    about,
    percentile,
    planned,
    summary,
    without_numbers,
)


def again(of: PlannedCell) -> PlannedCell:
    return replace(of, cell=replace(of.cell, duplicate=True))


def floor(ratio: float, low: float | None, high: float | None, factor: float) -> NoiseFloor:
    return NoiseFloor(
        cell_id=UVLOOP.cell.id, name=UVLOOP.cell.setting, ratio=Estimate(value=ratio, low=low, high=high, n=11), factor=factor
    )


CEILINGS = (
    Ceiling(generator="wrk", protocol="h1", threads=1, requests_per_s=90_012.3, cpu_us_per_request=10.9),
    Ceiling(generator="h2load", protocol="h2c", threads=2, requests_per_s=71_500, cpu_us_per_request=21.3),
)
NOISE_FLOOR = replace(
    RANKED,
    header=replace(HEADER, cells=(*HEADER.cells, again(UVLOOP))),
    steps_done=44,
    steps_planned=44,
    ceilings=CEILINGS[:1],
    noise_floor=floor(1.01, 0.97, 1.05, 1.05),
)
CANNOT = "this machine cannot tell these apart: the same cell measured twice differed by 1.04x [0.93, 1.16]"
WIDE_FLOOR = replace(
    NOISE_FLOOR,
    noise_floor=floor(1.04, 0.93, 1.16, 1.16),
    answer=CANNOT,
    tables=(
        replace(
            TABLE,
            rows=tuple(replace(row, ranking=Ranking(rank=(1, 3), group="a")) for row in TABLE.rows),
            answer=CANNOT,
        ),
    ),
)


def effect(where: str, value: float, low: float, high: float, *, shown: bool = True) -> EffectIn:
    return EffectIn(where=where, ratio=Estimate(value=value, low=low, high=high, n=11), shown=shown)


LOOP = Effect(
    option="loop",
    value="uvloop",
    instead_of="asyncio",
    seen=(
        effect("uvicorn[http=httptools]", 1.38, 1.31, 1.46),
        effect("uvicorn[http=h11]", 1.12, 1.10, 1.14),
        effect("hypercorn", 1.052, 1.018, 1.089),
        effect("granian", 1.004, 0.962, 1.041, shown=False),
    ),
    differs=(
        ("uvicorn[http=h11]", "uvicorn[http=httptools]"),
        ("uvicorn[http=httptools]", "hypercorn"),
        ("granian", "uvicorn[http=httptools]"),
    ),
)
HTTP = Effect(
    option="http",
    value="httptools",
    instead_of="h11",
    seen=(effect("uvicorn[loop=asyncio]", 4.6, 4.4, 4.81), effect("uvicorn[loop=uvloop]", 5.1, 4.9, 5.3)),
)
LOG = Effect(option="access_log", value="on", instead_of="off", seen=(effect("uvicorn[loop=uvloop]", 0.611, 0.58, 0.64),))
EFFECTS = replace(NOISE_FLOOR, tables=(replace(TABLE, effects=(LOOP, HTTP, LOG), effect_comparisons=13),))
MANY_EFFECTS = replace(
    RANKED,
    tables=(
        replace(
            TABLE,
            effects=(
                replace(
                    LOOP,
                    seen=tuple(
                        effect(f"server{number}", 1 + number / 100, 1 + number / 120, 1 + number / 80, shown=number > 6)
                        for number in range(12)
                    ),
                    differs=(("server0", "server11"),),
                ),
            ),
            effect_comparisons=78,
        ),
    ),
)
NO_EFFECT = replace(
    RANKED,
    tables=(
        replace(
            TABLE,
            effects=(replace(LOOP, seen=tuple(replace(one, shown=False) for one in LOOP.seen), differs=()),),
            effect_comparisons=10,
        ),
    ),
)

LOOKS = (Look(round=6, alpha=0.01), Look(round=12, alpha=0.02), Look(round=24, alpha=0.02))
STOPPED = replace(
    NOISE_FLOOR,
    header=replace(
        HEADER,
        argv=("run", "--budget", "20m"),
        rounds=24,
        looks=LOOKS,
        budget_s=1_200,
        cells=(*HEADER.cells, HYPERCORN, again(UVLOOP)),
    ),
    steps_done=54,
    steps_planned=54,
    tables=(
        replace(
            TABLE,
            rows=(
                *TABLE.rows,
                replace(summary(HYPERCORN, 4_000, Ranking(rank=(4, 4), group="c")), rounds_ok=6),
            ),
        ),
    ),
    decisions=(
        Decision(
            round=6,
            alpha=0.01,
            dropped=((HYPERCORN.cell.id, "shown to be slower than every row that is still in question"),),
        ),
        Decision(round=12, alpha=0.02, stopped="all pairs of the cells that were left are told apart"),
    ),
)
WENT_ON = replace(
    STOPPED,
    tables=(TABLE,),
    complete=False,
    steps_done=61,
    steps_planned=120,
    decisions=(Decision(round=6, alpha=0.01), Decision(round=12, alpha=0.02)),
)


def check(subject: str, expected: float, value: float | None, passed: Passed, unit: str = "requests/s") -> Check:
    rule = "64 connections, and each answer awaits 100 ms: requests/s within 10% of what that allows"
    return Check(
        subject=subject,
        rule=rule,
        expected=expected,
        found=None if value is None else about(value, 0.01),
        unit=unit,
        passed=passed,
    )


CHECKS = (
    *(check(f"{name}, waiting", 640, 633.4, Passed.YES) for name in ("uvicorn", "granian", "gunicorn")),
    check("4 servers under waiting", 1, 1.02, Passed.YES, "times as many requests/s"),
    check("uvicorn, burn", 1.2, 1.187, Passed.YES, "times the CPU us/request"),
    check("granian, burn", 1.2, None, Passed.UNKNOWN, "times the CPU us/request"),
)
CONTROLS = replace(RANKED, checks=CHECKS)
FAILING_CONTROLS = replace(
    RANKED,
    checks=(
        *CHECKS,
        check("hypercorn, waiting", 640, 498, Passed.NO),
        *(check(f"daphne, threads, {number} workers", 400, 310, Passed.NO) for number in range(1, 6)),
    ),
)


def opened(of: PlannedCell, percent: int = 30) -> PlannedCell:
    load = replace(LOAD, generator="builtin", rate_percent=percent)
    return replace(of, cell=replace(of.cell, load=load), load_argv=("python3", "builtin.py", "--rate", "3000"))


def kept(of: PlannedCell, rps: float, p50_us: float, p99_us: float, *flags: Flag) -> Summary:
    return replace(
        summary(of, rps, None, *flags),
        p50_us=percentile(p50_us),
        p99_us=percentile(p99_us),
        p999_us=percentile(3 * p99_us, 0.4),
        cpu_us_per_request=about(60),
        ratio=None,
        due_per_s=3_000.0,
        paced_by=ASYNCIO.cell.id,
        verdict=None,
        remarks=tuple(REMARKS[flag] for flag in flags),
    )


OPEN_TABLE: Table = replace(
    TABLE,
    generator="builtin",
    reference=None,
    detectable=None,
    comparisons=0,
    rate_percent=30,
    rate_per_s=3_000.0,
    answer="at 3,000 requests/s granian[loop=uvloop] had the lowest p99: 0.91 ms",
    rows=(
        kept(opened(GRANIAN), 2_999.6, 310, 912),
        kept(opened(UVLOOP), 3_000.1, 355, 1_480),
        replace(kept(opened(ASYNCIO), 2_412, 9_100, 412_000, Flag.RATE_NOT_KEPT), p999_us=None),
    ),
)
OPEN_LOOP: Report = replace(
    RANKED,
    header=replace(
        HEADER,
        generators=(("wrk", "4.1.0"), ("builtin", "1.0.0")),
        cells=(*HEADER.cells, *(row.planned for row in OPEN_TABLE.rows)),
    ),
    steps_done=66,
    steps_planned=66,
    tables=(TABLE, OPEN_TABLE),
)

LONG = planned(
    Cell(
        server="gunicorn",
        options=(("loop", "uvloop"),),
        label="access_log=on,http=httptools,loop=uvloop,threads=4,worker=uvicorn",
        protocol="h1",
        workers=1,
        app="plaintext",
        load=LOAD,
        python="3.13",
        requires=("uvicorn==0.52.0", "h11<1"),
    )
)
LONG_NAMES = replace(
    RANKED,
    tables=(
        replace(
            TABLE,
            rows=(
                *TABLE.rows,
                replace(summary(LONG, 9_000, None, Flag.OVERSUBSCRIBED, Flag.NOISY, Flag.LOG_FLOOD), ranking=None),
            ),
            effects=(replace(LOG, seen=(effect(LONG.cell.setting, 0.611, 0.58, 0.64),)),),
            effect_comparisons=1,
        ),
    ),
)
ONE_ROW = replace(
    RANKED,
    header=replace(HEADER, cells=(UVLOOP,)),
    steps_done=11,
    tables=(
        replace(
            TABLE,
            rows=(summary(UVLOOP, 20_800, Ranking(rank=(1, 1), group="a")),),
            reference=UVLOOP.cell.id,
            detectable=None,
            comparisons=0,
            answer="uvicorn[http=httptools,loop=uvloop] serves plaintext at 20,800 [20,176, 21,424] requests/s",
        ),
    ),
    not_measured=(without_numbers(again(UVLOOP), "failed", "it did not start"),),
)

EVERYTHING = replace(STOPPED, tables=(replace(STOPPED.tables[0], effects=(LOOP, LOG), effect_comparisons=8),), checks=CHECKS[-3:])

CLAIMS_EXAMPLES = {
    "noise floor": NOISE_FLOOR,
    "wide floor": WIDE_FLOOR,
    "effects": EFFECTS,
    "many effects": MANY_EFFECTS,
    "no effect": NO_EFFECT,
    "stopped": STOPPED,
    "went on": WENT_ON,
    "controls": CONTROLS,
    "failing controls": FAILING_CONTROLS,
    "open loop": OPEN_LOOP,
    "long names": LONG_NAMES,
    "one row": ONE_ROW,
}
