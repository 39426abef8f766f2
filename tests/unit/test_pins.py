"""Requirement sets are read strictly, and what really runs is compared with what was asked for."""

from __future__ import annotations

import pytest

from servermatrix.pins import broken_pins, canonical, in_force, read_set

CONSTRAINTS = "# pinned\nHypercorn==0.18.0\ngunicorn==27.0.1\n\nuvicorn-worker==0.4.0  # the worker\nuvicorn==0.54.0\n"


# --- reading a set


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", ()),
        ("uvicorn==0.52.0", ("uvicorn==0.52.0",)),
        ("  uvloop<0.23\n uvicorn==0.52.0 ", ("uvicorn==0.52.0", "uvloop<0.23")),
        ("gunicorn[fast]", ("gunicorn[fast]",)),
        ("hypercorn[uvloop,H3]==0.17.*", ("hypercorn[h3,uvloop]==0.17.*",)),
        ("Uvicorn_Worker==0.4", ("uvicorn-worker==0.4",)),
        ("uvloop>=0.22,<0.23", ("uvloop<0.23,>=0.22",)),
    ],
)
def test_a_set_is_read_in_its_one_spelling(text: str, read: tuple[str, ...]) -> None:
    assert read_set(text) == read
    assert read_set(" ".join(read)) == read


def test_the_order_in_which_a_set_is_written_makes_no_other_set() -> None:
    assert read_set("uvloop<0.23 uvicorn==0.52.0 h11") == read_set("h11 uvicorn==0.52.0 uvloop<0.23")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("uvicorn == 0.52.0", "'==' is no requirement; write name==version, without spaces"),
        ("uvicorn=0.52.0", "'uvicorn=0.52.0' is no requirement"),
        ("h11 ./dist/uvicorn.whl", "'./dist/uvicorn.whl' is no requirement"),
        ("--index-url=elsewhere uvicorn", "'--index-url=elsewhere' is no requirement"),
        ("uvicorn@https://example.org/uvicorn.whl", "names an address, and what is found there can change unseen"),
        ("uvloop;python_version<'3.13'", "has a condition; a requirement set is installed as it stands"),
        ("uvicorn>=0.52 Uvicorn<0.53", "uvicorn is there twice; join its conditions with a comma"),
    ],
)
def test_what_is_no_set_is_told_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
        read_set(text)
    assert sentence in str(caught.value)


def test_equal_requirements_have_one_spelling() -> None:
    assert canonical("Uvicorn_Worker >= 0.4, <1") == canonical("uvicorn-worker<1,>=0.4") == "uvicorn-worker<1,>=0.4"
    assert canonical("zttp; python_version >= '3.11'") == 'zttp; python_version >= "3.11"'


# --- constraints


def test_without_a_set_every_line_is_in_force_in_one_spelling() -> None:
    assert in_force(CONSTRAINTS, ()) == ("gunicorn==27.0.1", "hypercorn==0.18.0", "uvicorn-worker==0.4.0", "uvicorn==0.54.0")


@pytest.mark.parametrize("requirement", ["uvicorn_worker==0.3", "Uvicorn-Worker<0.4", "uvicorn.worker[x]>=0.5"])
def test_a_set_overrides_the_lines_of_what_it_gives_a_version_for(requirement: str) -> None:
    assert in_force(CONSTRAINTS, (requirement,)) == ("gunicorn==27.0.1", "hypercorn==0.18.0", "uvicorn==0.54.0")


@pytest.mark.parametrize("requirement", ["gunicorn", "gunicorn[fast]"])
def test_a_name_without_a_version_stays_pinned(requirement: str) -> None:
    assert "gunicorn==27.0.1" in in_force(CONSTRAINTS, (requirement,))


def test_a_constraint_that_is_none_is_no_silent_loss() -> None:
    with pytest.raises(ValueError, match="a word"):
        in_force("uvicorn==0.54.0\na word\n", ())


# --- comparing


@pytest.mark.parametrize(
    ("pin", "found"),
    [
        ("uvicorn==0.52.0", "0.52"),
        ("uvicorn==0.52", "0.52.0"),
        ("uvicorn==0.52.*", "0.52.7"),
        ("uvicorn==1.0rc1", "1.0.0rc1"),
        ("uvicorn<0.53,>=0.52", "0.52.4"),
        ("uvicorn>=0.52", "0.53.0b1"),
        ("uvicorn[standard]", "0.1"),
        ("uvicorn", "built from a branch"),
        ("uvicorn===branch", "branch"),
    ],
)
def test_a_version_that_was_asked_for_is_no_complaint(pin: str, found: str) -> None:
    assert broken_pins([pin], {"uvicorn": found}) is None


@pytest.mark.parametrize(
    ("pin", "found", "sentence"),
    [
        ("gunicorn==27.0.1", "26.2.0", "gunicorn is 26.2.0 inside the server, but 27.0.1 was asked for"),
        ("gunicorn[fast]==27.0.1", "25.1.0", "gunicorn is 25.1.0 inside the server, but 27.0.1 was asked for"),
        ("gunicorn===27.0.1", "27.0.2", "gunicorn is 27.0.2 inside the server, but 27.0.1 was asked for"),
        ("gunicorn==27.0.1", "27.0.1rc1", "gunicorn is 27.0.1rc1 inside the server, but 27.0.1 was asked for"),
        ("gunicorn==26.*", "27.0.1", "gunicorn is 27.0.1 inside the server, but gunicorn==26.* was asked for"),
        ("gunicorn<27", "27.0.1", "gunicorn is 27.0.1 inside the server, but gunicorn<27 was asked for"),
        ("gunicorn==27.0.1", "a branch", "gunicorn is a branch inside the server, but 27.0.1 was asked for"),
        ("gunicorn==27.0.1", None, "gunicorn is not installed inside the server, but gunicorn==27.0.1 was asked for"),
    ],
)
def test_a_version_that_was_not_asked_for_is_told(pin: str, found: str | None, sentence: str) -> None:
    assert broken_pins([pin], {"gunicorn": found}) == sentence


def test_what_was_asked_for_and_never_told_of_is_not_installed() -> None:
    assert broken_pins(["h2==4.4.1"], {"h11": "0.16.0"}) == "h2 is not installed inside the server, but h2==4.4.1 was asked for"


@pytest.mark.parametrize(("pinned", "told"), [("uvicorn_worker", "uvicorn-worker"), ("uvicorn-worker", "Uvicorn_Worker")])
def test_names_are_compared_as_installers_compare_them(pinned: str, told: str) -> None:
    assert broken_pins([f"{pinned}==0.4"], {told: "0.4.0"}) is None
    assert str(broken_pins([f"{pinned}==0.4"], {told: "0.3"})).startswith(f"{pinned} is 0.3 ")
    assert broken_pins([], {told: "0.3"}, constraints=[f"{pinned}==0.4"]) is not None


def test_constraints_count_for_what_is_installed_only() -> None:
    constraints = in_force(CONSTRAINTS, ())
    assert broken_pins([], {"uvicorn": "0.54.0", "gunicorn": None}, constraints=constraints) is None
    sentence = "uvicorn is 0.52.0 inside the server, but 0.54.0 was asked for"
    assert broken_pins([], {"uvicorn": "0.52.0"}, constraints=constraints) == sentence


def test_the_sentence_names_where_it_was_looked_at() -> None:
    assert broken_pins(["h11==1"], {"h11": "2"}, where="in the new environment") == (
        "h11 is 2 in the new environment, but 1 was asked for"
    )
