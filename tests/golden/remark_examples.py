"""Reports by value of rows that have something wrong with them, few and many, and of several workers; nothing here analyses."""

from __future__ import annotations

from dataclasses import replace

from servermatrix.model import UNRANKED, Balance, Bottleneck, Cell, Flag, PlannedCell, Ranking, Remark, Report, Summary, Verdict
from tests.golden.claims_examples import CEILINGS
from tests.golden.report_examples import GENERATOR_BOUND, LOAD, RANKED, REMARKS, TABLE, planned, summary

BOUND = {
    Flag.GENERATOR_BOUND: GENERATOR_BOUND,
    Flag.HOST_BOUND: Verdict(bottleneck=Bottleneck.HOST, evidence="the host took 8 % of the CPU time"),
    Flag.WAITING: Verdict(bottleneck=Bottleneck.WAITING, evidence="the server used 4 % of one core"),
    Flag.CONNECTION_BOUND: Verdict(
        bottleneck=Bottleneck.CONNECTIONS, evidence="the server used 61 % of one core, the generator 12 %, with 2 connections"
    ),
}


def numbered(number: int, workers: int = 1) -> PlannedCell:
    return planned(
        Cell(
            server=f"server{number}",
            options=(("loop", "uvloop"),),
            label="loop=uvloop",
            protocol="h1",
            workers=workers,
            app="plaintext",
            load=LOAD,
        )
    )


def flagged(number: int, *flags: Flag) -> Summary:
    ranking = None if UNRANKED & set(flags) else Ranking(rank=(number + 1, number + 1), group="abcdefghijklmno"[number % 15])
    row = summary(numbered(number), 40_000 - 400 * number, ranking, *flags)
    remarks = tuple(replace(REMARKS[flag], sentence=f"{REMARKS[flag].sentence}, {number + 2} times") for flag in flags)
    verdict = next((BOUND[flag] for flag in flags if flag in BOUND), row.verdict)
    return replace(row, remarks=remarks, verdict=verdict)


def of(*rows: Summary, workers: int = 1) -> Report:
    return replace(
        RANKED,
        header=replace(RANKED.header, cells=tuple(row.planned for row in rows)),
        ceilings=CEILINGS,
        tables=(replace(TABLE, rows=rows, workers=workers, reference=rows[0].planned.cell.id, answer=RANKED.answer),),
    )


EVERY_FLAG = of(*(flagged(number, flag) for number, flag in enumerate(Flag)))
SIXTY = of(*(flagged(number, Flag.NOISY, Flag.GENERATOR_BOUND) for number in range(60)))
# What a run of an earlier version, or a later one, may lack: a remark for a flag, a verdict for a row.
UNEXPLAINED = of(
    replace(flagged(0, Flag.NOISY), remarks=()),
    replace(flagged(1, Flag.NOISY, Flag.UNBALANCED), remarks=(), verdict=None),
    replace(flagged(2, Flag.WAITING), remarks=(Remark(flag=Flag.WAITING, sentence="it waits.", advice=""),)),
    replace(flagged(3), verdict=BOUND[Flag.CONNECTION_BOUND]),
    flagged(4),
)


def spread(number: int, balance: Balance | None, *flags: Flag) -> Summary:
    ranking = Ranking(rank=(number + 1, number + 1), group="abcd"[number])
    return replace(summary(numbered(number, 4), 40_000 / (number + 1), ranking, *flags), balance=balance)


EVEN = Balance(share=0.262, worst=0.28, index=0.998, connections=0.25, unbalanced_starts=0, starts=11)
UNEVEN = Balance(share=0.61, worst=0.832, index=0.55, connections=0.594, unbalanced_starts=7, starts=11)
WORKERS = of(
    spread(0, EVEN),
    spread(1, UNEVEN, Flag.UNBALANCED, Flag.BIMODAL),
    spread(2, replace(UNEVEN, connections=None), Flag.UNBALANCED),
    spread(3, None),
    workers=4,
)

REMARK_EXAMPLES = {"every flag": EVERY_FLAG, "sixty rows": SIXTY, "unexplained": UNEXPLAINED, "four workers": WORKERS}
