"""What processes and the host used: differences of readings by value, and readings of real programs."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from servermatrix.measure import interrupts, usage
from servermatrix.measure.usage import HostCpu, ProcessCpu, Reading, busy_s, foreign_share, steal_share
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


@pytest.mark.parametrize(("charged", "busy"), [(True, 111.0), (False, 61.0)])
def test_a_host_is_busy_with_what_its_kernel_charges_processes_with(charged: bool, busy: float) -> None:  # noqa: FBT001
    times = SimpleNamespace(user=40.0, system=20.0, nice=1.0, irq=5.0, softirq=45.0, steal=7.0, idle=1000.0, iowait=3.0)
    assert busy_s(times, with_interrupts=charged) == busy  # was a bug: a half-busy core of others stayed unseen
    assert busy_s(SimpleNamespace(user=40.0, system=20.0), with_interrupts=charged) == 60.0  # macOS tells no more


def test_the_experiment_with_interrupts_is_no_part_of_the_first_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Was a bug: what it used in 25 ms came after the reading, and was taken for the work of other programs."""
    at_us: list[int] = []

    def experiment() -> bool:
        at_us.append(time.monotonic_ns() // 1000)
        return False

    times = psutil.cpu_times()

    def cpu_times() -> object:
        at_us.append(time.monotonic_ns() // 1000)
        return times

    monkeypatch.setattr(interrupts, "are_charged", experiment)
    monkeypatch.setattr(psutil, "cpu_times", cpu_times)
    read_at_us = usage.read_host().at_us
    experiment_us, times_us = at_us
    assert experiment_us <= times_us <= read_at_us


def test_the_host_at_hand_is_read() -> None:
    charged = interrupts.are_charged()
    before, found, after = psutil.cpu_times(), usage.read_host(), psutil.cpu_times()
    least, most = (busy_s(times, with_interrupts=charged) * 1e6 for times in (before, after))
    assert least - 1 <= found.busy_us <= most + 1


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


LISTENER = """
import socket, time
keep = [socket.socket() for _ in range(3)]
print("up", flush=True)
time.sleep(60)
"""


def test_open_sockets_are_counted_by_process_and_nothing_else_that_is_open(tmp_path: Path) -> None:
    folders = tmp_path / "one", tmp_path / "other"
    for folder in folders:
        folder.mkdir()
    with program(folders[0], LISTENER) as one, program(folders[1], SLEEPER) as other:
        assert said(one, "up")
        assert said(other, "up")
        assert usage.read_connections((one.session, other.session)) == {one.session: 3, other.session: 0}


def test_where_one_process_does_not_show_its_sockets_none_are_told(tmp_path: Path) -> None:
    with program(tmp_path, "pass") as gone:
        gone.process.wait(5)
    assert usage.read_connections((os.getpid(), gone.session)) == {}
    assert usage.read_connections((os.getpid(),), tmp_path) == {}


def test_a_connection_to_this_host_is_counted_where_it_was_opened() -> None:
    before = usage.read_active_opens()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for _ in range(20):
            socket.create_connection(listener.getsockname()).close()
    after = usage.read_active_opens()
    assert before is not None
    assert after is not None
    assert after - before >= 20


SNMP = """Ip: Forwarding DefaultTTL
Ip: 1 64
Tcp: RtoAlgorithm ActiveOpens PassiveOpens
Tcp: 1 795256 7
"""


@pytest.mark.parametrize(
    ("text", "opens"), [(SNMP, 795_256), ("Ip: 1 2\n", None), ("Tcp: ActiveOpens\nTcp: many\n", None), ("Tcp: A\nTcp: 1\n", None)]
)
def test_opened_connections_are_read_by_their_name_and_unknown_where_that_is_missing(
    tmp_path: Path, text: str, opens: int | None
) -> None:
    assert usage.read_active_opens(tmp_path) is None
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "snmp").write_text(text)
    assert usage.read_active_opens(tmp_path) == opens


def test_ports_in_use_are_those_of_one_end_of_each_connection_and_of_those_that_linger(tmp_path: Path) -> None:
    assert usage.ports_in_use(tmp_path) is None
    (tmp_path / "net").mkdir()
    (tmp_path / "sys" / "net" / "ipv4").mkdir(parents=True)
    (tmp_path / "sys" / "net" / "ipv4" / "ip_local_port_range").write_text("32768\t60999\n")
    assert usage.ports_in_use(tmp_path) is None
    (tmp_path / "net" / "sockstat").write_text(
        "sockets: used 9\nTCP: inuse 20 orphan 0 tw 25000 alloc 9 mem 1\nUDP: inuse 5 mem 0\n"
    )
    assert usage.ports_in_use(tmp_path) == (25_010, 28_232)


WHAT_TO_DO = "wait a minute, use fewer connections, or widen net.ipv4.ip_local_port_range"


def test_ports_that_have_run_out_are_named_with_what_to_do() -> None:
    taken = f"this machine has no ports left to connect from (9 of 10 are taken): {WHAT_TO_DO}"
    assert usage.ports_exhausted((9, 10), refused=False) == taken
    assert usage.ports_exhausted((9, 10), refused=True) == taken
    assert usage.ports_exhausted(None, refused=True) == f"this machine has no ports left to connect from: {WHAT_TO_DO}"


@pytest.mark.parametrize("used", [(8, 10), (0, 28_232), None])
def test_where_there_are_ports_nothing_is_said_of_them(used: tuple[int, int] | None) -> None:
    assert usage.ports_exhausted(used, refused=False) == ""


@pytest.mark.parametrize(
    ("after_us", "step_us"), [(9_000_000, 0), (9_004_999, 0), (9_005_001, 5_001), (8_994_999, -5_001), (0, -9_000_000)]
)
def test_a_clock_that_was_set_shows_against_one_that_nobody_sets_and_a_drift_does_not(after_us: int, step_us: int) -> None:
    before, after = (
        Reading(host=host(at_us), processes={}, own_us=0, throttled_us=0, involuntary_switches=0, clock_us=clock_us)
        for at_us, clock_us in ((5, 9_000_000), (1_000_005, after_us))
    )
    assert after.clock_step_us(before) == step_us


def test_the_clock_of_this_machine_stands_still_against_the_one_that_nobody_sets() -> None:
    before = usage.read_clock_us()
    time.sleep(0.05)
    assert abs(usage.read_clock_us() - before) < 5_000
    assert before == pytest.approx(time.time() * 1e6 - time.monotonic() * 1e6, abs=50_000)


def test_waiting_for_quiet_ends_at_once_when_it_is_quiet_enough() -> None:
    begin = time.monotonic()
    assert usage.wait_until_quiet(1000.0, patience_s=30, sample_s=0.02) < 1000.0
    assert time.monotonic() - begin < 5


def test_waiting_for_quiet_is_bounded_and_says_how_loud_it_stayed() -> None:
    begin = time.monotonic()
    assert usage.wait_until_quiet(-1.0, patience_s=0.1, sample_s=0.02) >= 0.0
    assert 0.1 <= time.monotonic() - begin < 5
