"""Two compared runs by value, with everything that a page of them may hold."""

from __future__ import annotations

from dataclasses import replace

from servermatrix.analysis.compare_runs import compare_runs
from servermatrix.model import Cause, Comparison, Look, Run
from tests.unit.analyse_runs import cell, failed
from tests.unit.compared_runs import named, of_samples, starts

SERVERS = ("hypercorn", "granian", "uvicorn", "gunicorn", "daphne")
HYPERCORN, GRANIAN, UVICORN, GUNICORN, DAPHNE = CELLS = [cell(name) for name in SERVERS]
NOISY = cell("tornado")
OLD, NEW = cell("waitress"), cell("robyn")
LOOKS = (Look(round=6, alpha=0.01), Look(round=12, alpha=0.04))
IDS = {"base": "2026-01-01T00-00-00Z-0000", "head": "2026-01-02T00-00-00Z-0000"}


def _base() -> Run:
    cells = [*CELLS, NOISY, OLD, replace(UVICORN, load=replace(UVICORN.load, rate_percent=50))]
    samples = [one for of in [*CELLS, OLD] for one in starts(of, "base")]
    return of_samples(
        IDS["base"], cells, [*samples, *starts(NOISY, "base", sd=0.2)], versions=(("uvicorn", "0.52.0"),), looks=LOOKS
    )


def _head() -> Run:
    changed = {HYPERCORN: {"rps": 0.88, "cpu": 1.12}, GRANIAN: {"rps": 1.12, "cpu": 0.9}, UVICORN: {"rps": 0.9}}
    samples = [one for of in (HYPERCORN, GRANIAN, UVICORN, GUNICORN) for one in starts(of, "head", **changed.get(of, {}))]  # type: ignore[arg-type]
    broken = [failed(DAPHNE, number, Cause.SERVER, "it ended with | code 3") for number in (1, 2, 3)]
    later = [*starts(NOISY, "head", sd=0.2), *starts(NEW, "head")]
    cells = [*CELLS, NOISY, NEW]
    run = of_samples(IDS["head"], cells, [*samples, *broken, *later], versions=(("uvicorn", "0.54.0"),))
    return named(run, IDS["head"], started_at="2026-01-02T00:00:00Z", argv=("run", "--rounds", "12"))


def _forced() -> Comparison:
    base, head = _base(), _head()
    host = replace(head.header.host, cpu="another cpu", memory_bytes=2**34)
    return compare_runs(base, named(head, head.header.id, host=host), 0.03, force=True)


def _slower_night() -> Comparison:
    few = [GRANIAN, UVICORN, GUNICORN]
    base, head = (
        of_samples(IDS[name], few, [one for of in few for one in starts(of, name, rps=rps, rounds=6)], 6)
        for name, rps in (("base", 1.0), ("head", 0.9))
    )
    return compare_runs(base, head, 0.03)


EVERYTHING = compare_runs(_base(), _head(), 0.03)
FORCED = _forced()
SLOWER_NIGHT = _slower_night()
COMPARED = {"everything": EVERYTHING, "by force": FORCED, "a slower night": SLOWER_NIGHT}
