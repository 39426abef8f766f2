"""What must be known of single rows: what their flags are about, what to do, and what limited each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from servermatrix.analysis.bottleneck import FLAGS, capacity_per_s, ceiling_share, ceiling_use
from servermatrix.analysis.cases import ceiling_of
from servermatrix.analysis.missing import SIMULATED
from servermatrix.analysis.phrases import PROTOCOL_NAMES, counted, joined
from servermatrix.model import UNRANKED, Bottleneck, Ceiling, Flag, Report, Summary
from servermatrix.render.points import Point, ended
from servermatrix.render.table import ABSENT, Column, Grid, amount, percent

NO_FLAGS = "none"
MANY = 2


def flags(row: Summary) -> str:
    """List the flags of a row."""
    return ", ".join(row.flags) or NO_FLAGS


def flags_in_short(row: Summary) -> str:
    """Name the gravest flag of a row and count the others, which are told of under the table."""
    first = min(row.flags, key=list(Flag).index, default=None)
    return f"{first} +{len(row.flags) - 1}" if len(row.flags) > 1 else flags(row)


def limited_by(row: Summary) -> str:
    """Name what limited a row."""
    return ABSENT if row.verdict is None else row.verdict.bottleneck.value


def not_by_the_server(row: Summary) -> bool:
    """Tell whether a row shows the limit of something else than the server."""
    return row.verdict is not None and row.verdict.bottleneck != Bottleneck.SERVER


def remarks(rows: Sequence[Summary], *, ranks: bool = True, most_names: int | None = None) -> list[Point]:
    """Say what each flag is about, row by row, and what to do; then what else limited rows.

    `ranks`: there is a ranking; of rows of which the same is said, `most_names` are named.
    """
    naming = Naming(of_all=len(rows), most=most_names)
    flagged = [(flag, [row for row in rows if flag in row.flags]) for flag in Flag]
    told = [_flag(flag, having, naming, ranks=ranks) for flag, having in flagged if having]
    return [*told, *(_limit(limit, having, naming) for limit in FLAGS if (having := _unflagged(limit, rows)))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """How rows of which the same is said are named: of how many rows they are, and how many names there may be."""

    of_all: int
    most: int | None

    def of(self, names: Sequence[str]) -> str:
        """Name rows, or say that it is all of them."""
        if len(names) == self.of_all > MANY:
            return f"all {self.of_all} rows"
        more = 0 if self.most is None else len(names) - self.most
        return joined(names) if more <= 1 else joined([*names[: self.most], f"{more} more rows"])


def _flag(flag: Flag, rows: Sequence[Summary], naming: Naming, *, ranks: bool) -> Point:
    said = {row.name: [remark for remark in row.remarks if remark.flag == flag] for row in rows}
    advice = list(dict.fromkeys(ended(each.advice) for found in said.values() for each in found if each.advice))
    shared = advice[0] if len(advice) == 1 else ""
    sentences = {
        name: " ".join(" ".join(filter(None, (ended(each.sentence), "" if shared else ended(each.advice)))) for each in found)
        for name, found in said.items()
    }
    return _point(f"{flag} (not ranked)" if ranks and flag in UNRANKED else flag.value, sentences, shared, naming)


def _limit(limit: Bottleneck, rows: Sequence[Summary], naming: Naming) -> Point:
    return _point(f"limited by {limit}", {row.name: ended(row.verdict.evidence) for row in rows if row.verdict}, "", naming)


def _unflagged(limit: Bottleneck, rows: Sequence[Summary]) -> list[Summary]:
    """List the rows with this limit that no remark tells of already."""
    having = [row for row in rows if row.verdict and row.verdict.bottleneck == limit]
    return [row for row in having if FLAGS[limit] not in {remark.flag for remark in row.remarks}]


def _point(head: str, sentences: Mapping[str, str], advice: str, naming: Naming) -> Point:
    """Say it in one line where all rows have one sentence, else with a line for each sentence."""
    alike: dict[str, list[str]] = {}
    for name, sentence in sentences.items():
        alike.setdefault(sentence, []).append(name)
    items = [": ".join(filter(None, (naming.of(names), sentence))) for sentence, names in alike.items()]
    if len(items) == 1:
        return Point(text=" ".join(filter(None, (f"{head}: {ended(items[0])}", advice))))
    return Point(text=" ".join(filter(None, (f"{head}, {counted(len(sentences), 'row')}.", advice))), items=tuple(items))


def limits(rows: Sequence[Summary], ceilings: Sequence[Ceiling], cores: int) -> Grid:
    """Lay out what limited each row, with the facts that say so and its share of what its generator can do on these cores."""
    shares = [(row, _share(row, ceilings, cores)) for row in rows if row.verdict]
    shown = any(share is not None for _, share in shares)
    share = Column(header="of the generator's ceiling", right=True)
    columns = (Column(header="server"), Column(header="limited by"), *([share] if shown else []), Column(header="evidence"))
    return Grid(columns=columns, rows=tuple(tuple(_limited(row, found, shown=shown)) for row, found in shares))


def _limited(row: Summary, share: float | None, *, shown: bool) -> Iterator[str]:
    yield row.name
    yield limited_by(row)
    if shown:
        yield percent(share)
    yield ABSENT if row.verdict is None else row.verdict.evidence


def _share(row: Summary, ceilings: Sequence[Ceiling], cores: int) -> float | None:
    return None if row.rps is None else ceiling_share(row.rps, ceiling_of(row.planned.cell, ceilings), cores)


def ceilings_in_words(report: Report) -> dict[str, str]:
    """Say what each generator of a closed loop could do here, by what it was asked, or that this is not known."""
    cells = [row.planned.cell for table in report.tables if not table.rate_percent for row in table.rows]
    asked = [(cell.load.generator, cell.protocol, cell.load.threads) for cell in cells]
    unknown = {_asked(*each): f"not found: only the CPU time of {each[0]} says whether it was the limit" for each in asked}
    simulated = {_asked(*each) for each in asked if each[0] == SIMULATED}
    found = {_asked(each.generator, each.protocol, each.threads): _could(each, report) for each in report.ceilings}
    return {what: text for what, text in {**unknown, **found}.items() if what not in simulated}


def _asked(generator: str, protocol: str, threads: int) -> str:
    return f"ceiling of {generator}, {PROTOCOL_NAMES.get(protocol, protocol)}, {counted(threads, 'thread')}"


def _could(ceiling: Ceiling, report: Report) -> str:
    capacity = capacity_per_s(ceiling, report.header.host.cores)
    reached = f"reached {amount(ceiling.requests_per_s)} requests/s against a responder that does nothing"
    if capacity is None:
        return f"not known: {ceiling.generator} used only {percent(ceiling_use(ceiling))} of its threads when it {reached}"
    more = f", which would allow {amount(capacity)}" if capacity > ceiling.requests_per_s else ""
    return f"{ceiling.generator} {reached}, at {amount(ceiling.cpu_us_per_request, 1)} us of its own CPU per request{more}"
