"""The one issue of a nightly check: opened on a confirmed regression, kept current, closed when all it names has recovered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_

from servermatrix.publish.cells import Named, digits_of, line, read
from servermatrix.publish.failure import NotPublished
from servermatrix.publish.rest import Api, Document, Refused

# GitHub takes 65,536; the hidden list of cells has up to 9,000 besides.
BODY_CHARACTERS = 55_000
TITLE_CHARACTERS = 250  # GitHub takes 256
CUT = "\n\nThe rest does not fit into an issue: see the run of the workflow.\n"
# As whom a job's own token writes.
BOT = "github-actions[bot]"
MOST_SAID = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Tonight:
    """What a night means for the issue: the cells by their pairs, and the texts.

    `name` tells several nightly checks of one repository apart. `regressed` are confirmed. `recovered` are those that were
    measured and found as good as the baseline or better. `doubts` are the others that were measured, each with what keeps it from
    being either; a cell that is nowhere was not measured. A night that is `unsound`, for the reason given, changes nothing.
    """

    name: str
    unsound: str
    regressed: tuple[str, ...]
    recovered: frozenset[str]
    doubts: Mapping[str, str]
    title: str
    body: str
    run_url: str = ""

    @property
    def settled(self) -> bool:
        """Tell whether every cell is as good as the baseline."""
        return bool(self.recovered) and not self.doubts and not self.regressed

    @property
    def pairs(self) -> tuple[str, ...]:
        """Name all cells that were measured."""
        return (*self.regressed, *self.doubts, *sorted(self.recovered))


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """An open issue that is ours, and the cells that it names."""

    number: int
    url: str
    named: Named


def marker(name: str) -> str:
    """Return the hidden first line by which our issue is known."""
    return f"<!-- servermatrix nightly: {_hidden(' '.join(name.split()))} -->"


def follow(api: Api, repository: str, tonight: Tonight) -> tuple[str, str]:
    """Do what the night asks for; return what was done in a sentence, and the address of the issue, empty for none.

    Raises NotPublished.
    """
    if tonight.unsound:
        return f"{tonight.unsound}: no issue is opened or closed", ""
    ours = _find(api, repository, tonight.name)
    if tonight.regressed:
        return _update(api, repository, tonight, ours[0]) if ours else _open(api, repository, tonight)
    if not ours:
        return "nothing regressed, and no issue of this check is open", ""
    named = reduce(or_, (issue.named for issue in ours))
    if doubt := _doubt(tonight, named):
        return f"{ours[0].url} stays open: {doubt}", ours[0].url
    for issue in ours:
        _close(api, repository, tonight, issue, _ended(tonight, named))
    return f"closed {ours[0].url}: {_ended(tonight, named)}", ours[0].url


def _doubt(tonight: Tonight, named: Named) -> str:
    """Say what keeps the issue open; empty when all has recovered that it names and that is still measured."""
    if named.all_of_them and not tonight.settled:
        return "which cells it names cannot be read, and not every cell is known to be as good as the baseline"
    found = [f"{pair} {why}" for pair, why in tonight.doubts.items() if named.has(pair)]
    more = f" and {len(found) - MOST_SAID} more" if len(found) > MOST_SAID else ""
    return "; ".join(found[:MOST_SAID]) + more


def _ended(tonight: Tonight, named: Named) -> str:
    """Say why the issue is closed: of digits alone nobody can tell the names of those that are not measured any more."""
    lost = named.beyond(tonight.pairs)
    gone = f"{lost} {'cell' if lost == 1 else 'cells'} that it named {'is' if lost == 1 else 'are'} no longer measured"
    if lost and lost == len(named.digits):
        return gone
    return f"no cell that it named is worse than the baseline any more{f', and {gone}' if lost else ''}"


def _find(api: Api, repository: str, name: str) -> list[Issue]:
    """List our open issues, the oldest first: pull requests are among GitHub's issues, and anybody may copy our first line."""
    first_line = marker(name)
    listed = api.pages(f"/repos/{repository}/issues?state=open&per_page=100")
    alike = [entry for entry in listed if "pull_request" not in entry and _lines(entry)[0] == first_line]
    who = _writer(api) if alike else ""
    return sorted((_read(entry) for entry in alike if _author(entry) == who), key=lambda issue: issue.number)


