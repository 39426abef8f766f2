from __future__ import annotations

import json
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from servermatrix.analysis.trend import trend
from servermatrix.model import Change, Night
from servermatrix.model.trends import Line, Trend
from servermatrix.render import trend_document, trend_markdown, trend_text
from servermatrix.render.trend_svg import HEIGHT, LEFT, RIGHT, WIDTH, to_svg
from servermatrix.render.trend_words import sparkline
from tests.unit.night_values import EPYC, XEON, A, B, night, nights, told, tried
from tests.unit.test_trend import SOON

SVG = "{http://www.w3.org/2000/svg}"


def seen(*made: Night) -> Trend:
    return trend(made, now=SOON)


STEPPED = nights([1.0] * 20 + [0.9] * 10, {20: tried(candidate="0.54.0")})


def drawn(found: Trend, place: int = 0) -> ET.Element:
    return ET.fromstring(to_svg(found.lines[place], found))  # noqa: S314 - our own text


def marks(svg: ET.Element, tag: str, name: str) -> list[ET.Element]:
    """Find the marks of a kind that have a class."""
    return [one for one in svg.iter(SVG + tag) if name in one.get("class", "").split()]


def words(svg: ET.Element) -> str:
    return " ".join("".join(one.itertext()) for one in svg.iter(SVG + "text"))


def test_the_first_line_is_for_machines() -> None:
    found = seen(night(0, [told(A), told(B)]), night(1, [told(A)]))
    text = trend_text.to_text(found)
    assert text.splitlines()[0] == "trend: 2 cells over 2 nights, 0 change points, 1 stopped reporting"
    assert json.loads(trend_document.to_json(found))["line"] == text.splitlines()[0]
    assert text.splitlines()[0] in trend_markdown.to_markdown(found)


def test_an_alarm_says_what_stopped_and_what_to_do_if_that_was_meant() -> None:
    found = seen(night(0, [told(A), told(B)]), night(1, [told(A)]))
    for text in (trend_text.to_text(found), trend_markdown.to_markdown(found)):
        assert f"{B} stopped reporting: it is not in the latest night; its last figures are those of {night(0).id}" in text
        assert "--since" in text
    assert "--since" not in trend_text.to_text(seen(night(0)))


def test_a_latest_night_that_is_too_old_is_told_first() -> None:
    found = replace(seen(night(0)), stale="the latest night is old")
    assert trend_text.to_text(found).splitlines()[:2] == [
        "trend: 1 cell over 1 night, 0 change points, 0 stopped reporting, the latest night is too old",
        "ALARM: the nights have stopped: the latest night is old",
    ]


def test_each_night_has_its_sign_in_the_line_of_every_cell() -> None:
    made = [night(0, [told(A), told(B)]), night(1, [told(A)]), night(2, [told(A, rps=0.5), told(B, rps=None, cpu=None)])]
    lines = trend_text.to_text(seen(*made)).splitlines()
    rates = [line for line in lines if line.startswith("  requests/s")]
    assert rates == ["  requests/s      ██▁  -50 % [-51, -49]", "  requests/s      ▅··  +0.0 % [-2.0, 2.0]"]


def test_small_changes_are_not_blown_up_to_the_whole_height() -> None:
    assert sparkline([0.0, 0.001, -0.001], least=0.06) == "▅▅▄"
    assert sparkline([0.0, 1.0, None, 0.5], least=0.06) == "▁█·▅"
    assert sparkline([None, None], least=0.06) == "··"


def test_change_points_are_told_with_the_packages() -> None:
    found = seen(*STEPPED)
    told_of = f"requests/s changed by -10.0 % in the night {STEPPED[20].id} (p = 6e-05); about then the candidate went from"
    assert told_of in trend_text.to_text(found)
    assert "uvicorn 0.52.0 -> 0.54.0" in trend_text.to_text(found)
    assert "changed by -10.0 %" in trend_markdown.to_markdown(found)


