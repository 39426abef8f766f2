"""Searches by value, one per situation that a reader can meet; nothing here judges anything."""

from __future__ import annotations

from dataclasses import replace

from servermatrix.model import (
    LATENCY,
    App,
    Asked,
    Candidate,
    Capacity,
    Cell,
    Decision,
    Deployed,
    Effect,
    EffectIn,
    Estimate,
    Excluded,
    Flag,
    Held,
    Limit,
    Look,
    PickReport,
    PlannedCell,
    Race,
    Request,
    Scaling,
    Share,
    Standing,
    Summary,
)
from tests.golden.report_examples import HEADER, LOAD, REASON, REMARKS, percentile

ROUNDS = 17
APP = App(name="shop.main:app", target="shop.main:app", folder=".", request=Request(path="/items"))


def about(value: float, spread: float = 0.02, n: int = ROUNDS) -> Estimate:
    return Estimate(value=value, low=value * (1 - spread), high=value * (1 + spread), n=n)


def planned(server: str, workers: int = 1, protocol: str = "h1", **options: str) -> PlannedCell:
    chosen = tuple(sorted(options.items()))
    label = ",".join(f"{name}={value}" for name, value in chosen)
    of = Cell(server=server, options=chosen, label=label, protocol=protocol, workers=workers, app=APP.name, load=LOAD)
    argv = ("./.venv/bin/python", "-m", server, "--workers", str(workers), APP.target)
    return PlannedCell(cell=of, argv=argv, load_argv=("wrk", "-c", "64", "-t", "1", "http://127.0.0.1:8000/items"))


def row(of: PlannedCell, rps: float | None, cpu: float = 480, mib: float = 60, *flags: Flag, reason: str = "") -> Summary:
    if rps is None:
        failed = reason or REASON
        return Summary(planned=of, name=of.cell.setting, status="failed", reason=failed, rounds_ok=0, rounds_failed=2)
    return Summary(
        planned=of,
        name=of.cell.setting,
        status="measured",
        reason="",
        rounds_ok=ROUNDS,
        rounds_failed=0,
        rps=about(rps),
        cpu_us_per_request=about(cpu),
        p50_us=percentile(64e6 / rps),
        p99_us=percentile(3 * 64e6 / rps),
        pss_bytes=round(mib * 2**20),
        startup_s=0.61,
        flags=flags,
        remarks=tuple(REMARKS[flag] for flag in flags),
    )


def one(summary: Summary, standing: Standing, reason: str, score: float | None = None, *, pareto: bool = False) -> Candidate:
    rounds = {Standing.BEATEN: 5, Standing.FAILED: 0, Standing.SKIPPED: 0}.get(standing, ROUNDS)
    ratio = None if score is None else about(score, n=max(1, rounds))
    return Candidate(summary=summary, standing=standing, reason=reason, rounds=rounds, score=ratio, pareto=pareto)


