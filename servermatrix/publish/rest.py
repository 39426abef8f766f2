"""GitHub's REST API as far as it is needed here: pages of a list, one request with a body; bounded in time and in attempts."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPException
from urllib.parse import urljoin, urlsplit

from servermatrix import __version__
from servermatrix.publish.failure import NotPublished, may_carry_token, one_line

LIMIT_S = 20.0
ATTEMPTS = 3
LONGEST_WAIT_S = 30.0
MOST_PAGES = 100
MOST_BYTES = 20_000_000
MOST_REDIRECTS = 3
REDIRECTS = frozenset({301, 302, 307, 308})
TIPS = {
    401: "the token is not valid",
    403: "give the job `permissions: issues: write`",
    404: "the token may not see this repository, or it has no issues",
    410: "issues are turned off in this repository",
}

Document = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: the status, the headers and the text of the body."""

    status: int
    headers: Message
    text: str


class _Lost(Exception):
    """No answer came; `sent` tells whether the request may have been carried out all the same."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


class Refused(NotPublished):
    """GitHub answered, and it was a refusal; `status` is that of HTTP."""

    def __init__(self, message: str, status: int) -> None:
        """Keep the sentence and the status."""
        super().__init__(message)
        self.status = status


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows nothing: urllib would take the token along to any other host."""

    def redirect_request(self, *_: object) -> None:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The API at `root` with a token; `pause` waits some seconds between attempts."""

    root: str
    token: str = field(repr=False)
    limit_s: float = LIMIT_S
    pause: Callable[[float], None] = time.sleep

    def pages(self, path: str) -> Iterator[Document]:
        """Yield all entries of a list, page by page as the Link header leads; raises NotPublished."""
        address = f"{self.root}{path}"
        for _ in range(MOST_PAGES):
            answer = self._answered("GET", address, None)
            entries = self._parsed(answer, address)
            if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
                raise NotPublished(f"GitHub's answer to GET {path} is no list of objects")
            yield from entries
            if not (onward := next_page(answer.headers.get("Link", ""), address)):
                return
            if not same_server(onward, address):
                raise NotPublished(f"the next page of GitHub's list {path} is on another server; that is not followed")
            address = onward
        raise NotPublished(f"GitHub's list {path} has more than {MOST_PAGES} pages")

    def get(self, path: str) -> Document:
        """Return one document; raises NotPublished, Refused where GitHub says no."""
        return self._object("GET", path, None)

    def send(self, method: str, path: str, body: Document) -> Document:
        """Send a document and return the one that came back; raises NotPublished, Refused where GitHub says no."""
        return self._object(method, path, json.dumps(body).encode())

    def _object(self, method: str, path: str, body: bytes | None) -> Document:
        address = f"{self.root}{path}"
        found = self._parsed(self._answered(method, address, body), address)
        if not isinstance(found, dict):
            raise NotPublished(f"GitHub's answer to {method} {path} is no object")
        return found

    def _parsed(self, answer: Answer, address: str) -> object:
        try:
            return json.loads(answer.text)
        except (ValueError, RecursionError) as error:
            raise NotPublished(f"what answered at {urlsplit(address).netloc} sent no JSON, so it is not GitHub's API") from error

    def _answered(self, method: str, address: str, body: bytes | None) -> Answer:
        """Ask until there is an answer, along redirects within the same server."""
        for _ in range(MOST_REDIRECTS + 1):
            answer = self._tried(method, address, body)
            if answer.status not in REDIRECTS:
                return self._fine(answer, method, address)
            onward = urljoin(address, answer.headers.get("Location", ""))
            if not same_server(onward, address):
                raise NotPublished(f"GitHub redirects {method} {urlsplit(address).path} to another server; that is not followed")
            address = onward
        raise NotPublished(f"GitHub redirects {method} {urlsplit(address).path} more than {MOST_REDIRECTS} times")

    def _fine(self, answer: Answer, method: str, address: str) -> Answer:
        if 200 <= answer.status < 300:  # noqa: PLR2004 - RFC 9110
            return answer
        said = one_line(_message(answer.text), self.token)
        tip = f" ({TIPS[answer.status]})" if answer.status in TIPS and not is_limited(answer) else ""
        raise Refused(f"GitHub answered {answer.status} to {method} {urlsplit(address).path}: {said}{tip}", answer.status)

    def _tried(self, method: str, address: str, body: bytes | None) -> Answer:
        """Ask a bounded number of times; what may have been carried out and must not be twice is not asked again."""
        repeatable = method != "POST"
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = self._once(method, address, body)
            except _Lost as lost:
                if attempt == ATTEMPTS or (lost.sent and not repeatable):
                    raise NotPublished(f"no answer from {urlsplit(address).netloc}: {one_line(str(lost), self.token)}") from lost
                self.pause(2.0 ** (attempt - 1))
                continue
            wait_s = pause_before_next(answer, attempt, time.time(), repeatable=repeatable)
            if wait_s is None or attempt == ATTEMPTS:
                return answer
            self.pause(wait_s)
        raise AssertionError("the last attempt returns or raises")

    def _once(self, method: str, address: str, body: bytes | None) -> Answer:
        if not may_carry_token(address):
            raise NotPublished(f"the token is not sent to {one_line(address)}: that is not https")
        request = urllib.request.Request(address, data=body, method=method, headers=self._headers())  # noqa: S310 - looked at above
        opener = urllib.request.build_opener(_Stay())
        try:
            with opener.open(request, timeout=self.limit_s) as response:
                return Answer(status=response.status, headers=response.headers, text=_text(response.read(MOST_BYTES)))
        except urllib.error.HTTPError as refusal:
            with refusal:
                return Answer(status=refusal.code, headers=refusal.headers, text=_text(refusal.read(MOST_BYTES)))
        except urllib.error.URLError as error:
            raise _Lost(str(error.reason), sent=isinstance(error.reason, TimeoutError)) from error
        except (OSError, HTTPException) as error:
            raise _Lost(str(error) or type(error).__name__, sent=True) from error

    def _headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/vnd.github+json",
            "Content-Type": "application/json",
            "X-GitHub-Api-Version": "2022-11-28",
            "User-Agent": f"servermatrix/{__version__}",
        }


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def _message(text: str) -> str:
    """Return what GitHub says in `message`, else the text itself."""
    said: object = text
    with suppress(ValueError, RecursionError):
        found = json.loads(text)
        said = found.get("message") if isinstance(found, dict) else text
    return str(said or "no reason given")


def same_server(one: str, other: str) -> bool:
    """Tell whether two addresses have scheme, host and port in common."""
    try:
        return urlsplit(one)[:2] == urlsplit(other)[:2]
    except ValueError:
        return False


def next_page(link: str, here: str) -> str:
    """Return the address of the next page from a Link header, RFC 8288; empty on the last one."""
    for address, parameters in re.findall(r"<([^>]*)>([^<]*)", link):
        if re.search(r';\s*rel="?next"?', parameters):
            onward: str = urljoin(here, address)
            return onward
    return ""


def is_limited(answer: Answer) -> bool:
    """Tell whether we asked too much: 403 or 429 with the headers that GitHub's reference names (`Rate limits`)."""
    used_up = answer.headers.get("x-ratelimit-remaining") == "0"
    return answer.status == 429 or (answer.status == 403 and (used_up or "retry-after" in answer.headers))  # noqa: PLR2004


def pause_before_next(answer: Answer, attempt: int, now_s: float, *, repeatable: bool) -> float | None:
    """Return how many seconds to wait before the same is asked again; None when it is not, or not soon enough."""
    if is_limited(answer):
        wait_s = _limit_ends_in_s(answer.headers, now_s)
        return wait_s if wait_s <= LONGEST_WAIT_S else None
    if answer.status >= 500 and repeatable:  # noqa: PLR2004 - RFC 9110
        return float(2 ** (attempt - 1))
    return None


def _limit_ends_in_s(headers: Message, now_s: float) -> float:
    after, reset = headers.get("retry-after", ""), headers.get("x-ratelimit-reset", "")
    if after.isdecimal():
        return float(after)
    if headers.get("x-ratelimit-remaining") == "0" and reset.isdecimal():
        return max(0.0, float(reset) - now_s) + 1
    return LONGEST_WAIT_S
