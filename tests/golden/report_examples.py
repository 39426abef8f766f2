"""Reports by value, one per situation that a reader can meet; nothing here calls the analysis."""

from __future__ import annotations

from dataclasses import replace

from servermatrix.model import (
    Cell,
    Estimate,
    Excluded,
    Flag,
    Host,
    Load,
    Noise,
    PlannedCell,
    Proof,
    Ranking,
    Report,
    RunHeader,
    Summary,
    Table,
)

ROUNDS = 11
LOAD = Load(generator="wrk", connections=64, threads=1, duration_s=2, warmup_s=1, windows=2)


def cell(server: str, app: str = "plaintext", **options: str) -> Cell:
    chosen = tuple(sorted(options.items()))
    label = ",".join(f"{name}={value}" for name, value in chosen)
    return Cell(server=server, options=chosen, label=label, protocol="h1", workers=1, app=app, load=LOAD)


def planned(of: Cell, *unequal: str) -> PlannedCell:
    argv = ("python3", "-m", of.server, "--loop", dict(of.options)["loop"], "plaintext:app")
    return PlannedCell(cell=of, argv=argv, load_argv=("wrk", "-c", "64", "-t", "1", "http://127.0.0.1:8000/"), unequal=unequal)


def about(value: float, spread: float = 0.03, n: int = ROUNDS) -> Estimate:
    return Estimate(value=value, low=value * (1 - spread), high=value * (1 + spread), n=n)


UVLOOP = planned(cell("uvicorn", http="httptools", loop="uvloop"))
ASYNCIO = planned(cell("uvicorn", http="h11", loop="asyncio"))
GRANIAN = planned(cell("granian", loop="uvloop"), "granian's backlog cannot be less than 128.")
HYPERCORN = planned(cell("hypercorn", loop="asyncio"))
CLIENT_BOUND = planned(cell("granian", loop="rloop"))


def summary(of: PlannedCell, rps: float, ranking: Ranking | None, *flags: Flag) -> Summary:
    return Summary(
        planned=of,
        name=of.cell.setting,
        status="measured",
        reason="",
        rounds_ok=ROUNDS,
        rounds_failed=0,
        rps=about(rps),
        cpu_us_per_request=about(1e6 / rps, 0.004),
        p50_us=about(64e6 / rps),
        p99_us=about(130e6 / rps),
        ratio=about(rps / 10_000),
        pss_bytes=31_457_280,
        startup_s=0.4123,
        worker_share_max=1.0,
        ranking=ranking,
        flags=flags,
    )


def without_numbers(of: PlannedCell, status: str, reason: str) -> Summary:
    return Summary(planned=of, name=of.cell.setting, status=status, reason=reason, rounds_ok=0, rounds_failed=1)


HEADER = RunHeader(
    id="2026-11-22T15-30-00Z-1a2b",
    started_at="2026-11-22T15:30:00+00:00",
    argv=("run", "--profile", "full", "-k", "*plaintext"),
    seed=7,
    rounds=ROUNDS,
    noise=Noise(),
    generators=(("wrk", "4.1.0"),),
    host=Host(
        system="Linux 6.1", cpu="Some CPU @ 3 GHz", cores=8, memory_bytes=16 * 2**30, python="CPython 3.11.7", pinned="0 | 1"
    ),
    versions=(("granian", "2.8.7"), ("servermatrix", "1.0.0"), ("uvicorn", "0.54.0")),
    git="1234abc",
    cells=(UVLOOP, ASYNCIO, GRANIAN),
    excluded=(),
)
PROOF = Proof(
    key="uvicorn[http=httptools,loop=uvloop]/h1/w1",
    loop="uvloop.Loop",
    http="uvicorn.protocols.http.httptools_impl.HttpToolsProtocol",
    http_version="1.1",
    workers=1,
    python="CPython 3.11.7",
    versions=(("uvicorn", "0.54.0"),),
)
TABLE = Table(
    app="plaintext",
    interface="asgi",
    protocols=("h1",),
    workers=1,
    in_flight=64,
    requests_per_connection=0,
    generator="wrk",
    rows=(
        summary(GRANIAN, 21_034.4, Ranking(rank=(1, 2), group="a")),
        summary(UVLOOP, 20_800, Ranking(rank=(1, 2), group="a")),
        summary(ASYNCIO, 10_000, Ranking(rank=(3, 3), group="b")),
    ),
    reference=ASYNCIO.cell.id,
    detectable=1.043,
    comparisons=3,
    rounds_needed=7,
    answer="granian[loop=uvloop] and uvicorn[http=httptools,loop=uvloop] are tied for the lead on plaintext.",
)
RANKED = Report(
    header=HEADER,
    proofs=(PROOF,),
    complete=True,
    steps_done=3 * ROUNDS,
    tables=(TABLE,),
    not_measured=(),
    answer="granian[loop=uvloop] serves plaintext 2.10x [2.04, 2.17] as fast as uvicorn[http=h11,loop=asyncio].",
)

REASON = "the port answered `502 Bad Gateway`\nwith <html> | 12 of 64 requests,\tsee __init__.py"
WITH_FAILURES = replace(
    RANKED,
    header=replace(
        HEADER,
        cells=(*HEADER.cells, HYPERCORN, CLIENT_BOUND),
        excluded=(Excluded(id="hypercorn[loop=uvloop]/h1/w1/c64/json", reason="excluded in matrix.yaml"),),
    ),
    steps_done=5 * ROUNDS,
    tables=(replace(TABLE, rows=(*TABLE.rows, summary(CLIENT_BOUND, 34_000, None, Flag.CLIENT_BOUND, Flag.NOISY))),),
    not_measured=(without_numbers(HYPERCORN, "failed", REASON),),
)

INCOMPLETE = replace(RANKED, complete=False, steps_done=12)


def _only_values(row: Summary) -> Summary:
    def bare(found: Estimate | None) -> Estimate | None:
        return found and replace(found, low=None, high=None, n=1)

    return replace(
        row,
        rounds_ok=1,
        rps=bare(row.rps),
        cpu_us_per_request=bare(row.cpu_us_per_request),
        p50_us=bare(row.p50_us),
        p99_us=bare(row.p99_us),
        ratio=bare(row.ratio),
        ranking=None,
        flags=(Flag.FEW_ROUNDS,),
    )


ONE_ROUND = replace(
    RANKED,
    header=replace(HEADER, rounds=1),
    steps_done=3,
    tables=(replace(TABLE, rows=tuple(map(_only_values, TABLE.rows)), detectable=None, answer="1 round: medians only."),),
    answer="1 round: medians only, nothing can be ranked.",
)


def made_by(generator: str) -> Report:
    header = replace(HEADER, generators=((generator, "1"),))
    return replace(RANKED, header=header, tables=(replace(TABLE, generator=generator),))


NOTHING = replace(
    RANKED,
    proofs=(),
    tables=(),
    not_measured=tuple(without_numbers(each, "skipped", "another cell of this setting failed") for each in HEADER.cells),
    answer="No cell could be measured.",
)

EXAMPLES = {
    "ranked": RANKED,
    "with failures": WITH_FAILURES,
    "incomplete": INCOMPLETE,
    "one round": ONE_ROUND,
    "fake": made_by("fake"),
    "builtin": made_by("builtin"),
    "h2load": made_by("h2load"),
    "nothing measured": NOTHING,
}
