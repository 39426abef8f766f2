"""The claims of the statistics, through the whole way from the fake generator to the report, on seeded noise.

Every claim has its mutation beside it: the same data judged without the rule that makes the claim true.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest

from servermatrix.analysis.analyse import analyse
from servermatrix.analysis.field import field_of
from servermatrix.analysis.ranking import contest
from servermatrix.model import UNRANKED, Flag, Table
from tests.unit.analyse_runs import cells, run, simulated

MATRICES = 300
ROUNDS = 10
SERVERS = 5
ALLOWED = 0.05 + 3 * (0.05 * 0.95 / MATRICES) ** 0.5
EQUAL = {"*": {"rps": 20_000, "cpu_us": 40}}
KINDS: list[dict[str, object]] = [
    {"kind": "normal", "sd": 0.05},
    {"kind": "contaminated", "sd": 0.05},
    {"kind": "drift", "sd": 0.05, "shared": 0.5},
    {"kind": "periodic", "sd": 0.05, "shared": 0.5},
]


def table_of(model: Mapping[str, object], seed: int, servers: int = SERVERS) -> Table:
    (table,) = analyse(simulated(cells(servers), ROUNDS, model, seed)).tables
    return table


def claims(table: Table) -> int:
    """Count the pairs of which the table says that one is better."""
    return sum(row.ranking.rank[0] - 1 for row in table.rows if row.ranking)


@pytest.mark.parametrize("noise", KINDS, ids=lambda noise: str(noise["kind"]))
def test_equal_servers_are_told_apart_in_at_most_one_table_of_twenty(noise: Mapping[str, object]) -> None:
    false = sum(claims(table_of({"cells": EQUAL, "noise": noise}, seed)) > 0 for seed in range(MATRICES))
    assert false / MATRICES <= ALLOWED


def test_without_holm_equal_servers_would_be_told_apart_far_more_often() -> None:
    false = 0
    for seed in range(MATRICES):
        stored = simulated(cells(SERVERS), ROUNDS, {"cells": EQUAL, "noise": KINDS[0]}, seed)
        false += bool(contest({row.id: row.rps for row in field_of(stored).rows}, adjust=list).better)
    assert false / MATRICES > 2 * ALLOWED


def test_the_interval_of_a_ratio_holds_the_true_one_as_often_as_it_says() -> None:
    model = {"cells": {**EQUAL, "s0000*": {"rps": 24_000}}, "noise": {"kind": "contaminated", "sd": 0.05}}
    missed = 0
    for seed in range(MATRICES):
        ratio = table_of(model, seed, servers=2).rows[1].ratio
        assert ratio is not None
        assert ratio.low is not None
        assert ratio.high is not None
        missed += not ratio.low <= 20_000 / 24_000 <= ratio.high
    assert missed / MATRICES <= ALLOWED


@pytest.mark.parametrize(("gain", "sd", "promised"), [(1.20, 0.05, 0.90), (1.10, 0.05, 0.78), (1.05, 0.02, 0.84)])
def test_true_differences_are_found_as_often_as_promised(gain: float, sd: float, promised: float) -> None:
    model = {
        "cells": {**EQUAL, "s0000*": {"rps": 20_000 * gain}},
        "noise": {"kind": "contaminated", "sd": sd / 2**0.5},
    }
    tries = 120
    found = sum(claims(table_of(model, seed, servers=2)) for seed in range(tries))
    assert found / tries >= promised - 3 * (promised * (1 - promised) / tries) ** 0.5


def test_a_clear_order_is_found_whole_and_the_winner_named() -> None:
    model = {"cells": {**EQUAL, **{f"s000{i}*": {"rps": 20_000 * 1.5**i} for i in range(5)}}, "noise": KINDS[2]}
    table = table_of(model, seed=1)
    assert [row.planned.cell.server for row in table.rows] == ["s0004", "s0003", "s0002", "s0001", "s0000"]
    assert [row.ranking.rank for row in table.rows if row.ranking] == [(i, i) for i in range(1, 6)]
    first = table.rows[0].ratio
    assert first is not None
    assert first.low is not None
    assert first.high is not None
    assert first.low <= 1.5**4 <= first.high
    said = re.match(r"s0004 serves plaintext 5\.00x \[([\d.]+), ([\d.]+)\] as many requests per second as s0000", table.answer)
    assert said
    assert float(said[1]) < round(first.low, 2) <= round(first.high, 2) < float(said[2])


def test_pairing_by_round_finds_what_the_drift_would_hide() -> None:
    model = {
        "cells": {**EQUAL, "s0000*": {"rps": 22_000}},
        "noise": {"kind": "periodic", "sd": 0.01, "shared": 0.5},
    }
    stored = simulated(cells(2), ROUNDS, model)
    shifted = [
        replace(sample, round=sample.round % ROUNDS + 1) if sample.cell_id == cells(2)[0].id else sample
        for sample in stored.samples
    ]
    assert claims(analyse(stored).tables[0]) == 1
    assert claims(analyse(run(cells(2), shifted, ROUNDS)).tables[0]) == 0


def test_an_idle_fake_server_is_flagged_and_not_ranked_on_the_whole_way() -> None:
    model = {"cells": {**EQUAL, "s0000*": {"rps": 60_000, "busy": 0.5}, "s0001*": {"generator": 0.95}}}
    table = table_of(model, seed=1)
    barred = {row.planned.cell.server: row.flags for row in table.rows if row.ranking is None}
    assert barred.keys() == {"s0000", "s0001"}
    assert all(UNRANKED.intersection(flags) for flags in barred.values())
    assert Flag.GENERATOR_BOUND in barred["s0001"]
