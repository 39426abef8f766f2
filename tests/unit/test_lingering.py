"""Which connections were those of one port, and which of other programs."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from servermatrix.measure.lingering import opened, read_lingering


def ended(listener: socket.socket, count: int) -> None:
    """Open and close connections to a listener."""
    for _ in range(count):
        with socket.create_connection(listener.getsockname()):
            listener.accept()[0].close()


def test_ended_connections_are_counted_at_their_own_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        ended(one, 30)
        ended(other, 5)
        assert 30 <= (read_lingering(one.getsockname()[1]) or 0) < 35
        assert 5 <= (read_lingering(other.getsockname()[1]) or 0) < 10


def test_open_connections_and_listeners_have_not_ended() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        kept = [socket.create_connection(listener.getsockname()) for _ in range(10)]
        assert read_lingering(listener.getsockname()[1]) == 0
        for connection in kept:
            connection.close()


@pytest.mark.parametrize(("wall_us", "found"), [(50_000_000, 128), (50_000_001, 5000)])
def test_of_a_window_that_outlasts_what_is_told_of_ended_connections_all_that_were_opened_count(wall_us: int, found: int) -> None:
    assert opened(5000, 70, 134, asked=64, wall_us=wall_us) == found


def test_where_the_system_does_not_tell_nothing_is_known(tmp_path: Path) -> None:
    assert read_lingering(80, tmp_path) is None
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text("")
    assert read_lingering(80, tmp_path) == 0


@pytest.mark.parametrize(
    ("opens", "before", "after", "found"),
    [
        (5000, 70, 134, 128),
        (5000, 70, 70, 64),
        (70, 70, 134, 70),
        (5000, 70, 5100, 5000),
        (64, 70, 6000, 64),
        (5000, 134, 70, 64),
        (5000, 19_000, 20_001, 5000),
        (None, 70, 134, None),
        (5000, None, 134, 5000),
        (5000, 70, None, 5000),
    ],
)
def test_what_others_opened_is_left_out_where_the_port_tells(
    opens: int | None, before: int | None, after: int | None, found: int | None
) -> None:
    assert opened(opens, before, after, asked=64) == found
