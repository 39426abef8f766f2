"""Which package made cells regress: made-up sides whose packages have effects that are known, and checks of them by value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import pytest

from servermatrix.analysis.named import APP
from servermatrix.analysis.regress import judge
from servermatrix.bisection import ROUNDS, attribute, between
from servermatrix.model import BASELINE, CANDIDATE, Attribution, Cell, CheckReport, Run, Sample, Side, Trial
from tests.unit.analyse_runs import run
from tests.unit.regress_runs import broken, conducted, plan_of, start

Names = frozenset[str]
# (server, what has moved) -> factors on requests/s and CPU time per request, or the sentence with which it fails.
Effect = Callable[[str, Names], tuple[float, float] | str]
OLD = {"asgiref": "3.0", "click": "8.1", "h11": "0.15", "httptools": "0.7.1", "uvicorn": "0.52.0", "uvloop": "0.22.1"}
NEW = {"asgiref": "3.1", "click": "8.2", "h11": "0.16", "httptools": "0.8.0", "uvicorn": "0.54.0", "uvloop": "0.23.0"}
SLOW, FINE = (1.0, 1.2), (1.0, 1.0)


def side(name: str, versions: Mapping[str, str], app_dir: str = "") -> Side:
    return Side(name=name, requires=("uvicorn",), versions=tuple(versions.items()), app_dir=app_dir)


def trial_of(old: Mapping[str, str] = OLD, new: Mapping[str, str] = NEW, apps: tuple[str, str] = ("", "")) -> Trial:
    return Trial(baseline=side(BASELINE, old, apps[0]), candidate=side(CANDIDATE, new, apps[1]))


@dataclass(slots=True, kw_only=True)
class World:
    """Two sides, what moving packages does, and the sets that were asked for; sets in `impossible` cannot be installed."""

    effect: Effect
    trial: Trial = field(default_factory=trial_of)
    servers: tuple[str, ...] = ("uvicorn",)
    impossible: Callable[[Names], bool] = lambda _: False
    sd: float = 0.01
    alarmed: bool = False
    asked: list[tuple[Names, tuple[str, ...]]] = field(default_factory=list)

    def report(self) -> CheckReport:
        """Judge the check of the two sides."""
        names = frozenset(one.name for one in judge((conducted(plan_of("x"), start, self.trial),)).differing)
        everything = names | {APP}
        return judge((conducted(plan_of(*self.servers), lambda of, number: self.give(of, number, everything), self.trial),))

    def give(self, of: Cell, number: int, moved: Names) -> Sample:
        if of.duplicate and self.alarmed:
            return start(of, number, 0.8)
        effect = self.effect(of.server, moved) if of.side == CANDIDATE and of.server != "canary" else FINE
        return broken(of, number, reason=effect) if isinstance(effect, str) else start(of, number, *effect, self.sd)

    def ask(self, trial: Trial, pairs: tuple[str, ...]) -> Run | str:
        moved = moved_in(trial)
        self.asked.append((moved, pairs))
        if self.impossible(moved):
            return "the candidate cannot be installed: they do not fit"
        cells = plan_of(*(pair.split("/")[0] for pair in pairs))
        samples = [self.give(of, number, moved) for number in range(1, ROUNDS + 1) for of in cells]
        found = run(cells, samples, ROUNDS)
        return replace(found, header=replace(found.header, trial=trial, id=f"probe-{len(self.asked)}"))

    def attributed(self) -> Attribution:
        return attribute(self.report(), self.ask)


def moved_in(trial: Trial) -> Names:
    """Name what differs between the sides of a probe, from nothing but its sets."""
    old, new = (dict(each.split("==") for each in one.requires) for one in (trial.baseline, trial.candidate))
    app = {APP} if trial.baseline.app_dir != trial.candidate.app_dir else set()
    return frozenset({name for name in old.keys() | new.keys() if old.get(name) != new.get(name)} | app)


def with_all(*names: str, effect: tuple[float, float] | str = SLOW) -> Effect:
    return lambda _, moved: effect if moved.issuperset(names) else FINE


@pytest.mark.parametrize("culprit", OLD)
def test_the_package_that_did_it_is_named_with_its_versions(culprit: str) -> None:
    world = World(effect=with_all(culprit))
    found = world.attributed()
    assert found.packages == (culprit,)
    assert found.sentence.startswith(f"{culprit} {OLD[culprit]} -> {NEW[culprit]} made the difference: ")
    assert "with it alone, and not with all the others" in found.sentence
    assert len(found.probes) == len(world.asked) <= 5


def test_a_probe_compares_whole_sets_and_says_what_it_moved_and_in_which_run() -> None:
    world = World(effect=with_all("httptools"))
    probes = world.attributed().probes
    assert [set(probe.upgraded) for probe in probes] == [set(moved) for moved, _ in world.asked]
    assert [probe.worse for probe in probes] == ["httptools" in probe.upgraded for probe in probes]
    assert [probe.run for probe in probes] == [f"probe-{number}" for number in range(1, len(probes) + 1)]
    assert "the CPU time per request, where half of the change is 1.09x" in probes[0].sentence


def test_the_set_between_is_pinned_whole_without_what_installs_it() -> None:
    old = {"gone": "1.0", "h11": "0.15", "odd": "2004d-x", "pip": "25.0", "setuptools": "80.0"}
    new = {"added": "2.0", "h11": "0.16", "odd": "2004d-x", "pip": "25.1"}
    found = between(trial_of(old, new), frozenset({"added", "gone"}))
    assert found.baseline.requires == ("gone==1.0", "h11==0.15", "odd===2004d-x")
    assert found.candidate.requires == ("added==2.0", "h11==0.15", "odd===2004d-x")
    assert found.baseline.versions == found.candidate.versions == ()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [({}, {"httptools": "0.8.0"}, "httptools 0.8.0 (new)"), ({"httptools": "0.7.1"}, {}, "httptools 0.7.1 (gone)")],
)
def test_a_package_that_only_one_side_has_can_have_done_it(old: dict[str, str], new: dict[str, str], said: str) -> None:
    world = World(effect=with_all("httptools"), trial=trial_of({"h11": "1", **old}, {"h11": "2", **new}))
    assert world.attributed().sentence.startswith(f"{said} made the difference")


def test_a_single_package_needs_no_probe() -> None:
    world = World(effect=with_all("h11"), trial=trial_of({"h11": "1", "pip": "1"}, {"h11": "2", "pip": "2"}))
    found = world.attributed()
    assert (found.packages, world.asked) == (("h11",), [])
    assert found.sentence == "h11 1 -> 2 made the difference: the sides differ in nothing else"


def test_the_app_is_tried_like_a_package_where_each_side_has_its_own() -> None:
    world = World(effect=with_all(APP), trial=trial_of(apps=("/old", "/new")))
    found = world.attributed()
    assert found.packages == (APP,)
    assert found.sentence.startswith("the app made the difference")


def test_two_packages_that_do_it_only_together_are_named_together() -> None:
    found = World(effect=with_all("h11", "uvloop")).attributed()
    assert found.packages == ("h11", "uvloop")
    assert ": only together; the change is there with them alone, and not with all the others" in found.sentence


def test_it_is_said_that_another_package_does_it_as_well() -> None:
    found = World(effect=lambda _, moved: SLOW if moved & {"click", "uvloop"} else FINE).attributed()
    assert found.packages in {("click",), ("uvloop",)}
    assert "something else makes it as well" in found.sentence


def test_of_a_change_in_two_equal_halves_no_half_is_named_without_the_other() -> None:
    def halves(*names: str) -> Effect:
        return lambda _, moved: (1.0, 1.1 ** len(moved.intersection(names)))

    next_to_each_other, far = (World(effect=halves(*names)).attributed() for names in (("click", "h11"), ("asgiref", "uvloop")))
    assert next_to_each_other.packages == ("click", "h11")
    assert "one of them or several together, for with sets that part them it could not be told" in next_to_each_other.sentence
    assert far.packages == ()
    assert {probe.worse for probe in far.probes} == {None}


def test_noise_in_which_nothing_can_be_told_names_nothing() -> None:
    world = World(effect=with_all("uvloop"))
    report = world.report()
    world.sd = 0.5
    found = attribute(report, world.ask)
    assert found.packages == ()
    assert found.sentence.startswith("which package made the difference could not be told: ")
    assert all(probe.worse is None for probe in found.probes)


def test_a_canary_that_is_told_apart_from_itself_lets_a_probe_say_nothing() -> None:
    world = World(effect=with_all("uvloop"))
    report = world.report()
    world.alarmed = True
    found = attribute(report, world.ask)
    assert found.packages == ()
    assert "told apart from itself" in found.probes[0].sentence


def test_packages_that_no_set_that_can_be_installed_parts_are_named_together() -> None:
    world = World(effect=with_all("h11"), impossible=lambda moved: ("h11" in moved) != ("httptools" in moved))
    found = world.attributed()
    assert found.packages == ("h11", "httptools")
    assert "no set that parts them could be tried" in found.sentence
    assert any(probe.worse is None and "they do not fit" in probe.sentence and not probe.run for probe in found.probes)


def test_needs_that_are_known_keep_sets_from_being_tried_that_cannot_be_had() -> None:
    def unfit(moved: Names) -> bool:
        return "uvicorn" in moved and "h11" not in moved

    needs = {"uvicorn": ("h11>=0.16", "click>=7")}
    for culprit in ("h11", "uvicorn", "uvloop"):
        world = World(effect=with_all(culprit), impossible=unfit)
        found = attribute(world.report(), world.ask, ({}, needs))
        assert not [moved for moved, _ in world.asked if unfit(moved)]
        assert found.packages == (culprit,)
    world = World(effect=with_all("uvicorn"))
    assert "(along with h11, without which it cannot be had)" in attribute(world.report(), world.ask, ({}, needs)).sentence


def test_all_cells_share_the_probes_and_each_is_put_down_to_its_own_package() -> None:
    culprits = {"granian": "uvloop", "hypercorn": "uvloop", "uvicorn": "click"}
    world = World(effect=lambda server, moved: SLOW if culprits[server] in moved else FINE, servers=tuple(culprits))
    found = world.attributed()
    assert found.packages == ("click", "uvloop")
    assert "uvloop 0.22.1 -> 0.23.0 made the difference" in found.sentence
    assert "(in granian/h1/w1/c64/plaintext and hypercorn/h1/w1/c64/plaintext)" in found.sentence
    assert len(world.asked[0][1]) == 3
    assert not [moved for moved, pairs in world.asked if len(pairs) > 3]
    mixed = [probe for probe in found.probes if "; " in probe.sentence and probe.worse is None]
    assert any("the change is there" in probe.sentence and "the change is not there" in probe.sentence for probe in mixed)


def test_a_loss_of_throughput_is_looked_for_in_throughput() -> None:
    found = World(effect=with_all("uvloop", effect=(0.85, 1.0))).attributed()
    assert found.packages == ("uvloop",)
    assert "the requests per second, where half of the change is 0.9" in found.probes[0].sentence


def test_failures_are_looked_for_as_failures() -> None:
    found = World(effect=with_all("uvloop", effect="it broke")).attributed()
    assert found.packages == ("uvloop",)
    assert any("failed in 16 of 16 starts: it broke" in probe.sentence for probe in found.probes)


def test_a_set_with_which_a_slower_cell_does_not_work_at_all_says_nothing_of_its_speed() -> None:
    def effect(_: str, moved: Names) -> tuple[float, float] | str:
        if ("h11" in moved) != ("httptools" in moved):
            return "it does not start"
        return SLOW if "uvloop" in moved else FINE

    found = World(effect=effect).attributed()
    assert found.packages == ("uvloop",)
    assert any(probe.sentence == "does not work: it does not start" for probe in found.probes if probe.worse is None)


def test_without_a_regression_or_without_a_difference_nothing_is_tried() -> None:
    fine, alike = World(effect=lambda *_: FINE), World(effect=with_all(APP), trial=trial_of(OLD, OLD))
    assert "no cell regressed" in fine.attributed().sentence
    assert "differ in no package" in alike.attributed().sentence
    assert fine.asked == alike.asked == []
