from __future__ import annotations

import json
from dataclasses import replace

from servermatrix.model import Effect
from servermatrix.render import effects
from servermatrix.render.document import to_json
from servermatrix.render.markdown import to_markdown
from servermatrix.render.terminal import to_terminal
from tests.golden.claims_examples import EFFECTS, HTTP, LOOP, MANY_EFFECTS, NO_EFFECT
from tests.golden.markdown_reader import tables
from tests.golden.report_examples import RANKED, TABLE


def sentences(effect: Effect) -> list[str]:
    return effects.sentences(replace(TABLE, effects=(effect,)))


def test_every_effect_is_a_row_with_its_interval_and_whether_it_was_shown() -> None:
    assert tables(to_markdown(EFFECTS))[2] == [
        ["option", "instead of", "where", "requests/s", "shown"],
        ["loop=uvloop", "asyncio", "uvicorn[http=httptools]", "+38 % [31, 46]", "yes"],
        ["loop=uvloop", "asyncio", "uvicorn[http=h11]", "+12 % [10, 14]", "yes"],
        ["loop=uvloop", "asyncio", "hypercorn", "+5.2 % [1.8, 8.9]", "yes"],
        ["loop=uvloop", "asyncio", "granian", "+0.4 % [-3.8, 4.1]", "not shown"],
        ["http=httptools", "h11", "uvicorn[loop=asyncio]", "4.60x [4.40, 4.81]", "yes"],
        ["http=httptools", "h11", "uvicorn[loop=uvloop]", "5.10x [4.90, 5.30]", "yes"],
        ["access_log=on", "off", "uvicorn[loop=uvloop]", "-39 % [-42, -36]", "yes"],
    ]


def test_what_was_corrected_for_and_how_much_was_shown_is_said() -> None:
    assert "by round. Shown: 6 of 7, with Holm's correction over 13 comparisons.\n" in to_markdown(EFFECTS)
    assert "Shown: 0 of 4, with Holm's correction over 10 comparisons.\n" in to_markdown(NO_EFFECT)


def test_an_effect_that_differs_between_settings_is_said_with_the_two_that_are_furthest_apart() -> None:
    assert sentences(LOOP) == [
        (
            "loop=uvloop instead of asyncio: +38 % [31, 46] under uvicorn[http=httptools], +0.4 % [-3.8, 4.1] under granian; "
            "these differ, as do those of 2 more pairs of settings."
        )
    ]
    one = replace(LOOP, differs=LOOP.differs[:1])
    assert sentences(one) == [
        (
            "loop=uvloop instead of asyncio: +38 % [31, 46] under uvicorn[http=httptools], "
            "+12 % [10, 14] under uvicorn[http=h11]; these differ."
        )
    ]
    assert sentences(HTTP) == []
    assert f"\n- {sentences(LOOP)[0]}\n" in to_markdown(EFFECTS)


def test_a_difference_between_settings_that_are_not_shown_is_still_said() -> None:
    assert sentences(replace(LOOP, differs=(("a", "b"),))) == [
        "loop=uvloop instead of asyncio: its effect differs between settings."
    ]


def test_a_terminal_shows_the_largest_effects_first_and_marks_what_was_not_shown() -> None:
    text = to_terminal(EFFECTS, width=120, colour=False)
    assert (
        "\nWhat each option buys\n"
        "  loop=uvloop instead of asyncio (these effects differ)\n"
        "    +38 % [31, 46] under uvicorn[http=httptools]\n"
        "    +12 % [10, 14] under uvicorn[http=h11]\n"
        "    +5.2 % [1.8, 8.9] under hypercorn\n"
        "    not shown: +0.4 % [-3.8, 4.1] under granian\n"
        "  http=httptools instead of h11\n"
        "    5.10x [4.90, 5.30] under uvicorn[loop=uvloop]\n"
        "    4.60x [4.40, 4.81] under uvicorn[loop=asyncio]\n"
        "  access_log=on instead of off: -39 % [-42, -36] under uvicorn[loop=uvloop]\n"
    ) in text


def test_many_effects_take_a_few_lines_of_a_terminal_and_none_is_passed_over_in_silence() -> None:
    text = to_terminal(MANY_EFFECTS, width=120, colour=False)
    assert "    and 2 more settings, which report.md lists\n" in text
    assert "    not shown: 7 effects from +0.0 % [0.0, 0.0] (server0) to +6.0 % [5.0, 7.5] (server6)\n" in text
    assert "not shown: 4 effects from" in to_terminal(NO_EFFECT, width=200, colour=False)


def test_a_table_without_options_to_compare_says_nothing_of_effects() -> None:
    assert effects.HEADING not in to_markdown(RANKED)
    assert effects.HEADING not in to_terminal(RANKED, width=120, colour=False)


def test_effects_are_in_json_with_all_that_differ() -> None:
    (table,) = json.loads(to_json(EFFECTS))["tables"]
    assert table["effect_comparisons"] == 13
    assert table["effects"][0]["seen"][3] == {
        "where": "granian",
        "ratio": {"value": 1.004, "low": 0.962, "high": 1.041, "n": 11},
        "shown": False,
    }
    assert table["effects"][0]["differs"] == [list(pair) for pair in LOOP.differs]
    assert (table["effects"][2]["option"], table["effects"][2]["value"], table["effects"][2]["instead_of"]) == (
        "access_log",
        "on",
        "off",
    )
