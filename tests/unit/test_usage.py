"""What processes and the host used: differences of readings by value, and readings of real programs."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from servermatrix.measure import usage
from servermatrix.measure.usage import HostCpu, ProcessCpu, foreign_share, steal_share
from tests.room import SLEEPER, program, said

# Works for 0.2 s in a thread, once it may; the thread has ended by the time it says so.
WORKING = """
import pathlib, threading, time
def work():
    while not pathlib.Path("go").exists(): time.sleep(0.01)
    while time.thread_time() < 0.2: pass
thread = threading.Thread(target=work)
thread.start()
print("up", flush=True)
thread.join()
print("done", flush=True)
time.sleep(60)
"""


def cpu(ticks_us: int, **threads: int) -> ProcessCpu:
    return ProcessCpu(ticks_us=ticks_us, thread_ns={int(name.removeprefix("t")): ns for name, ns in threads.items()})


def host(at_us: int, busy_us: int = 0, steal_us: int = 0, cores: int = 2) -> HostCpu:
    return HostCpu(at_us=at_us, busy_us=busy_us, steal_us=steal_us, cores=cores)


def test_thread_times_count_while_all_threads_live_since_they_are_finer_than_ticks() -> None:
    assert cpu(10_000, t1=9_999_000, t2=5_000).since(cpu(0, t1=1_000_000, t2=1_000)) == 9_003


def test_a_new_thread_counts_from_its_beginning() -> None:
    assert cpu(0, t1=2_000_000, t7=3_000_000).since(cpu(0, t1=1_000_000)) == 4_000


def test_when_a_thread_has_ended_ticks_count_since_it_took_its_time_along() -> None:
    assert cpu(50_000, t1=2_000_000).since(cpu(10_000, t1=1_000_000, t2=30_000_000)) == 40_000


def test_threads_that_came_and_went_between_two_readings_are_not_lost() -> None:
    assert cpu(500_000, t1=2_000_000).since(cpu(10_000, t1=1_000_000)) == 490_000


def test_where_the_kernel_tells_no_thread_times_ticks_count() -> None:
    assert cpu(50_000).since(cpu(10_000)) == 40_000


def test_thread_times_that_a_kernel_shows_but_does_not_keep_are_not_taken_for_idleness() -> None:
    assert cpu(50_000, t1=0).since(cpu(10_000, t1=0)) == 40_000  # was a bug: 0, hence 0 us per request


@pytest.mark.parametrize(
    ("busy_us", "ours_us", "share"),
    [(1_000_000, 900_000, 0.1), (1_000_000, 1_000_000, 0.0), (900_000, 1_000_000, 0.0), (2_000_000, 0, 2.0)],
)
def test_foreign_share_is_what_is_busy_without_us_in_cores_and_never_negative(busy_us: int, ours_us: int, share: float) -> None:
    assert foreign_share(host(5), host(1_000_005, busy_us), ours_us) == pytest.approx(share)


@pytest.mark.parametrize(("steal_us", "share"), [(0, 0.0), (40_000, 0.02), (-5, 0.0), (9_000_000, 1.0)])
def test_steal_share_is_a_share_of_the_time_of_all_cores(steal_us: int, share: float) -> None:
    assert steal_share(host(0), host(1_000_000, steal_us=steal_us)) == pytest.approx(share)


def test_two_readings_at_the_same_time_divide_by_nothing() -> None:
    assert foreign_share(host(7), host(7), 0) == 0.0
    assert (
        steal_share(
            host(7),
            host(7),
        )
        == 0.0
    )


def test_a_process_is_charged_with_its_work_also_with_that_of_a_thread_that_ended(tmp_path: Path) -> None:
    with program(tmp_path, WORKING) as running:
        assert said(running, "up")
        before = usage.read_process(running.session)
        (tmp_path / "go").touch()
        assert said(running, "done")
        after = usage.read_process(running.session)
    assert before is not None
    assert after is not None
    assert len(before.thread_ns) == len(after.thread_ns) + 1
    assert 0.15e6 <= after.since(before) <= 0.6e6


def test_a_process_is_charged_by_thread_times_while_its_threads_live() -> None:
    before = usage.read_process(os.getpid())
    begin = time.thread_time()
    while time.thread_time() - begin < 0.05:
        pass
    after = usage.read_process(os.getpid())
    assert before is not None
    assert after is not None
    assert 0.049e6 <= after.since(before) <= 0.2e6


def test_a_process_that_is_gone_reads_as_nothing(tmp_path: Path) -> None:
    with program(tmp_path, "pass") as running:
        running.process.wait(5)
    gone = running.session
    assert usage.read_process(gone) is None
    assert usage.read((gone,)).processes == {}
    assert usage.read((gone,)).involuntary_switches == 0
    assert usage.read_pss((gone,)) == 0


def test_memory_is_summed_over_processes(tmp_path: Path) -> None:
    with program(tmp_path, SLEEPER) as running:
        assert said(running, "up")
        one, both = usage.read_pss((running.session,)), usage.read_pss((running.session, os.getpid()))
    assert one is not None
    assert both is not None
    assert both > one > 1_000_000


def test_a_reading_has_the_asked_processes_and_goes_forward() -> None:
    before, after = usage.read((os.getpid(),)), usage.read((os.getpid(),))
    assert set(before.processes) == {os.getpid()}
    assert after.host.at_us >= before.host.at_us
    assert after.own_us >= before.own_us > 0
    assert after.host.cores >= 1


@pytest.mark.parametrize(
    ("text", "throttled_us"),
    [
        ("usage_usec 5\nthrottled_usec 1234\n", 1234),
        ("nr_throttled 3\nthrottled_time 1234567\n", 1234),
        ("usage_usec 5\n", 0),
        ("no pairs here at all\n", 0),
    ],
)
def test_a_cpu_quota_is_read_in_both_forms_that_kernels_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, throttled_us: int
) -> None:
    (tmp_path / "cpu.stat").write_text(text)
    monkeypatch.setattr(usage, "CGROUP_STAT", (tmp_path / "missing", tmp_path / "cpu.stat"))
    assert usage.read_throttled_us() == throttled_us


def test_waiting_for_quiet_ends_at_once_when_it_is_quiet_enough() -> None:
    begin = time.monotonic()
    assert usage.wait_until_quiet(1000.0, patience_s=30, sample_s=0.02) < 1000.0
    assert time.monotonic() - begin < 5


def test_waiting_for_quiet_is_bounded_and_says_how_loud_it_stayed() -> None:
    begin = time.monotonic()
    assert usage.wait_until_quiet(-1.0, patience_s=0.1, sample_s=0.02) >= 0.0
    assert 0.1 <= time.monotonic() - begin < 5