def test_of_many_packages_the_first_are_named() -> None:
    (line,) = seen(*STEPPED).lines
    many = tuple(replace(line.steps[0].differing[0], name=f"p{number}") for number in range(9))
    found = replace(seen(*STEPPED), lines=(replace(line, steps=(replace(line.steps[0], differing=many),)),))
    assert "p4 0.52.0 -> 0.54.0 and 4 more" in trend_text.to_text(found)


def test_each_part_of_a_line_has_its_own_scale() -> None:
    made = nights([1.0, 0.5, 1.0, 0.9], {2: tried("7.0", "8.0")})
    assert "█▁█▁" in trend_text.to_text(seen(*made))


def test_a_promotion_is_told_and_drawn_and_breaks_no_line() -> None:
    made = nights([0.9, 0.9, 1.0], {2: tried("0.52.0", "0.54.0")})
    for text in (trend_text.to_text(seen(*made)), trend_markdown.to_markdown(seen(*made))):
        assert f"the baseline changed in the night {made[2].id}: uvicorn 0.50.0 -> 0.52.0" in text
    (mark,) = marks(drawn(seen(*made)), "line", "accepted")
    assert "0.50.0 -> 0.52.0" in "".join(mark.itertext())
    assert len(marks(drawn(seen(*made)), "polyline", "rps")) == 1
    assert json.loads(trend_document.to_json(seen(*made)))["promotions"][0]["night"] == made[2].id


def test_of_many_promotions_the_latest_are_told() -> None:
    made = [night(day, trial=tried(str(day), str(day + 1))) for day in range(9)]
    text = trend_text.to_text(seen(*made))
    assert "the baseline changed 8 times, the latest of which were:" in text
    assert text.count("the baseline changed in the night") == 5


def test_a_line_that_begins_anew_says_so() -> None:
    made = nights([1.0, 1.0, 1.0], {2: tried("7.0", "8.0")})
    assert json.loads(trend_document.to_json(seen(*made)))["lines"][0]["breaks"][0]["night"] == made[2].id
    for text in (trend_text.to_text(seen(*made)), trend_markdown.to_markdown(seen(*made))):
        assert f"the line begins anew in the night {made[2].id}" in text
    (anew,) = {one.get("x1") for one in marks(drawn(seen(*made)), "line", "anew")}
    assert anew is not None
    assert LEFT < float(anew) < RIGHT
    assert len(marks(drawn(seen(*made)), "polyline", "rps")) == 2


def test_machines_are_named_where_there_are_several() -> None:
    one, several = seen(night(0)), seen(night(0), night(1, host=XEON))
    assert "AMD" not in trend_text.to_text(one)
    assert "(AMD EPYC 7763, 4 cores)" in trend_text.to_text(several)
    assert "2 kinds of machines" in trend_text.to_text(several)
    assert len(trend_markdown.files(several)) == 3


def test_the_page_names_every_image_and_no_other() -> None:
    found = seen(night(0, [told(A), told(B)]), night(1, [told(A), told(B)], host=XEON))
    files = dict(trend_markdown.files(found))
    assert list(files)[-1] == trend_markdown.PAGE
    assert re.findall(r"!\[[^]]*]\(([^)]*)\)", files.pop(trend_markdown.PAGE)) == list(files)
    assert all(re.fullmatch(r"trend-[A-Za-z0-9.=_-]+-[0-9a-f]{8}\.svg", name) for name in files)


def test_the_document_has_every_level_and_null_for_what_is_not_known() -> None:
    found = seen(*STEPPED, night(30, [told(A, rps=None, cpu=None, change=Change.FAILED)]))
    document = json.loads(trend_document.to_json(found))
    (line,) = document["lines"]
    assert (document["schema"], document["alarmed"], document["stale"]) == (1, False, None)
    assert line["points"][-1]["rps"] is None
    assert line["points"][-1]["change"] == "failed"
    assert set(line["points"][0]["rps"]) == {"ratio", "total", "segment"}
    (step,) = line["change_points"]
    assert (step["metric"], step["night"]) == ("requests/s", STEPPED[20].id)
    assert step["differing"] == [{"name": "uvicorn", "baseline": "0.52.0", "candidate": "0.54.0"}]


