"""A reader of the tables in a markdown text, by the rules of GitHub; written for tests, from the rules, not from the writer."""

from __future__ import annotations

import re

RULE = re.compile(r"\|( :?-{3,}:? \|)+")


def tables(text: str) -> list[list[list[str]]]:
    """Read every table outside of fenced blocks: rows of cells, the header first, escapes taken back."""
    found: list[list[list[str]]] = []
    lines = _outside_fences(text)
    for number, line in enumerate(lines):
        if RULE.fullmatch(line):
            body = []
            for following in lines[number + 1 :]:
                if not following.startswith("|"):
                    break
                body.append(cells(following))
            found.append([cells(lines[number - 1]), *body])
    return found


def cells(line: str) -> list[str]:
    """Take a row apart at the pipes that no backslash escapes."""
    parts = [""]
    signs = iter(line)
    for sign in signs:
        if sign == "|":
            parts.append("")
        else:
            parts[-1] += next(signs) if sign == "\\" else sign
    assert parts[0] == parts[-1] == "", f"a row begins and ends with a pipe: {line!r}"
    return [part.strip(" ") for part in parts[1:-1]]


def _outside_fences(text: str) -> list[str]:
    kept, fence = [], ""
    for line in text.split("\n"):
        opening = re.match("`{3,}", line)
        if fence:
            fence = "" if line.strip() == fence else fence
        elif opening:
            fence = opening.group()
        else:
            kept.append(line)
    return kept