UVICORN = planned("uvicorn", 2, http="httptools", loop="uvloop")
PICKED = one(
    row(UVICORN, 4_120, 480, 96.4),
    Standing.PICKED,
    "Of the 4 that cannot be told apart it has the fewest workers and takes the least memory.",
    pareto=True,
)
TIED = (
    one(row(planned("granian", 2, loop="uvloop"), 4_190, 471, 108.2), Standing.TIED, "tied with the best", 1.017, pareto=True),
    one(row(planned("granian", 2, loop="asyncio"), 4_080, 489, 104.8), Standing.TIED, "tied with the best", 0.991),
    one(
        row(planned("uvicorn", 2, http="h11", loop="uvloop"), 4_020, 502, 96.4, Flag.NOISY),
        Standing.TIED,
        "tied with the best",
        0.976,
    ),
)
BEATEN = (
    one(row(planned("gunicorn", 2, worker="asgi"), 3_610, 544, 121), Standing.BEATEN, "12.4 % fewer requests/s [10, 15]", 0.876),
    one(
        row(planned("uvicorn", 1, http="httptools", loop="uvloop"), 2_250, 442, 50),
        Standing.BEATEN,
        "45 % fewer requests/s",
        0.546,
    ),
    one(row(planned("hypercorn", 2, loop="uvloop"), 1_980, 1_004, 99), Standing.BEATEN, "52 % fewer requests/s", 0.48),
    one(row(planned("uvicorn", 1, http="h11", loop="asyncio"), 1_640, 610, 49), Standing.BEATEN, "60 % fewer requests/s", 0.4),
    one(row(planned("hypercorn", 1, loop="asyncio"), 88.4, 11_004, 51), Standing.BEATEN, "98 % fewer requests/s", 0.021),
)
BROKEN = "answered 500 `Internal Server Error` to GET /items, twice"
FAILED = (
    one(row(planned("daphne", 1), None), Standing.FAILED, BROKEN),
    one(row(planned("hypercorn", 1, loop="trio"), None), Standing.FAILED, BROKEN),
    one(row(planned("tornado", 1), None), Standing.FAILED, REASON),
)
SKIPPED = one(row(planned("gunicorn", 1, worker="gevent"), None), Standing.SKIPPED, "gevent is not installed beside the app")
UNIT = "[Unit]\nDescription=shop\n\n[Service]\nExecStart=/srv/shop/.venv/bin/python -m uvicorn shop.main:app --workers 2\n"
DEPLOYED = Deployed(
    cell_id=UVICORN.cell.id,
    argv=(
        *("python", "-m", "uvicorn", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", "--loop", "uvloop"),  # noqa: S104
        *("--http", "httptools", "--no-access-log", "shop.main:app"),
    ),
    env=("DATABASE_URL", "SECRET_KEY"),
    files=(
        ("app.service", UNIT, "Copy it to /etc/systemd/system and set the folder."),
        ("Dockerfile", 'FROM python:3.11-slim\nCMD ["python", "-m", "uvicorn"]\n', "The last lines of an image with the app."),
        ("compose.yaml", "services:\n  app:\n    build: .\n    # ```\n", "The service of a compose file."),
    ),
)
SHARE = Share(
    spread=about(2.11),
    app_share=about(0.62),
    matters=True,
    sentence="The server matters: the best serves 2.11x [2.07, 2.15] as much as the worst; the app takes 62 % of each request.",
)
CAPACITY = Capacity(
    per_core_per_s=about(2_083),
    worker_bytes=48 * 2**20,
    workers_fit=10,
    connections=20,
    scaling=None,
    sentences=(
        "At 480 us of CPU per request a core serves 2,083 requests/s.",
        "Memory is 20 MiB and 48.2 MiB for every worker (measured with 1 and 2 workers).",
        "memory<512MB has room for 10 workers under this load, if it goes on like this beyond the 2 measured.",
        "With a pool of 10 the database must take 20 connections (10 x 2 workers).",
    ),
)
EFFECTS = (
    Effect(
        option="loop",
        value="uvloop",
        instead_of="asyncio",
        seen=(
            EffectIn(where="granian/w2", ratio=about(1.027), shown=False),
            EffectIn(where="uvicorn[http=h11]/w2", ratio=about(1.21), shown=True),
        ),
        differs=(("granian/w2", "uvicorn[http=h11]/w2"),),
    ),
)
LOOKS = tuple(Look(round=number, alpha=0.01) for number in (3, 5, 8, 12, 17))
DECISIONS = (
    Decision(round=3, alpha=0.01, dropped=((FAILED[0].summary.planned.cell.id, f"it failed: {BROKEN}"),)),
    Decision(round=5, alpha=0.01, dropped=tuple((each.summary.planned.cell.id, each.reason) for each in BEATEN)),
    Decision(round=8, alpha=0.01),
    Decision(round=17, alpha=0.01, stopped="the leaders are tied: no further round could tell them apart"),
)
PICK_HEADER = replace(
    HEADER,
    id="2026-11-24T15-30-00Z-1a2b",
    argv=(
        *("pick", "--app", "shop.main:app", "--app-dir", ".", "--path", "/items", "--python", "./.venv/bin/python"),
        *("--env", "SECRET_KEY=...", "--memory", "512MB", "--budget", "15m", "--seed", "3", "--out=nights", "-v"),
    ),
    rounds=24,
    looks=LOOKS,
    budget_s=900,
    cells=tuple(each.summary.planned for each in (PICKED, *TIED, *BEATEN, *FAILED)),
    excluded=(Excluded(id="granian[loop=rloop]/h1/w1/c64/shop.main:app", reason="rloop is not installed beside the app"),),
    apps=(
        replace(APP, env=(("DATABASE_URL", ""), ("SECRET_KEY", ""))),
        App(name="plaintext", target="plaintext:app", folder="apps"),
    ),
    equalised=("Access logs are off.",),
)
USUAL = PickReport(
    header=PICK_HEADER,
    race=Race(
        limits=(Limit(metric="memory", bound=512e6, text="memory<512MB"),),
        references=("uvicorn[http=httptools,loop=uvloop]/h1/w1/c64/plaintext",),
        pool=10,
    ),
    line="pick: uvicorn[http=httptools,loop=uvloop]/h1/w2 (3 tied, 5 beaten, 3 failed, 0 over a limit)",
    answer=(
        "Take uvicorn[http=httptools,loop=uvloop] with 2 workers: 4,120 requests/s [4,038, 4,202] for shop.main:app; 3 others "
        "are tied with it and cost as much or more."
    ),
    candidates=(PICKED, *TIED, *BEATEN, *FAILED, SKIPPED),
    deployed=DEPLOYED,
    share=SHARE,
    capacity=CAPACITY,
    effects=EFFECTS,
    decisions=DECISIONS,
    warnings=(),
    met=True,
    complete=True,
    steps=(214, 214),
)
ALONE = replace(
    USUAL,
    line="pick: uvicorn[http=httptools,loop=uvloop]/h1/w2 (0 tied, 5 beaten, 0 failed, 0 over a limit)",
    candidates=(replace(PICKED, reason="It is surely better than every other."), *BEATEN),
    deployed=replace(DEPLOYED, env=(), files=()),
    effects=(),
)
P99 = Limit(metric="latency", percent=99.0, bound=50_000, text="p99<50ms")
NO_ERRORS = Limit(metric="errors", bound=0, text="errors=0")


def holding(of: Candidate, low: float, high: float, latency_us: float | None, sentence: str) -> Candidate:
    latency = None if latency_us is None else about(latency_us, 0.1, 3)
    held = Held(
        cell_id=of.summary.planned.cell.id, low_per_s=low, high_per_s=high, latency_us=latency, starts=9, sentence=sentence
    )
    return replace(of, held=held)


HELD = (
    holding(PICKED, 3_200, 3_400, 41_300, "keeps p99<50ms at 3,200 requests/s and no longer at 3,400"),
    holding(TIED[0], 3_150, 3_350, 43_000, "keeps p99<50ms at 3,150 requests/s and no longer at 3,350"),
    holding(TIED[1], 3_100, 0, 21_000, "keeps p99<50ms at 3,100 requests/s, the highest rate that was tried"),
)
BRACKETS = replace(
    USUAL,
    line="pick: uvicorn[http=httptools,loop=uvloop]/h1/w2 (2 tied, 5 beaten, 0 failed, 1 over a limit)",
    race=Race(limits=(P99, NO_ERRORS), finalists=4, holding_s=240),
    candidates=(
        *HELD,
        replace(
            holding(TIED[2], 0, 400, 61_000, "p99 is 61 ms at 400 requests/s"),
            standing=Standing.OVER_LIMIT,
            reason="p99 is 61 ms",
        ),
        *BEATEN,
    ),
)
AT_RATE = replace(
    BRACKETS, race=Race(limits=(P99,), rate_per_s=500), candidates=(holding(PICKED, 500, 0, 12_300, "p99 is 12.3 ms"), *BEATEN)
)
LATENCY_ONLY = replace(BRACKETS, race=Race(prefer=LATENCY), candidates=(*HELD[:2], *BEATEN))
OVER = tuple(
    replace(each, standing=Standing.OVER_LIMIT, score=None, reason=f"p99 is {61 + number} ms at 400 requests/s, over the 50 ms")
    for number, each in enumerate(
        (
            holding(PICKED, 0, 400, 61_000, "p99 is 61 ms at 400 requests/s"),
            holding(TIED[0], 0, 400, 62_000, "p99 is 62 ms at 400 requests/s"),
            *TIED[1:],
            *BEATEN[:3],
        )
    )
)
NOBODY = replace(
    USUAL,
    line="pick: nothing (0 tied, 2 beaten, 3 failed, 7 over a limit)",
    answer="No setting keeps p99<50ms: the best reached 61 ms at 400 requests/s, uvicorn[loop=uvloop] with 2 workers.",
    race=Race(limits=(P99,), rate_per_s=400),
    candidates=(*OVER, *BEATEN[3:], *FAILED),
    deployed=None,
    share=None,
    capacity=None,
    met=False,
)
ALL_FAILED = replace(
    NOBODY,
    line="pick: nothing (0 tied, 0 beaten, 3 failed, 0 over a limit)",
    answer="The app could not be served by anything: ModuleNotFoundError: No module named 'shop'.",
    race=Race(),
    candidates=FAILED,
    effects=(),
    decisions=(),
    met=True,
)
OPEN = tuple(
    replace(each, standing=Standing.OPEN, rounds=2, reason="2 rounds are too few to tell it from the best") for each in TIED
)
INTERRUPTED = replace(
    USUAL,
    line="pick: uvicorn[http=httptools,loop=uvloop]/h1/w2 (0 tied, 0 beaten, 0 failed, 0 over a limit)",
    candidates=(replace(PICKED, rounds=2, reason="It has the highest figure after 2 rounds."), *OPEN),
    share=None,
    effects=(),
    decisions=(),
    warnings=("Interrupted after 2 rounds: too few to tell the leaders apart.",),
    complete=False,
    steps=(19, 312),
)
NO_MATTER = replace(
    USUAL,
    answer="Take uvicorn[http=httptools,loop=uvloop] with 2 workers, but the server does not matter for this app.",
    share=Share(
        spread=about(1.03, 0.01),
        app_share=about(0.97, 0.01),
        matters=False,
        sentence="The server does not matter for this app: the spread is 3 % [2, 4], your app takes 97 % of each request.",
    ),
)
SCALING = replace(
    USUAL,
    capacity=replace(
        CAPACITY,
        scaling=Scaling(
            setting="uvicorn[http=httptools,loop=uvloop]/h1",
            rate_per_s=2_250.4,
            contention=0.0421,
            coherency=0.00113,
            peak=None,
            farthest=16,
            points=6,
        ),
        sentences=(
            *CAPACITY.sentences,
            "Throughput over workers, fitted to 6 worker counts: up to 16 workers, more workers do more.",
        ),
    ),
)
LOADS = tuple(
    replace(each, summary=replace(each.summary, planned=replace(each.summary.planned, cell=cell)))
    for each, connections in ((PICKED, 64), (TIED[0], 64), (replace(PICKED, standing=Standing.TIED, score=about(1.0)), 256))
    for cell in (replace(each.summary.planned.cell, load=replace(LOAD, connections=connections)),)
)
TWO_LOADS = replace(USUAL, candidates=LOADS)
MIX = replace(
    USUAL,
    header=replace(
        PICK_HEADER,
        apps=(
            replace(
                APP,
                factory=True,
                lifespan="off",
                mix=(Asked(request=Request(path="/items"), weight=3), Asked(request=Request(method="POST", path="/orders"))),
            ),
        ),
    ),
)
MANY = replace(
    USUAL,
    line="pick: uvicorn[http=httptools,loop=uvloop]/h1/w2 (20 tied, 0 beaten, 0 failed, 0 over a limit)",
    candidates=(
        PICKED,
        *(
            one(row(planned("granian", count), 4_100, 480, 100), Standing.TIED, "tied with the best", 1.0)
            for count in range(1, 21)
        ),
    ),
)
HOSTILE = "a|b `c` <details>\n\n</details> | *d* @someone #12 &lt; ::error::x\r\n%0A\x00\x1b[31m ]]> _e_ \ud800 [f](g)"
AWKWARD = replace(
    USUAL,
    line=HOSTILE,
    answer=HOSTILE,
    candidates=(
        replace(PICKED, reason=HOSTILE, summary=replace(PICKED.summary, planned=planned("uvicorn", 1, loop=HOSTILE))),
        replace(
            TIED[0], score=None, reason="", summary=replace(TIED[0].summary, cpu_us_per_request=None, p99_us=None, pss_bytes=None)
        ),
        holding(replace(TIED[1], reason=HOSTILE), 0, 0, None, HOSTILE),
        *(one(row(planned("daphne", number), None, reason=HOSTILE * 9), Standing.FAILED, "") for number in range(1, 7)),
    ),
    deployed=Deployed(cell_id="x", argv=("python", HOSTILE), env=(HOSTILE,), files=(("a.conf", f"```\n{HOSTILE}", HOSTILE),)),
    share=Share(spread=None, app_share=None, matters=True, sentence=HOSTILE),
    capacity=replace(CAPACITY, per_core_per_s=None, sentences=(HOSTILE,)),
    warnings=(HOSTILE,),
    complete=False,
)

PICK_EXAMPLES = {
    "picked with ties": USUAL,
    "picked alone": ALONE,
    "brackets of a latency search": BRACKETS,
    "one rate": AT_RATE,
    "latency without limits": LATENCY_ONLY,
    "nothing keeps the limits": NOBODY,
    "everything failed": ALL_FAILED,
    "interrupted early": INTERRUPTED,
    "server does not matter": NO_MATTER,
    "scaling fit": SCALING,
    "two loads": TWO_LOADS,
    "mix and factory": MIX,
    "many tied": MANY,
    "awkward": AWKWARD,
}
