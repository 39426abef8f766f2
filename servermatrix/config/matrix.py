"""matrix.yaml -> Matrix: what is to be compared, checked against what is installed; nothing is combined or started here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from servermatrix.config.axes import SHARED_AXES, Axes, canonical_axis, percent
from servermatrix.config.names import Known, check_names, options_of
from servermatrix.config.options import canonical, offers
from servermatrix.config.shape import AxesShape, MatrixShape, read_shape
from servermatrix.config.text import Fields, Mistake, Node, Place, Word, child, merged, read_tree, rendered
from servermatrix.contracts import LoadGenerator, Option, Server
from servermatrix.errors import ConfigProblems, UsageProblem
from servermatrix.model import Noise
from servermatrix.suggest import did_you_mean, listed

Values = tuple[str, ...]
ExcludeEntry = tuple[tuple[str, Values], ...]
IncludeEntry = tuple[tuple[str, str], ...]

_DEEP = frozenset({"load", "axes", "noise"})
_DEFAULT_PROFILE = "quick"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSettings:
    """How each start is driven, whatever the number of connections; generator None leaves the choice to the command."""

    generator: str | None
    threads: int
    duration_s: int
    warmup_s: int
    windows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """What matrix.yaml asks for under one profile; all values are canonical.

    `servers` holds (name, ((option, values), ...)) in the order of the file. An `exclude` entry lists the values it
    matches per key, an `include` entry has one value per key.
    """

    servers: tuple[tuple[str, tuple[tuple[str, Values], ...]], ...]
    axes: Axes
    load: LoadSettings
    rounds: int
    noise: Noise
    exclude: tuple[ExcludeEntry, ...] = ()
    include: tuple[IncludeEntry, ...] = ()

    def protocols(self) -> tuple[str, ...]:
        """List the protocols that its cells may speak, those of `include` last."""
        included = (value for entry in self.include for key, value in entry if key == "protocol")
        return tuple(dict.fromkeys((*self.axes.protocol, *included)))


def read_matrix(
    path: Path,
    profile: str,
    servers: Mapping[str, Server],
    generators: Mapping[str, LoadGenerator],
    apps: tuple[str, ...],
) -> Matrix:
    """Read and check the file under every profile, and return it under the chosen one.

    Raises ConfigProblems with all mistakes at once, and UsageProblem for a missing file or an unknown profile.
    """
    text = _read_text(path)
    known = Known(servers=servers, generators=generators, apps=apps)
    tree, mistakes = read_tree(text)
    if not isinstance(tree, Fields):
        raise ConfigProblems(rendered(mistakes or (_no_mapping(tree),), str(path), text))
    shapes, found = _read_profiles(tree, known)
    if mistakes or found:
        raise ConfigProblems(rendered((*mistakes, *found), str(path), text))
    if profile not in shapes and profile != _DEFAULT_PROFILE:
        names = tuple(name for name in shapes if name)
        raise UsageProblem(f"{path} has no profile {profile!r}; it has {listed(names)}{did_you_mean(profile, names)}")
    return _matrix(shapes.get(profile, shapes[""]), servers)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageProblem(f"there is no file {path}", "write one with: python3 run_matrix.py init") from None
    except OSError as error:
        raise UsageProblem(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageProblem(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}") from error


def _no_mapping(tree: Node | None) -> Mistake:
    if tree is None:
        return Mistake(place=Place(path="", line=1, column=1), sentence="the file is empty; at least `servers` is needed")
    return Mistake(place=tree.place, sentence="the file must be a mapping of keys such as `servers` to values")


def _read_profiles(tree: Fields, known: Known) -> tuple[dict[str, MatrixShape], tuple[Mistake, ...]]:
    """Check the base, named "", and every profile laid over it; a mistake of the base is found once per profile."""
    shapes: dict[str, MatrixShape] = {}
    mistakes: list[Mistake] = []
    for name, laid in _variants(tree):
        if isinstance(laid, Mistake):
            mistakes.append(laid)
            continue
        shape, wrong = read_shape(laid)
        mistakes += wrong
        mistakes += check_names(laid, known)
        if shape is not None:
            shapes[name] = shape
    return shapes, tuple(mistakes)


def _variants(tree: Fields) -> Iterator[tuple[str, Fields | Mistake]]:
    base = Fields(
        place=tree.place,
        items={key: item for key, item in tree.items.items() if key != "profiles"},
        keys=tree.keys,
    )
    yield "", base
    profiles = child(tree, "profiles")
    if isinstance(profiles, Fields):
        for name, profile in profiles.items.items():
            yield name, _variant(base, profile)
    elif profiles is not None and not _nothing(profiles):
        yield "", Mistake(place=profiles.place, sentence="must be a mapping of profile names to overrides")


def _variant(base: Fields, profile: Node) -> Fields | Mistake:
    if isinstance(profile, Fields):
        return merged(base, profile, _DEEP)
    return base if _nothing(profile) else Mistake(place=profile.place, sentence="must be a mapping of keys to values")


def _nothing(node: Node) -> bool:
    return isinstance(node, Word) and node.text is None


def _matrix(shape: MatrixShape, servers: Mapping[str, Server]) -> Matrix:
    """Build the matrix from a shape whose names have been checked."""
    load, noise = shape.load, shape.noise
    return Matrix(
        servers=tuple((name, _canonical_options(given, servers[name].options)) for name, given in shape.servers.items()),
        axes=_axes(shape.axes),
        load=LoadSettings(
            generator=load.generator,
            threads=load.threads,
            duration_s=load.duration,
            warmup_s=load.warmup,
            windows=load.windows,
        ),
        rounds=shape.rounds,
        noise=Noise(foreign_cpu=noise.foreign_cpu, steal=noise.steal),
        exclude=tuple(_exclude_entry(entry, servers) for entry in shape.exclude),
        include=tuple(_include_entry(entry, servers) for entry in shape.include),
    )


def _axes(shape: AxesShape) -> Axes:
    return Axes(
        protocol=shape.protocol,
        workers=shape.workers,
        app=shape.app,
        connections=shape.connections,
        streams=shape.streams,
        requests_per_connection=shape.requests_per_connection,
        rate=tuple(map(percent, shape.rate)),
        python=shape.python,
        requires=tuple(canonical_axis("requires", value) for value in shape.requires),
    )


def _canonical_options(given: Mapping[str, Values], options: Mapping[str, Option]) -> tuple[tuple[str, Values], ...]:
    return tuple((name, tuple(canonical(options[name], value) for value in values)) for name, values in given.items())


def _exclude_entry(entry: Mapping[str, Values], servers: Mapping[str, Server]) -> ExcludeEntry:
    options = options_of(servers.values())
    return tuple((key, tuple(_canonical(key, value, options) for value in values)) for key, values in entry.items())


def _include_entry(entry: Mapping[str, str], servers: Mapping[str, Server]) -> IncludeEntry:
    options = options_of(servers.values())
    return tuple((key, _canonical(key, value, options)) for key, value in entry.items())


def _canonical(key: str, value: str, options: Mapping[str, tuple[Option, ...]]) -> str:
    if key in SHARED_AXES:
        return canonical_axis(key, value)
    for option in options.get(key, ()):
        if offers(option, canonical(option, value)):
            return canonical(option, value)
    return value
