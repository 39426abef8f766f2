"""How cores are split between server and generator, on machines made up, and how the machine at hand is described."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from servermatrix.errors import Exit, UsageProblem
from servermatrix.measure import host
from servermatrix.measure.host import (
    Layout,
    Topology,
    fingerprint,
    git_state,
    layout,
    layout_of,
    limits,
    read_topology,
    usable_cores,
)
from tests.room import make_cell


def machine(cores: int, threads: int = 1, quota: float | None = None) -> Topology:
    """Make a machine up; the second hardware threads of all cores are numbered after the first ones, as Linux does."""
    return Topology(cores=tuple(tuple(core + cores * thread for thread in range(threads)) for core in range(cores)), quota=quota)


ONE, TWO, FOUR, EIGHT = machine(1), machine(2), machine(4), machine(8)
FOUR_BY_TWO = machine(4, threads=2)


def split(pin: str, topology: Topology, threads: int = 1, workers: int = 1) -> Layout:
    return layout(pin, topology, threads=threads, workers=workers)


@pytest.mark.parametrize(
    "topology", [ONE, TWO, machine(3), machine(2, threads=2), machine(64, quota=2.5), machine(64, quota=3.9)]
)
def test_with_fewer_than_four_cores_nothing_is_pinned_unless_wished(topology: Topology) -> None:
    assert split("auto", topology).server == ()
    assert "nothing pinned could dodge what else runs" in split("auto", topology).reason


@pytest.mark.parametrize("topology", [TWO, FOUR, EIGHT, FOUR_BY_TWO])
def test_off_pins_nothing(topology: Topology) -> None:
    assert (split("off", topology).server, split("off", topology).generator) == ((), ())


@pytest.mark.parametrize(
    ("topology", "threads", "workers", "server", "generator"),
    [
        (FOUR, 1, 1, (0,), (1,)),
        (FOUR, 1, 3, (0, 1, 2), (3,)),
        (FOUR, 2, 2, (0, 1), (2, 3)),
        (EIGHT, 2, 4, (0, 1, 2, 3), (4, 5)),
        (machine(64, quota=8.0), 2, 6, (0, 1, 2, 3, 4, 5), (6, 7)),
        (Topology(cores=((1,), (3,), (5,), (7,))), 1, 2, (1, 3), (5,)),
    ],
)
def test_the_server_gets_a_core_per_worker_and_the_generator_others_one_per_thread(
    topology: Topology, threads: int, workers: int, server: tuple[int, ...], generator: tuple[int, ...]
) -> None:
    assert split("auto", topology, threads, workers) == Layout(server=server, generator=generator)


def test_while_there_are_cores_enough_each_gives_one_hardware_thread_and_its_other_one_stays_idle() -> None:
    assert split("auto", FOUR_BY_TWO, 1, 3) == Layout(server=(0, 1, 2), generator=(3,))


def test_where_cores_are_few_both_hardware_threads_of_a_core_go_to_the_same_side() -> None:
    assert split("auto", FOUR_BY_TWO, 1, 4) == Layout(server=(0, 4, 1, 5), generator=(2,))
    assert split("auto", FOUR_BY_TWO, 2, 6) == Layout(server=(0, 4, 1, 5, 2, 6), generator=(3, 7))


@pytest.mark.parametrize("topology", [FOUR, EIGHT, FOUR_BY_TWO, machine(6, threads=2), machine(4, threads=4)])
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("workers", [1, 2, 3, 5, 6])
def test_server_and_generator_never_share_a_core(topology: Topology, threads: int, workers: int) -> None:
    found = split("auto", topology, threads, workers)
    if found.server:
        assert (len(set(found.server)), len(set(found.generator))) == (workers, threads)
        of = {cpu: core for core in topology.cores for cpu in core}
        assert not {of[cpu] for cpu in found.server} & {of[cpu] for cpu in found.generator}
    else:
        assert found.reason


def test_hardware_threads_of_one_core_are_not_split_even_where_their_number_would_do() -> None:
    found = split("auto", FOUR_BY_TWO, 1, 7)  # seven workers leave one thread of the last core
    assert found == Layout(reason="no cores for 7 workers and 1 generator threads apart")


def test_a_quota_counts_as_the_cores_one_really_has() -> None:
    assert machine(64, quota=2.5).cpus == 2
    assert machine(64, quota=0.5).cpus == 1
    assert machine(2, quota=64.0).cpus == 2
    assert machine(4, threads=2).cpus == 8
    assert split("auto", machine(64, quota=4.0), 2, 3).server == ()  # five CPUs would be held back at four
    assert "with the CPU quota of 2.5 cores more than one worker cannot be measured" in str(split("auto", machine(64, quota=2.5)))


@pytest.mark.parametrize(
    ("topology", "threads", "workers"), [(TWO, 2, 1), (TWO, 5, 1), (ONE, 1, 1), (machine(1, threads=2), 1, 1)]
)
def test_pinning_that_leaves_the_server_no_core_is_refused(topology: Topology, threads: int, workers: int) -> None:
    with pytest.raises(
        UsageProblem, match=f"needs more than {threads} cores?, this process may use {len(topology.cores)}"
    ) as caught:
        split("on", topology, threads, workers)
    assert caught.value.exit_code == Exit.USAGE


def test_pinning_that_a_quota_leaves_no_core_for_names_the_quota() -> None:
    with pytest.raises(UsageProblem) as caught:
        split("on", machine(8, quota=1.5), 1, 1)
    assert caught.value.message == "--pin on needs more than 1 core, this process may use 1 under the CPU quota of 1.5 cores"


def test_a_quota_of_all_the_cores_there_are_is_not_blamed() -> None:
    assert split("off", machine(2, quota=2.0)).reason.startswith("with 2 cores more than one worker")
    assert split("off", machine(2, quota=2.5)).reason.startswith("with 2 cores more than one worker")
    assert split("off", machine(3, quota=2.5)).reason.startswith("with the CPU quota of 2.5 cores more than one worker")


def test_pinning_on_demand_gives_the_server_what_the_generator_leaves_and_says_what_that_means() -> None:
    found = split("on", TWO, 1, 4)
    assert (found.server, found.generator) == ((0,), (1,))
    assert str(found).startswith("server on 0, generator on 1: with 2 cores more than one worker cannot be measured")


@pytest.mark.parametrize(("threads", "workers"), [(4, 1), (5, 1), (1, 4), (2, 3)])
def test_auto_does_not_pin_where_the_two_do_not_fit_and_says_so(threads: int, workers: int) -> None:
    found = split("auto", FOUR, threads, workers)  # was a bug: UsageProblem about a `--pin on` nobody typed
    assert found.server == ()
    assert "cannot be measured" in found.reason


def test_a_system_that_binds_nothing_to_cores_is_not_pinned_and_says_so() -> None:
    for pin in ("auto", "on"):
        assert str(split(pin, replace(EIGHT, can_pin=False))) == "not pinned: this system binds no process to a core"


@pytest.mark.parametrize(
    ("topology", "threads", "workers", "sentence"),
    [
        (ONE, 1, 1, "with 1 core server and generator take turns, and neither can be measured alone"),
        (
            TWO,
            1,
            1,
            "with 2 cores more than one worker cannot be measured, nor a server undisturbed by the generator beside it",
        ),
        (FOUR, 1, 4, "with 4 cores more than 3 workers beside the generator cannot be measured"),
        (FOUR, 1, 3, ""),
        (EIGHT, 2, 6, ""),
    ],
)
def test_what_cannot_be_measured_for_want_of_cores_is_said(topology: Topology, threads: int, workers: int, sentence: str) -> None:
    assert limits(topology, threads=threads, workers=workers) == sentence
    assert split("off", topology, threads, workers) == Layout(reason=sentence)


def test_every_cell_of_a_plan_has_the_cores_of_the_most_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "read_topology", lambda: EIGHT)
    cells = (make_cell(workers=1, threads=2), make_cell(workers=4, threads=1))
    assert layout_of("auto", cells) == layout_of("auto", cells[::-1]) == Layout(server=(0, 1, 2, 3), generator=(4, 5))


def test_a_layout_says_which_cores_or_why_not() -> None:
    assert str(Layout()) == "not pinned"
    assert str(Layout(reason="nobody knows")) == "not pinned: nobody knows"
    assert str(Layout(server=(0, 1, 2), generator=(3,))) == "server on 0,1,2, generator on 3"


def test_usable_cores_are_those_of_this_process() -> None:
    assert usable_cores() == tuple(sorted(os.sched_getaffinity(0)))


def siblings(folder: Path, **lists: str) -> None:
    for name, text in lists.items():
        (folder / name / "topology").mkdir(parents=True)
        (folder / name / "topology" / "thread_siblings_list").write_text(text + "\n")


@pytest.mark.parametrize(
    ("allowed", "lists", "cores"),
    [
        ((0, 1, 2, 3), {"cpu0": "0,2", "cpu1": "1,3", "cpu2": "0,2", "cpu3": "1,3"}, ((0, 2), (1, 3))),
        ((0, 1, 2, 3), {"cpu0": "0-1", "cpu1": "0-1", "cpu2": "2-3", "cpu3": "2-3"}, ((0, 1), (2, 3))),
        ((1, 2, 3), {"cpu1": "1,3", "cpu2": "0,2", "cpu3": "1,3"}, ((1, 3), (2,))),  # a mask that leaves CPU 0 to others
        ((0, 1), {}, ((0,), (1,))),
        ((0, 1), {"cpu0": "nonsense", "cpu1": ""}, ((0,), (1,))),
    ],
)
def test_hardware_threads_of_one_core_are_found_as_far_as_this_process_may_use_them(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    allowed: tuple[int, ...],
    lists: dict[str, str],
    cores: tuple[tuple[int, ...], ...],
) -> None:
    siblings(tmp_path, **lists)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(allowed))
    assert read_topology(tmp_path).cores == cores


def test_the_topology_of_this_machine_has_every_usable_cpu_once() -> None:
    found = read_topology()
    assert sorted(cpu for core in found.cores for cpu in core) == list(usable_cores())
    assert 1 <= found.cpus <= len(usable_cores())


def test_the_fingerprint_names_machine_python_and_pinning() -> None:
    described = fingerprint(Layout(server=(0,), generator=(1,)))
    assert platform.system() in described.system
    assert described.cpu
    assert described.cores == read_topology().cpus
    assert described.memory_bytes > 2**26
    assert described.python == platform.python_version()
    assert described.pinned == "server on 0, generator on 1"


def git(folder: Path, *words: str) -> None:
    argv = ["git", "-C", str(folder), "-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false", *words]
    subprocess.run(argv, check=True, capture_output=True)


def test_the_state_of_a_checkout_is_its_commit_with_a_plus_for_changes(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    clean = git_state(tmp_path)
    (tmp_path / "new").write_text("x")
    assert len(clean) == 12
    assert git_state(tmp_path) == clean + "+"


def test_outside_a_checkout_there_is_no_state(tmp_path: Path) -> None:
    assert git_state(tmp_path) == ""
    assert git_state(tmp_path / "nowhere") == ""


def test_without_git_there_is_no_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(tmp_path) == ""
