"""Reports by value, one per situation that a reader can meet; nothing here calls the analysis."""

from __future__ import annotations

from dataclasses import replace

from servermatrix.model import (
    Bottleneck,
    Cell,
    Estimate,
    Excluded,
    Flag,
    Host,
    Load,
    Noise,
    Percentile,
    PlannedCell,
    Proof,
    Ranking,
    Remark,
    Report,
    RunHeader,
    Summary,
    Table,
    Verdict,
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


def percentile(value_us: float, spread: float = 0.05) -> Percentile:
    return Percentile(value_us=value_us, lowest_us=value_us * (1 - spread), highest_us=value_us * (1 + spread), samples=462_000)


SERVER_BOUND = Verdict(bottleneck=Bottleneck.SERVER, evidence="the server used 99 % of the one core that it can use")
GENERATOR_BOUND = Verdict(
    bottleneck=Bottleneck.GENERATOR, evidence="wrk used 97 % of its core and 94 % of its calibrated ceiling; the server used 61 %"
)
REMARKS = {
    flag: Remark(flag=flag, sentence=sentence, advice=advice)
    for flag, sentence, advice in (
        (
            Flag.GENERATOR_BOUND,
            "wrk used 97 % of its core while the server used 61 % of one",
            "Give the generator more threads, on a machine that has the cores",
        ),
        (
            Flag.HOST_BOUND,
            "the host took 8 % of the CPU time",
            "Measure when the machine is quiet, or on a machine of your own",
        ),
        (
            Flag.WAITING,
            "the server used 4 % of one core, and every answer took at least 100 ms",
            "The app waits; raise connections until the server is busy",
        ),
        (
            Flag.CONNECTION_BOUND,
            "with 2 connections the server used 61 % of one core and the generator 12 %",
            "Take more connections",
        ),
        (Flag.OVERSUBSCRIBED, "8 workers and 1 generator thread share 2 cores", "Take fewer workers"),
        (Flag.RATE_NOT_KEPT, "3,412 of 4,000 requests/s were answered", "Take a lower rate"),
        (Flag.NOISY, "9 of 22 windows were disturbed by other programs or the host", "Measure when the machine is quiet"),
        (
            Flag.PLATEAU_40_MS,
            (
                "the median answer took 41.2 ms while the server used 9 % of one core: the mark of small writes that wait for a "
                "delayed acknowledgement"
            ),
            "Set TCP_NODELAY in the server, or take uvloop, which does",
        ),
        (
            Flag.BIMODAL,
            "4 of 11 starts served about 9,100 requests/s and the others about 12,400",
            "Look at what differs from start to start, such as which worker got the connections",
        ),
        (
            Flag.UNBALANCED,
            "one of 4 workers did 61 % of the work (worst start 83 %, fair share 25 %) in 7 of 11 starts",
            "Take more connections, or a server that shares them out",
        ),
        (
            Flag.CLOSES_CONNECTIONS,
            "a connection lived for 100 requests on average",
            "Raise the server's limit of requests per connection",
        ),
        (Flag.ANSWERS_MISSING, "12 of 462,000 requests had no answer within 2 s", "Do not believe the p99: it leaves these out"),
        (Flag.MEMORY_GROWS, "memory grew by 14 MiB per 100,000 requests", "Look for a leak in the app or the server"),
        (
            Flag.LOG_FLOOD,
            "the server wrote 41 MiB of log in a window of 2 s",
            "Turn the access log off, or read what it complains of",
        ),
        (Flag.FEW_ROUNDS, "fewer than 6 rounds are good, too few for an interval", "Take more rounds"),
    )
}

UVLOOP = planned(cell("uvicorn", http="httptools", loop="uvloop"))
ASYNCIO = planned(cell("uvicorn", http="h11", loop="asyncio"))
GRANIAN = planned(cell("granian", loop="uvloop"), "granian's backlog cannot be less than 128.")
HYPERCORN = planned(cell("hypercorn", loop="asyncio"))
CLIENT = planned(cell("granian", loop="rloop"))


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
        p50_us=percentile(64e6 / rps),
        p99_us=percentile(130e6 / rps),
        ratio=about(rps / 10_000),
        pss_bytes=31_457_280,
        startup_s=0.4123,
        ranking=ranking,
        verdict=SERVER_BOUND,
        flags=flags,
        remarks=tuple(REMARKS[flag] for flag in flags),
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
        cells=(*HEADER.cells, HYPERCORN, CLIENT),
        excluded=(Excluded(id="hypercorn[loop=uvloop]/h1/w1/c64/json", reason="excluded in matrix.yaml"),),
    ),
    steps_done=5 * ROUNDS,
    tables=(
        replace(
            TABLE,
            rows=(
                *TABLE.rows,
                replace(summary(CLIENT, 34_000, None, Flag.GENERATOR_BOUND, Flag.NOISY), verdict=GENERATOR_BOUND),
            ),
        ),
    ),
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
        p99_us=row.p99_us and percentile(row.p99_us.value_us, 0),
        ratio=bare(row.ratio),
        ranking=None,
        flags=(Flag.FEW_ROUNDS,),
        remarks=(REMARKS[Flag.FEW_ROUNDS],),
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
