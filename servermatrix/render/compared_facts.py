"""How two compared runs were made, what is not the same in them, and how the comparison is read."""

from __future__ import annotations

from servermatrix.model import ComparedRun, Comparison
from servermatrix.render import compared, notes
from servermatrix.render.check_lines import percent
from servermatrix.render.machine import PROGRAM
from servermatrix.render.table import Column, Grid, amount, counted, shell_line

_ON_BOTH = tuple(Column(header=header) for header in ("what", compared.BASE, compared.HEAD))


def not_the_same(found: Comparison) -> Grid:
    """Lay out what differs between the runs, what should have been alike first."""
    rows = [(f"{one.what} (should be alike)", one.base, one.head) for one in found.unlike]
    return Grid(columns=_ON_BOTH, rows=(*rows, *((one.what, one.base, one.head) for one in found.changed)))


def runs(found: Comparison) -> Grid:
    """Lay out how each of the runs was made."""
    one, other = (_facts(run) for _, run in compared.sides(found))
    return Grid(columns=_ON_BOTH, rows=tuple((key, value, other[key]) for key, value in one.items()))


def _facts(run: ComparedRun) -> dict[str, str]:
    header, (done, planned) = run.header, run.steps
    return {
        "run": header.id,
        "started": header.started_at,
        "command": shell_line((*PROGRAM, *header.argv)),
        "complete": "yes" if run.complete else "no",
        "rounds": str(header.rounds),
        "steps": f"{amount(done)} of {amount(planned)}",
        "seed": str(header.seed),
        "generator": notes.generators(header),
        "noise floor": "not measured" if run.noise_floor is None else f"{amount(run.noise_floor, 3)}x",
        "cpu": header.host.cpu,
        "cores": f"{header.host.cores} ({header.host.pinned or 'not pinned'})",
        "system": header.host.system,
        "noise allowed": notes.noise(header),
    }


def rules(found: Comparison) -> list[str]:
    """Say how it is read, a sentence or two each."""
    margin, looks = percent(found.margin), found.base.looks * found.head.looks
    peeked = (
        "A run with a budget may end, or leave out cells, at several rounds, because of what it has shown by then: every p is "
        f"{looks} times what it would be otherwise, and the intervals are as much surer."
    )
    return [
        (
            "Rounds of different runs are not paired: figures are what changes from BASE to HEAD, Hodges-Lehmann estimates over "
            "all starts of one against all of the other, with intervals of 95 %. More requests/s are better, more CPU us/request "
            "are worse."
        ),
        (
            f"A regression or an improvement is a change beyond {margin} with p <= 0.01 by the one-sided rank-sum test, after "
            f"Holm's correction over {counted(found.hypotheses, 'test')}: both directions of both metrics of every cell that has "
            "numbers in both runs."
        ),
        "May be up to: the largest change, either way, that the intervals of both metrics leave room for, if none was confirmed.",
        "Smallest detectable change: what would be confirmed about every second time in the median cell.",
        *([peeked] if looks > 1 else []),
        *left_out(found),
    ]


def left_out(found: Comparison) -> list[str]:
    """Say what is not compared, nothing where all is."""
    if not found.left_out:
        return []
    cells = counted(len(found.left_out), "cell")
    return [f"Left out: {cells} of an open loop, whose rate each run sets by what it measures itself."]
