"""What each option buys: who is compared with whom, how it is told, and what may be claimed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from servermatrix.analysis.analyse import analyse
from servermatrix.model import Cause, Cell, Decision, Effect, Look, Sample, Table
from tests.unit.analyse_runs import LOAD, STEADY, again, cell, failed, rates, run, series, simulated


def of(server: str, **options: str) -> Cell:
    """Make a cell whose id shows all of its options."""
    label = ",".join(f"{name}={value}" for name, value in sorted(options.items()))
    return cell(server, options=tuple(sorted(options.items())), label=label)


ASYNCIO, UVLOOP = of("hypercorn", loop="asyncio"), of("hypercorn", loop="uvloop")
U_ASYNCIO_H11, U_ASYNCIO_TOOLS, U_UVLOOP_H11, U_UVLOOP_TOOLS = (
    of("uvicorn", loop=loop, http=http) for loop in ("asyncio", "uvloop") for http in ("h11", "httptools")
)
# Every round its own, so that what is compared by round alone tells anything.
WEATHER = [1.0, 1.4, 0.8, 1.2, 0.9, 1.3, 0.7, 1.1, 1.5, 0.6]


def table_of(cells: Mapping[Cell, float] | Mapping[Cell, list[float]], rounds: int = 10) -> Table:
    samples: list[Sample] = []
    for one, speed in cells.items():
        own = speed if isinstance(speed, list) else [1000 * speed * today for today in WEATHER[:rounds]]
        samples += series(one, own)
    (table,) = analyse(run(list(cells), samples, rounds)).tables
    return table


def told(effects: Sequence[Effect]) -> list[tuple[str, str, str, list[tuple[str, float, bool]]]]:
    return [
        (one.option, one.value, one.instead_of, [(seen.where, round(seen.ratio.value, 3), seen.shown) for seen in one.seen])
        for one in effects
    ]


def test_an_effect_is_the_ratio_by_round_of_two_cells_that_differ_in_that_option_alone() -> None:
    table = table_of({ASYNCIO: 10, UVLOOP: 13})
    assert told(table.effects) == [("loop", "uvloop", "asyncio", [("hypercorn", 1.3, True)])]
    (seen,) = table.effects[0].seen
    assert [seen.ratio.low, seen.ratio.high, seen.ratio.n] == pytest.approx([1.3, 1.3, 10])
    assert table.effect_comparisons == 1


def test_the_value_that_the_plan_has_first_is_the_one_told_instead_of() -> None:
    assert told(table_of({UVLOOP: 13, ASYNCIO: 10}).effects) == [
        ("loop", "asyncio", "uvloop", [("hypercorn", round(10 / 13, 3), True)])
    ]


def test_every_setting_that_has_both_values_is_named_by_what_else_is_set() -> None:
    table = table_of({U_ASYNCIO_H11: 10, U_ASYNCIO_TOOLS: 15, U_UVLOOP_H11: 11, U_UVLOOP_TOOLS: 30, ASYNCIO: 5, UVLOOP: 6})
    assert told(table.effects) == [
        ("http", "httptools", "h11", [("uvicorn[loop=asyncio]", 1.5, True), ("uvicorn[loop=uvloop]", 2.727, True)]),
        (
            "loop",
            "uvloop",
            "asyncio",
            [("uvicorn[http=h11]", 1.1, True), ("uvicorn[http=httptools]", 2.0, True), ("hypercorn", 1.2, True)],
        ),
    ]
    assert table.effect_comparisons == 2 + 1 + 3 + 3


def test_an_effect_that_differs_between_settings_is_told_with_the_settings() -> None:
    table = table_of({U_ASYNCIO_H11: 10, U_ASYNCIO_TOOLS: 15, U_UVLOOP_H11: 11, U_UVLOOP_TOOLS: 30})
    assert [one.differs for one in table.effects] == [
        (("uvicorn[loop=asyncio]", "uvicorn[loop=uvloop]"),),
        (("uvicorn[http=h11]", "uvicorn[http=httptools]"),),
    ]


def test_an_effect_that_is_the_same_everywhere_does_not_differ() -> None:
    table = table_of({U_ASYNCIO_H11: 10, U_ASYNCIO_TOOLS: 15, U_UVLOOP_H11: 20, U_UVLOOP_TOOLS: 30})
    assert [one.differs for one in table.effects] == [(), ()]
    assert all(seen.shown for one in table.effects for seen in one.seen)


def test_it_is_told_between_which_settings_an_effect_differs() -> None:
    table = table_of({U_ASYNCIO_H11: 10, U_ASYNCIO_TOOLS: 15, U_UVLOOP_H11: 11, U_UVLOOP_TOOLS: 16.5, ASYNCIO: 5, UVLOOP: 10})
    assert [(one.option, one.differs) for one in table.effects] == [
        ("http", ()),
        ("loop", (("uvicorn[http=h11]", "hypercorn"), ("uvicorn[http=httptools]", "hypercorn"))),
    ]


def test_cells_that_differ_in_two_options_say_nothing_of_either() -> None:
    table = table_of({U_ASYNCIO_H11: 10, U_UVLOOP_TOOLS: 30})
    assert (table.effects, table.effect_comparisons) == ((), 0)


def test_an_option_that_brings_another_with_it_is_not_told_alone() -> None:
    tied, bare = of("gunicorn", worker="uvicorn", http="h11"), of("gunicorn", worker="asgi")
    assert table_of({tied: 10, bare: 30}).effects == ()


@pytest.mark.parametrize(
    "other", [{"server": "daphne"}, {"protocol": "h2c"}, {"python": "3.13"}, {"requires": ("h11==0.16",)}], ids=str
)
def test_cells_that_differ_in_anything_else_are_not_compared(other: dict[str, object]) -> None:
    assert table_of({ASYNCIO: 10, replace(UVLOOP, **other): 13}).effects == ()  # type: ignore[arg-type]


def test_a_setting_is_told_with_its_environment_and_with_the_protocol_where_the_table_has_several() -> None:
    h2c = {one: replace(one, protocol="h2c", python="3.13") for one in (ASYNCIO, UVLOOP)}
    table = table_of({ASYNCIO: 10, UVLOOP: 13, h2c[ASYNCIO]: 8, h2c[UVLOOP]: 9})
    assert [seen.where for seen in table.effects[0].seen] == ["hypercorn h1", "hypercorn@3.13 h2c"]


def test_an_option_whose_value_no_id_shows_is_still_an_option() -> None:
    off = replace(ASYNCIO, options=(*ASYNCIO.options, ("access_log", "off")))
    on = replace(ASYNCIO, options=(*ASYNCIO.options, ("access_log", "on")), label="loop=asyncio,access_log=on")
    assert told(table_of({off: 10, on: 4}).effects) == [("access_log", "on", "off", [("hypercorn[loop=asyncio]", 0.4, True)])]


def test_three_values_are_told_two_by_two_later_ones_instead_of_earlier_ones() -> None:
    three = {of("hypercorn", loop=loop): speed for loop, speed in (("asyncio", 10.0), ("uvloop", 20.0), ("rloop", 30.0))}
    table = table_of(three)
    assert [(one.value, one.instead_of) for one in table.effects] == [
        ("uvloop", "asyncio"),
        ("rloop", "asyncio"),
        ("rloop", "uvloop"),
    ]
    assert table.effect_comparisons == 3


def test_a_row_that_is_not_ranked_has_no_effect() -> None:
    samples = [*series(ASYNCIO, rates(10_000)), *series(UVLOOP, rates(13_000), generator_cpu_us=1_990_000)]
    (table,) = analyse(run([ASYNCIO, UVLOOP], samples, 10)).tables
    assert (table.effects, table.effect_comparisons) == ((), 0)


def test_a_cell_that_failed_has_no_effect() -> None:
    samples = [*series(ASYNCIO, rates(10_000)), failed(UVLOOP, 1, Cause.SERVER)]
    assert analyse(run([ASYNCIO, UVLOOP], samples, 10)).tables[0].effects == ()


def test_a_duplicate_has_no_effect_of_its_own() -> None:
    table = table_of({ASYNCIO: 10, again(ASYNCIO): 10, UVLOOP: 13})
    assert table.effect_comparisons == 1
    assert told(table.effects) == [("loop", "uvloop", "asyncio", [("hypercorn", 1.3, True)])]


def test_an_effect_within_the_noise_floor_is_not_shown() -> None:
    rough = [rate * factor for rate, factor in zip(rates(10_000), [1.06, 0.96, 1.05, 0.97, 1.03] * 2, strict=True)]
    small = {ASYNCIO: rates(10_000), again(ASYNCIO): rough, UVLOOP: rates(10_100)}
    large = {ASYNCIO: rates(10_000), again(ASYNCIO): rough, UVLOOP: rates(11_500)}
    assert told(table_of(small).effects) == [("loop", "uvloop", "asyncio", [("hypercorn", 1.01, False)])]
    assert told(table_of(large).effects) == [("loop", "uvloop", "asyncio", [("hypercorn", 1.15, True)])]


def test_five_rounds_rank_nothing_and_show_no_effect() -> None:
    assert table_of({ASYNCIO: 10, UVLOOP: 13}, rounds=5).effects == ()


def test_an_effect_is_paired_by_round() -> None:
    shifted = [1000 * 13 * today for today in (*WEATHER[1:], WEATHER[0])]
    table = table_of({ASYNCIO: [10_000 * today for today in WEATHER], UVLOOP: shifted})
    assert [seen.shown for seen in table.effects[0].seen] == [False]


def test_holm_counts_all_effects_and_their_differences() -> None:
    """Of 8 rounds the clearest outcome has p = 0.0078: enough for 6 comparisons, not for 7."""
    servers = [(of(name, loop="asyncio"), of(name, loop="uvloop")) for name in "abcd"]
    equal = {one: [10_000 * factor for factor in STEADY[:8]] for pair in servers for one in pair}
    faster = {servers[0][1]: [13_000 * factor for factor in STEADY[:8]]}
    three = {one: equal[one] for pair in servers[:3] for one in pair} | faster
    four = equal | faster
    assert [table_of(which, 8).effect_comparisons for which in (three, four)] == [6, 10]
    assert [[seen.shown for seen in table_of(which, 8).effects[0].seen] for which in (three, four)] == [
        [True, False, False],
        [False] * 4,
    ]


# over several looks

LOOKS = (Look(round=8, alpha=0.01), Look(round=10, alpha=0.02))


def looked(decisions: Sequence[Decision], uvloop: Sequence[float]) -> Effect:
    samples = [*series(ASYNCIO, rates(10_000)), *series(UVLOOP, uvloop)]
    (table,) = analyse(run([ASYNCIO, UVLOOP], samples, 10, looks=LOOKS, decisions=decisions)).tables
    return table.effects[0]


def test_before_the_first_look_no_effect_is_shown() -> None:
    assert [seen.shown for seen in looked([], rates(13_000)).seen] == [False]


def test_an_effect_is_shown_when_one_of_the_looks_showed_it_and_its_interval_is_as_sure_as_the_last() -> None:
    (seen,) = looked([Decision(round=8, alpha=0.01)], rates(13_000)).seen
    assert seen.shown
    (seen,) = looked([Decision(round=8, alpha=0.01), Decision(round=10, alpha=0.02)], rates(13_000)).seen
    assert seen.shown


def test_an_effect_of_a_cell_that_was_left_out_is_tested_no_more() -> None:
    late = [10_000 * factor for factor in (1.3, 1.2, 1.1, 0.99, 1.15, 1.25, 1.05, 1.35)]
    samples = [*series(ASYNCIO, rates(10_000)), *series(UVLOOP, late)]
    dropped = Decision(round=8, alpha=0.01, dropped=((UVLOOP.id, "slow"),))
    for decisions, expected in (([dropped, Decision(round=10, alpha=0.02)], False), ([replace(dropped, alpha=0.02)], True)):
        (table,) = analyse(run([ASYNCIO, UVLOOP], samples, 10, looks=LOOKS, decisions=decisions)).tables
        assert [seen.shown for seen in table.effects[0].seen] == [expected]


def test_a_row_that_is_not_ranked_counts_in_the_family_of_its_looks_but_has_no_effect() -> None:
    samples = [*series(ASYNCIO, rates(10_000)), *series(UVLOOP, rates(13_000), generator_cpu_us=1_990_000)]
    decided = [Decision(round=8, alpha=0.01), Decision(round=10, alpha=0.02)]
    (table,) = analyse(run([ASYNCIO, UVLOOP], samples, 10, looks=LOOKS, decisions=decided)).tables
    assert (table.effects, table.effect_comparisons) == ((), 1)


# how often they are wrong

MATRICES = 200
ALLOWED = 0.05 + 3 * (0.05 * 0.95 / MATRICES) ** 0.5


def test_options_that_buy_nothing_are_said_to_in_at_most_one_table_of_twenty() -> None:
    six = [U_ASYNCIO_H11, U_ASYNCIO_TOOLS, U_UVLOOP_H11, U_UVLOOP_TOOLS, ASYNCIO, UVLOOP]
    equal = {"*": {"rps": 20_000, "cpu_us": 40}}
    wrong = 0
    for seed in range(MATRICES):
        (table,) = analyse(simulated(six, 11, {"cells": equal, "noise": {"kind": "contaminated", "sd": 0.05}}, seed)).tables
        wrong += any(one.differs or any(seen.shown for seen in one.seen) for one in table.effects)
    assert wrong / MATRICES <= ALLOWED


def test_an_open_loop_has_no_effects() -> None:
    slow, fast = (replace(one, load=replace(LOAD, rate_percent=30)) for one in (ASYNCIO, UVLOOP))
    (table,) = analyse(run([slow, fast], [*series(slow, rates(3_000)), *series(fast, rates(3_000))], 10)).tables
    assert (table.effects, table.effect_comparisons, table.rate_percent) == ((), 0, 30)
