"""Environment variables of an app: as they are typed, as files hold them, and as a resumed run needs them again."""

from __future__ import annotations

from pathlib import Path

import pytest

from servermatrix.config.environment import given_again, joined, read_env_file, read_variable
from servermatrix.errors import ConfigProblems, UsageProblem


def read(folder: Path, text: str) -> dict[str, str]:
    file = folder / ".env"
    file.write_text(text, encoding="utf-8")
    return dict(read_env_file(file))


def test_a_variable_is_typed_with_its_value_or_taken_from_here() -> None:
    assert read_variable("A=b=c", {}) == ("A", "b=c")
    assert read_variable("A=", {"A": "here"}) == ("A", "")
    assert read_variable("A", {"A": "here"}) == ("A", "here")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1A=hunter2", "'1A' is no name of an environment variable"),
        ("=hunter2", "'' is no name of an environment variable"),
        ("A B=hunter2", "'A B' is no name"),
        ("A=hunter2\0", "the value of A cannot be given to a program"),
        ("A=hunter2\udce9", "the value of A cannot be given to a program"),
        ("NOT_HERE", "NOT_HERE has no value, and is not set here either; write NOT_HERE=VALUE"),
        ("UVICORN_LOOP=hunter2", "UVICORN_LOOP would change what a server does behind its label"),
        ("GUNICORN_CMD_ARGS=hunter2", "GUNICORN_CMD_ARGS would change"),
        ("GRANIAN_THREADS=hunter2", "GRANIAN_THREADS would change"),
    ],
)
def test_what_cannot_be_given_is_refused_and_its_value_is_not_told(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=r".*") as caught:
        read_variable(text, {})
    assert sentence in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("  export A = b c  ", "b c"),
        ("A=b # why", "b"),
        ("A=b#c", "b#c"),
        ("A=", ""),
        ("A= # nothing", ""),
        ("A='b # c'", "b # c"),
        ("A='b\\n'  # why", "b\\n"),
        ('A="b\\n\\"c\\" # d"', 'b\n"c" # d'),
        ("A=postgres://u:p@h/d?x=1", "postgres://u:p@h/d?x=1"),
        ("A=$HOME/x", "$HOME/x"),
        ("A=é", "é"),
    ],
)
def test_a_line_of_a_file_is_read_as_such_files_are_written(tmp_path: Path, line: str, value: str) -> None:
    assert read(tmp_path, f"\ufeff# a comment\n\n{line}\n") == {"A": value}


def test_of_two_lines_of_one_name_the_later_wins(tmp_path: Path) -> None:
    assert read(tmp_path, "A=1\nB=2\nA=3\n") == {"A": "3", "B": "2"}


def test_all_wrong_lines_are_told_at_once_and_none_of_their_values(tmp_path: Path) -> None:
    with pytest.raises(ConfigProblems) as caught:
        read(tmp_path, 'A=fine\nhunter2\nB=\'hunter2\nC="hunter2" more\n2D=hunter2\nUVICORN_X=hunter2\n')
    said = caught.value.message.replace(f"{tmp_path}/", "").splitlines()
    assert said == [
        ".env:2: is not of the form NAME=VALUE",
        ".env:3: the quotes of B are not closed, or something follows them",
        ".env:4: the quotes of C are not closed, or something follows them",
        ".env:5: '2D' is no name of an environment variable; write NAME=VALUE",
        ".env:6: UVICORN_X would change what a server does behind its label; choose its options with -s",
    ]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"none cannot be read: No such file"):
        read_env_file(tmp_path / "none")
    (tmp_path / "latin").write_bytes(b"A=\xe9\n")
    with pytest.raises(UsageProblem, match="latin is not UTF-8 text"):
        read_env_file(tmp_path / "latin")


def test_what_was_typed_wins_over_the_later_file_and_that_over_the_earlier() -> None:
    found = joined([(("B", "1"), ("C", "1"), ("D", "1")), (("C", "2"), ("D", "2"))], (("D", "3"), ("A", "3")))
    assert found == (("A", "3"), ("B", "1"), ("C", "2"), ("D", "3"))


def test_a_run_that_goes_on_gets_the_values_of_the_names_it_was_begun_with() -> None:
    assert given_again(["B", "A"], (("A", "1"), ("B", "2"))) == (("B", "2"), ("A", "1"))
    assert given_again([], ()) == ()


def test_a_run_does_not_go_on_with_other_variables_than_it_was_begun_with() -> None:
    with pytest.raises(UsageProblem, match=r"whose values are not stored: B, C$") as caught:
        given_again(["A", "B", "C"], (("A", "1"),))
    assert "--env NAME=VALUE" in caught.value.tip
    with pytest.raises(UsageProblem, match="begun without the environment variables X, Y"):
        given_again(["A"], (("A", "1"), ("X", "hunter2"), ("Y", "")))
