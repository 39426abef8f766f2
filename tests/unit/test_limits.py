from __future__ import annotations

import pytest

from servermatrix.config.limits import read_limit, read_size


@pytest.mark.parametrize(
    ("text", "percent", "bound_us"),
    [("p99<50ms", 99.0, 50_000), ("p99.9 <= 1.5s", 99.9, 1_500_000), (" p50<800us ", 50.0, 800), ("p95<2s", 95.0, 2_000_000)],
)
def test_a_limit_of_latency_is_a_percentile_and_microseconds(text: str, percent: float, bound_us: float) -> None:
    limit = read_limit(text)
    assert (limit.metric, limit.percent, limit.bound, limit.text) == ("latency", percent, bound_us, text.strip())


@pytest.mark.parametrize("text", ["errors=0", "errors == 0", "errors<=0%"])
def test_no_errors_is_a_limit(text: str) -> None:
    assert (read_limit(text).metric, read_limit(text).bound) == ("errors", 0.0)


def test_memory_is_a_limit_in_bytes() -> None:
    assert (read_limit("memory<512MB").metric, read_limit("memory<512MB").bound) == ("memory", 512_000_000)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("p99<0ms", "is a limit that nothing can keep"),
        ("p20<5ms", "is about a percentile that is not from p50 to p99.99"),
        ("errors<1%", "allows errors, but a start with a wrong answer never counts: write errors=0, or leave it out"),
        ("rps>5", "is no limit such as p99<50ms, errors=0 or memory<512MB"),
        ("p99<50", "is no limit such as p99<50ms, errors=0 or memory<512MB"),
        ("memory<many", "is no size in memory, such as 512MB or 1GiB"),
    ],
)
def test_what_is_no_limit_is_refused_with_the_reason(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence.replace("(", r"\(")) as caught:
        read_limit(text)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(("text", "size"), [("512MB", 512_000_000), ("1.5GiB", 1_610_612_736), ("100", 100), ("2 kib", 2048)])
def test_sizes_are_decimal_or_binary_as_their_unit_says(text: str, size: int) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1MB", "1TBB", "0"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no size in memory"):
        read_size(text)
