"""What CPU quotas of control groups say, in both forms that kernels write, as folders of a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from servermatrix.measure.quota import allowed_cores, groups, throttled_us


def group(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def test_the_groups_of_version_2_are_the_own_one_and_all_above_it(tmp_path: Path) -> None:
    (tmp_path / "membership").write_text("0::/user.slice/session\n")
    own = group(tmp_path / "mount" / "user.slice" / "session")
    assert groups(tmp_path / "membership", tmp_path / "mount") == (own, own.parent, own.parent.parent)


@pytest.mark.parametrize("controllers", ["cpu", "cpu,cpuacct"])
def test_the_groups_of_version_1_are_below_the_controller_of_cpu_time(tmp_path: Path, controllers: str) -> None:
    (tmp_path / "membership").write_text(f"4:memory:/other\n3:cpuset:/set\n1:{controllers}:/mine\n")
    own = group(tmp_path / "mount" / controllers / "mine")
    group(tmp_path / "mount" / "memory" / "other")
    group(tmp_path / "mount" / "cpuset" / "set")
    assert groups(tmp_path / "membership", tmp_path / "mount") == (own, own.parent)


def test_in_a_container_that_is_told_the_path_of_its_host_the_mount_is_its_group(tmp_path: Path) -> None:
    (tmp_path / "membership").write_text("0::/docker/abc\n")
    assert groups(tmp_path / "membership", group(tmp_path / "mount")) == (tmp_path / "mount",)


def test_a_path_with_colons_is_kept_whole(tmp_path: Path) -> None:
    (tmp_path / "membership").write_text("0::/a:b\n")
    assert groups(tmp_path / "membership", group(tmp_path / "mount" / "a:b").parent)[0].name == "a:b"


def test_where_there_are_no_control_groups_there_is_no_quota_and_nothing_is_held_back(tmp_path: Path) -> None:
    assert groups(tmp_path / "none", tmp_path) == ()
    assert allowed_cores(()) is None
    assert throttled_us(()) == 0


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu__max": "250000 100000\n"}, 2.5),
        ({"cpu__max": "max 100000\n"}, None),
        ({"cpu__cfs_quota_us": "150000\n", "cpu__cfs_period_us": "100000\n"}, 1.5),
        ({"cpu__cfs_quota_us": "-1\n", "cpu__cfs_period_us": "100000\n"}, None),
        ({"cpu__cfs_quota_us": "150000\n"}, None),
        ({"cpu__max": "nonsense\n"}, None),
        ({"cpu__max": "1 0\n"}, None),
        ({}, None),
    ],
)
def test_a_quota_is_read_in_cores(tmp_path: Path, files: dict[str, str], cores: float | None) -> None:
    assert allowed_cores((group(tmp_path, **files),)) == cores


def test_the_smallest_quota_of_all_groups_above_counts(tmp_path: Path) -> None:
    folders = [group(tmp_path / name, cpu__max=f"{quota} 100000") for name, quota in (("a", "400000"), ("b", "150000"))]
    assert allowed_cores((*folders, group(tmp_path / "c"))) == 1.5


@pytest.mark.parametrize(
    ("text", "held_back_us"),
    [
        ("usage_usec 5\nthrottled_usec 1234\n", 1234),
        ("nr_throttled 3\nthrottled_time 1234567\n", 1234),
        ("usage_usec 5\n", 0),
        ("no pairs here at all\n", 0),
        ("throttled_usec many\n", 0),
    ],
)
def test_the_time_held_back_is_read_in_both_forms_that_kernels_write(tmp_path: Path, text: str, held_back_us: int) -> None:
    assert throttled_us((group(tmp_path, cpu__stat=text),)) == held_back_us


def test_what_holds_back_a_group_above_holds_back_this_process_too(tmp_path: Path) -> None:
    folders = tuple(group(tmp_path / name, cpu__stat=f"throttled_usec {us}") for name, us in (("a", 100), ("b", 20)))
    assert throttled_us(folders) == 120


def test_the_control_groups_of_this_machine_are_read_without_failing() -> None:
    quota = allowed_cores(groups())
    assert quota is None or quota > 0
    assert throttled_us(groups()) >= 0
