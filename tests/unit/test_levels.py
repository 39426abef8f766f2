from __future__ import annotations

from dataclasses import replace

import pytest

from servermatrix.analysis.levels import known, levels
from servermatrix.model import CANDIDATE, Estimate, Side, Trial
from tests.unit.night_values import ratio, side, tried

GOOD, NEW, NEWER = ("0.50.0", "0.52.0", "0.54.0")


def totals(*nights: tuple[Trial, float | None]) -> list[float | None]:
    found = levels((trial, None if value is None else ratio(value), "") for trial, value in nights)
    return [None if level is None else round(level.total.value, 4) for level in found]


def segments(*nights: tuple[Trial, float]) -> list[int]:
    return [level.segment for level in levels((trial, ratio(value), "") for trial, value in nights) if level]


def test_under_one_baseline_a_level_is_the_ratio_of_its_night() -> None:
    assert totals((tried(), 0.9), (tried(), 1.1), (tried(GOOD, NEWER), 1.2)) == [0.9, 1.1, 1.2]


def test_what_an_accepted_candidate_lost_stays_in_the_line() -> None:
    before, after = (tried(GOOD, NEW), 0.9), (tried(NEW, NEWER), 0.9)
    assert totals(before, after) == [0.9, 0.81]
    assert segments(before, after) == [0, 0]


def test_an_accepted_candidate_stands_at_the_median_of_its_nights() -> None:
    nights = [(tried(GOOD, NEW), value) for value in (0.90, 0.80, 0.92)]
    assert totals(*nights, (tried(NEW, NEWER), 1.0))[-1] == 0.9


def test_the_interval_moves_with_the_level() -> None:
    *_, level = levels([(tried(GOOD, NEW), ratio(0.5), ""), (tried(NEW, NEWER), ratio(1.0), "")])
    assert level is not None
    assert (level.ratio, level.segment, level.total.n) == (ratio(1.0), 0, 10)
    assert (level.total.low, level.total.value, level.total.high) == pytest.approx((0.5 / 1.02, 0.5, 0.51))


def test_a_ratio_without_an_interval_gives_a_level_without_one() -> None:
    (level,) = levels([(tried(), Estimate(value=0.9, low=None, high=None, n=3), "")])
    assert level is not None
    assert level.total.value == pytest.approx(0.9)
    assert (level.total.low, level.total.high, level.total.n) == (None, None, 3)


def test_nights_of_equal_sides_do_not_add_their_noise_up() -> None:
    same = tried(GOOD, GOOD)
    assert totals((same, 1.02), (same, 1.02), (same, 1.02), (tried(GOOD, NEW), 1.0)) == [1.02, 1.02, 1.02, 1.0]


def test_going_back_to_an_earlier_baseline_goes_back_to_its_level() -> None:
    assert totals((tried(GOOD, NEW), 0.8), (tried(NEW, NEWER), 1.0), (tried(GOOD, NEWER), 0.7)) == [0.8, 0.8, 0.7]


def test_a_baseline_of_which_nothing_is_known_begins_a_segment() -> None:
    first, strange, again = (tried(GOOD, NEW), 0.8), (tried("0.1", "0.2"), 1.0), (tried(NEW, NEWER), 1.0)
    assert segments(first, strange, again) == [0, 1, 0]
    assert totals(first, strange, again) == [0.8, 1.0, 0.8]


def test_a_baseline_that_was_a_candidate_in_two_segments_goes_on_with_the_newer_one() -> None:
    nights = (tried(GOOD, NEWER), 0.8), (tried("0.1", NEWER), 0.5), (tried(NEWER, "0.56.0"), 1.0)
    assert segments(*nights) == [0, 1, 1]
    assert totals(*nights) == [0.8, 0.5, 0.5]


def test_what_another_generator_measured_is_a_segment_of_its_own() -> None:
    nights = (tried(GOOD, NEW), 0.8, "wrk"), (tried(GOOD, NEW), 0.9, "h2load"), (tried(NEW, NEWER), 1.0, "wrk")
    found = [level for level in levels((trial, ratio(value), by) for trial, value, by in nights) if level]
    assert [(level.segment, round(level.total.value, 4)) for level in found] == [(0, 0.8), (1, 0.9), (0, 0.8)]


def test_a_night_without_a_ratio_has_no_level_and_teaches_nothing() -> None:
    assert totals((tried(GOOD, NEW), None), (tried(NEW, NEWER), 0.9)) == [None, 0.9]


def test_what_installs_packages_makes_no_other_side() -> None:
    plain, with_pip = side("a", NEW), side("b", NEW, pip="24", setuptools="80", wheel="1")
    assert known(plain) == known(with_pip) != known(side("a", NEWER))


def test_names_of_packages_are_compared_as_installers_do() -> None:
    one, other = (Side(name="a", versions=((name, "1"),)) for name in ("Typing_Extensions", "typing-extensions"))
    assert known(one) == known(other)


def test_without_versions_the_requirements_tell_sides_apart() -> None:
    one = Side(name=CANDIDATE, requires=("uvicorn==0.52.0",))
    assert known(one) == known(replace(one, name="baseline")) != known(replace(one, requires=("uvicorn==0.54.0",)))


def test_an_app_is_told_by_its_commit_wherever_it_lies() -> None:
    here, there = (replace(side("a", NEW), git="0123456789ab", app_dir=folder) for folder in ("here", "there"))
    assert known(here) == known(there) != known(replace(here, git="ba9876543210"))


@pytest.mark.parametrize("git", ["", "0123456789ab+"])
def test_an_app_without_a_commit_of_its_own_is_told_by_its_folder(git: str) -> None:
    here, there = (replace(side("a", NEW), git=git, app_dir=folder) for folder in ("here", "there"))
    assert known(here) != known(there)


def test_levels_beyond_all_numbers_are_no_failure() -> None:
    trials = [tried(str(number), str(number + 1)) for number in range(200)]
    assert all(found is not None for found in totals(*((trial, 1e6) for trial in trials), *((trial, 1e-6) for trial in trials)))