def _writer(api: Api) -> str:
    """Return as whom we write: GitHub tells it for the token of a person, and refuses to for that of a job."""
    try:
        return str(api.get("/user").get("login") or BOT)
    except Refused as refusal:
        if refusal.status in (403, 404):
            return BOT
        raise


def _author(entry: Document) -> str:
    """Return who wrote an issue, empty where that is not said; nobody but the bot itself can have the bot's name and type."""
    user = entry.get("user")
    login = str(user.get("login") or "") if isinstance(user, dict) else ""
    return "" if login == BOT and isinstance(user, dict) and user.get("type") != "Bot" else login


def _lines(entry: Document) -> list[str]:
    return str(entry.get("body") or "").splitlines() or [""]


def _read(entry: Document) -> Issue:
    number, url = entry.get("number"), entry.get("html_url")
    if not isinstance(number, int) or not isinstance(url, str):
        raise NotPublished("GitHub lists an issue without number or address")
    return Issue(number=number, url=url, named=read(_lines(entry)))


def _open(api: Api, repository: str, tonight: Tonight) -> tuple[str, str]:
    body = _text(tonight, tonight.regressed)
    opened = _read(api.send("POST", f"/repos/{repository}/issues", {"title": tonight.title[:TITLE_CHARACTERS], "body": body}))
    return f"opened {opened.url}", opened.url


def _update(api: Api, repository: str, tonight: Tonight, issue: Issue) -> tuple[str, str]:
    """Bring the issue up to date; a comment, which sends mail, only where other cells regressed than those it names."""
    kept = [pair for pair in tonight.doubts if digits_of(pair) in issue.named.digits]
    new = [pair for pair in tonight.regressed if not issue.named.has(pair)]
    path = f"/repos/{repository}/issues/{issue.number}"
    api.send("PATCH", path, {"title": tonight.title[:TITLE_CHARACTERS], "body": _text(tonight, (*tonight.regressed, *kept))})
    if new:
        said = "".join(f"\n- `{pair}`" for pair in new)
        api.send("POST", f"{path}/comments", {"body": _cut(f"Regressed besides:\n{said}{_link(tonight)}")})
    lost = issue.named.beyond(tonight.pairs)
    return f"updated {issue.url}" + (f"; {lost} of the cells that it named are no longer measured" if lost else ""), issue.url


def _close(api: Api, repository: str, tonight: Tonight, issue: Issue, why: str) -> None:
    path = f"/repos/{repository}/issues/{issue.number}"
    api.send("POST", f"{path}/comments", {"body": f"Closed: {why}.{_link(tonight)}"})
    api.send("PATCH", path, {"state": "closed", "state_reason": "completed"})


def _text(tonight: Tonight, named: tuple[str, ...]) -> str:
    head = f"{marker(tonight.name)}\n{line(named)}\n\n"
    return head + _cut(f"{tonight.body.rstrip()}{_link(tonight)}")


def _link(tonight: Tonight) -> str:
    return f"\n\n[The run of the workflow]({tonight.run_url}) has the rest.\n" if tonight.run_url else "\n"


def _cut(text: str) -> str:
    if len(text) <= BODY_CHARACTERS:
        return text
    kept = text[: BODY_CHARACTERS - len(CUT)]
    return kept[: kept.rfind("\n")] + CUT


def _hidden(text: str) -> str:
    """Write a text so that it cannot end the comment it stands in; two texts never become one."""
    return text.replace("-", "\\u002d").replace(">", "\\u003e").replace("<", "\\u003c")
