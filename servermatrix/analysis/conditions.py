"""What two stored runs do not have in common: what forbids to compare them, and what may be why they differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from servermatrix.analysis.phrases import counted, spread
from servermatrix.model import App, Asked, Cell, Host, Noise, Run, RunHeader, Unlike

MEMORY = 0.01  # as a share: what a kernel keeps of it for itself changes from version to version
ABSENT = "none"

Cells = Sequence[tuple[Cell, Cell]]


def unlike(base: RunHeader, head: RunHeader, cells: Cells) -> tuple[Unlike, ...]:
    """Return what two runs would have to have in common to be compared and do not: machine, generators, load, request, noise.

    `cells` are those in both, as each of the runs planned them.
    """
    return (
        *_machine(base.host, head.host),
        *_differing((("noise allowed", _noise(base.noise), _noise(head.noise)),)),
        *_generators(base, head, cells),
        *_by_cell("load", cells, _load),
        *_by_cell("options", cells, lambda cell: ", ".join(f"{name}={value}" for name, value in cell.options)),
        *_requests(base, head, cells),
    )


def changed(base: Run, head: Run) -> tuple[Unlike, ...]:
    """Return what else is not the same and may be why results differ: Pythons, packages, the app, the state of the sources."""
    one, other = base.header, head.header
    pythons = {(each, beside) for each, beside in _both(_pythons(base), _pythons(head)) if each and beside}
    return _differing(
        (
            ("python of the tool", one.host.python, other.host.python),
            *(("python of the servers", *pair) for pair in sorted(pythons)),
            *_named(_versions(one), _versions(other), ""),
            *_named(_programs(one), _programs(other), "app "),
            ("git", one.git, other.git),
        )
    )


def _differing(found: Sequence[tuple[str, str, str]]) -> tuple[Unlike, ...]:
    return tuple(Unlike(what=what, base=base or ABSENT, head=head or ABSENT) for what, base, head in found if base != head)


def _machine(base: Host, head: Host) -> tuple[Unlike, ...]:
    most = max(base.memory_bytes, head.memory_bytes)
    other_size = abs(base.memory_bytes - head.memory_bytes) > MEMORY * most
    memory = (("memory MiB", *(f"{host.memory_bytes / 2**20:,.0f}" for host in (base, head))),) if other_size else ()
    return _differing(
        (
            ("system", base.system, head.system),
            ("cpu", base.cpu, head.cpu),
            ("cores", str(base.cores), str(head.cores)),
            *((what, one, other) for what, one, other in memory),
            ("how the cores are split", _split(base), _split(head)),
        )
    )


def _split(host: Host) -> str:
    """Return which cores are whose, without the reason, which is told in other words from version to version."""
    return host.pinned.partition(": ")[0] or "not pinned"


def _noise(limits: Noise) -> str:
    return f"others {limits.foreign_cpu:.0%} of a core, steal {limits.steal:.0%}"


def _generators(base: RunHeader, head: RunHeader, cells: Cells) -> Iterator[Unlike]:
    """Yield the generators that both runs were driven by in different versions."""
    before, after = dict(base.generators), dict(head.generators)
    users: dict[str, set[str]] = defaultdict(set)
    for one, other in cells:
        if one.load.generator == other.load.generator:
            users[one.load.generator].add(one.id)
    for name, ids in users.items():
        versions = (before.get(name, "") or "is missing", after.get(name, "") or "is missing")
        if len(set(versions)) > 1:
            yield Unlike(what=f"version of {name}", base=versions[0], head=versions[1], cells=frozenset(ids))


def _by_cell(what: str, cells: Cells, said: Callable[[Cell], str]) -> Iterator[Unlike]:
    """Yield what is not the same in a cell of the same id; cells in which it is the same difference together."""
    ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    for one, other in cells:
        if said(one) != said(other):
            ids[said(one), said(other)].add(one.id)
    for (base, head), those in ids.items():
        yield Unlike(what=what, base=base or ABSENT, head=head or ABSENT, cells=frozenset(those))


def _load(cell: Cell) -> str:
    load = cell.load
    windows = f"{counted(load.windows, 'window')} of {load.duration_s} s after {load.warmup_s} s of warm-up"
    return f"{load.generator}, {spread(load)}, {counted(load.threads, 'thread')}, {windows}"


def _requests(base: RunHeader, head: RunHeader, cells: Cells) -> Iterator[Unlike]:
    before, after = ({app.name: app for app in header.apps} for header in (base, head))
    for name in dict.fromkeys(one.app for one, _ in cells):
        one, other = before.get(name), after.get(name)
        if one and other and one.asked != other.asked:
            those = frozenset(cell.id for cell, _ in cells if cell.app == name)
            yield Unlike(what=f"request of {name}", base=_request(one), head=_request(other), cells=those)


def _request(app: App) -> str:
    return "; ".join(f"{each.weight} x {_asked(each)}" if app.mix else _asked(each) for each in app.asked)


def _asked(asked: Asked) -> str:
    sent, right = asked.request, asked.expect
    headers = "".join(f" {name}: {value}" for name, value in sent.headers)
    body = f" body {sent.body!r}" if sent.body else ""
    wanted = f" {right.body!r}" if right.body is not None else f" with {right.contains!r}" if right.contains else ""
    return f"{sent.method} {sent.path}{headers}{body}, answer {right.status}{wanted}"


def _pythons(run: Run) -> Mapping[str, str]:
    return {proof.key: proof.python for proof in run.proofs}


def _versions(header: RunHeader) -> Mapping[str, str]:
    found: dict[str, list[str]] = defaultdict(list)
    for name, version in header.versions:
        found[name].append(version)
    return {name: ", ".join(dict.fromkeys(versions)) for name, versions in found.items()}


def _programs(header: RunHeader) -> Mapping[str, str]:
    return {app.name: f"{app.target} in {app.folder}" for app in header.apps}


def _named(base: Mapping[str, str], head: Mapping[str, str], what: str) -> Iterator[tuple[str, str, str]]:
    for name in sorted({*base, *head}):
        yield f"{what}{name}", base.get(name, ""), head.get(name, "")


def _both(base: Mapping[str, str], head: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((version, head[key]) for key, version in base.items() if key in head)