def test_an_image_shows_every_night_of_both_metrics_with_its_interval() -> None:
    svg = drawn(seen(*STEPPED))
    for name in ("rps", "cpu"):
        assert len(marks(svg, "circle", name)) == len(marks(svg, "line", "bar")) / 2 == 30
        (line,) = marks(svg, "polyline", name)
        assert len(line.get("points", "").split()) == 30
    places = [(float(one.get("cx", "nan")), float(one.get("cy", "nan"))) for one in svg.iter(SVG + "circle")]
    assert all(LEFT < x < RIGHT and 0 < y < HEIGHT for x, y in places)


def test_an_image_is_worded_and_marks_margin_and_change_points() -> None:
    svg = drawn(seen(*STEPPED))
    assert {"title", "style"} <= {one.tag.removeprefix(SVG) for one in svg}
    for word in (
        A,
        "requests/s",
        "CPU us/request",
        "nights",
        "change since the first baseline",
        "2026-11-01",
        "2026-11-30",
        "-10.0 %",
    ):
        assert word in words(svg)
    (band,) = marks(svg, "rect", "band")
    assert float(band.get("height", "0")) > 10
    (step,) = marks(svg, "line", "step")
    (before, after) = (float(marks(svg, "circle", "rps")[place].get("cx", "nan")) for place in (19, 20))
    assert before < float(step.get("x1", "nan")) < after


def test_an_image_is_readable_in_the_dark_and_needs_nothing_else() -> None:
    text = to_svg(seen(night(0)).lines[0], seen(night(0)))
    assert "prefers-color-scheme: dark" in text
    assert not re.findall(r"href|url\(|<script|@import|<!", text)
    assert re.findall(r"https?://\S+?(?=\")", text) == ["http://www.w3.org/2000/svg"]


def test_a_regression_and_a_night_without_figures_are_marked() -> None:
    made = [night(0), night(1, [told(rps=0.8, change=Change.REGRESSION)]), night(2, [told(rps=None, cpu=None)])]
    svg = drawn(seen(*made))
    assert len(marks(svg, "circle", "alarm")) == 2
    assert " x" in words(svg)


STRANGE = "a<b>&\"'`]|\x00\n\ud800 ![x](y)"


@pytest.mark.parametrize("pair", [STRANGE, "x" * 3_000, "", "é/ü"])
def test_names_of_any_kind_break_no_form(pair: str) -> None:
    odd = replace(EPYC, cpu=pair)
    found = seen(night(0, [told(pair)], host=odd), night(1, [told(pair), told(B)], host=odd))
    files = trend_markdown.files(found)
    for name, text in files.items():
        assert len(name) < 110
        text.encode()
        if name.endswith(".svg"):
            ET.fromstring(text)  # noqa: S314 - our own text
    trend_text.to_text(found).encode()
    assert json.loads(trend_document.to_json(found))["lines"][0]["pair"] == pair


@pytest.mark.parametrize("value", [1e-6, 1.0, 1e6])
def test_ratios_of_any_size_are_drawn(value: float) -> None:
    made = [night(day, [told(rps=value, cpu=1 / value)], tried(str(day), str(day + 1))) for day in range(40)]
    svg = drawn(seen(*made))
    assert len(marks(svg, "circle", "rps")) == 40
    assert 2 <= len(marks(svg, "line", "grid")) <= 8
    assert "nan" not in ET.tostring(svg, encoding="unicode")
    assert svg.get("width") == str(WIDTH)


def test_the_same_trend_gives_the_same_files() -> None:
    assert trend_markdown.files(seen(*STEPPED)) == trend_markdown.files(seen(*reversed(STEPPED)))
    assert isinstance(seen(*STEPPED).lines[0], Line)
