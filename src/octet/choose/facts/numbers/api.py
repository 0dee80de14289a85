"""Asking a web API politely: conditional requests, a cache on disk, limits obeyed, interruptions survived.

What lives here: one request after another, to one API, with its answers kept.
What it must not know: what an answer means, projects, counts.
"""

import hashlib
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import msgspec

from octet import __version__
from octet.choose.facts.numbers.keeping import replace
from octet.errors import BadConfigurationError, NotFoundError, NotReadyError

LOOPBACK = {"127.0.0.1", "::1", "localhost"}
SECONDARY = 60.0
"""Seconds to wait after a refusal that doesn't say how long (GitHub: "wait for at least one minute")."""

REFUSALS = 3
"""How often one request may be refused because of a limit before we leave off."""

STILL_COUNTING = 5
"""How often to ask again for a statistic that GitHub is still working out (202)."""

FAULTS = 2
"""How often to ask again after a server's fault (5xx) or a broken connection."""

TIMEOUT = 30.0


class OfflineError(NotReadyError):
    """The API can't be reached from here, or is at fault: nothing was learned."""


class LimitedError(NotReadyError):
    """The API has had enough of us until a moment that is too far away."""


class RefusedError(NotFoundError):
    """The API doesn't have a list, or won't show it.

    Attributes:
        status: HTTP's.
    """

    def __init__(self, address: str, status: int) -> None:
        super().__init__(f"{address} answers {status}")
        self.status = status


class Answer(msgspec.Struct, frozen=True):
    """What an API said, as it is kept.

    Attributes:
        run: the run in which it was last known to be true.
        last: the number of the last page, as the Link header says; 0 for none.
        next: the address of the next page; empty for none.
    """

    status: int
    body: Any = None
    etag: str = ""
    next: str = ""
    last: int = 0
    run: str = ""


@dataclass(slots=True)
class Api:
    """One web API.

    Attributes:
        base: its address, without a slash at the end; https, or http on this machine itself.
        cache: directory of its answers.
        run: a name of this run. Answers of the same run are not asked for again, so that an interrupted run
            goes on where it was.
        token: sent to this API only, never written down, logged or shown; empty for none.
        patience: the longest that it waits for a limit, in seconds.
        clock, sleep: the time of day in seconds since 1970, and waiting.
    """

    base: str
    cache: Path
    run: str
    token: str = field(default="", repr=False)
    patience: float = SECONDARY
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    http: httpx.Client = field(init=False, repr=False)
    asked: int = field(default=0, init=False)
    _closed_until: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        url = httpx.URL(self.base)
        if url.scheme != "https" and not (url.scheme == "http" and url.host in LOOPBACK):
            hint = "an https address; http only on this machine"
            raise BadConfigurationError("octet facts refresh", "base", self.base, "is not safe", hint=hint)
        headers = {
            "User-Agent": f"octet/{__version__}",
            "Accept": "application/vnd.github+json, application/json",
        }
        self.http = httpx.Client(timeout=TIMEOUT, follow_redirects=True, headers=headers, verify=_trust())

    def get(self, path: str, params: Mapping[str, str | int] | None = None) -> Answer:
        """Return the answer to one request; what isn't there (204, 404, 409, 451) comes back as such.

        Raises:
            LimitedError: a limit lasts longer than our patience.
            OfflineError: no answer, or only faults.
            BadConfigurationError: the token isn't valid.
            NotReadyError: a statistic is still being worked out after several requests (202).
        """
        return self._ask(str(httpx.URL(self.base + path, params=params or None)))

    def pages(self, path: str, params: Mapping[str, str | int]) -> Iterator[Any]:
        """Yield the bodies of all pages, one by one, as their Link headers lead.

        Raises:
            RefusedError: there is no such list, or a page of it is missing: half a list counts nothing.
            LimitedError, OfflineError, NotReadyError: as ``get``.
        """
        answer = self.get(path, params)
        while True:
            if answer.status != HTTPStatus.OK or not isinstance(answer.body, list):
                raise RefusedError(self.base + path, answer.status)
            yield answer.body
            if not answer.next:
                return
            if _origin(answer.next) != _origin(self.base):
                raise RefusedError(f"{self.base}{path} goes on elsewhere, and", answer.status)
            answer = self._ask(answer.next)

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def _ask(self, url: str) -> Answer:
        kept = self._kept(url)
        if kept is not None and kept.run == self.run:
            return kept
        counting = faults = refused = 0
        while True:
            response = self._send(url, kept)
            if response is None or response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                faults += 1
                if faults > FAULTS:
                    raise OfflineError(f"{self.base} gives no answer")
                self.sleep(2.0**faults)
            elif response.status_code == HTTPStatus.ACCEPTED:
                counting += 1
                if counting > STILL_COUNTING:
                    raise NotReadyError(f"{httpx.URL(url).path} is still being worked out")
                self.sleep(2.0**counting)
            elif response.status_code == HTTPStatus.UNAUTHORIZED:
                problem, hint = f"is refused by {self.base}", "one that is valid, or none"
                raise BadConfigurationError("environment", "GITHUB_TOKEN", "(not shown)", problem, hint=hint)
            elif not _limited(response):
                return self._keep(url, response, kept)
            else:
                refused += 1
                self._close(response, refused)

    def _send(self, url: str, kept: Answer | None) -> httpx.Response | None:
        """Send one request when the API's limit allows; None for a broken connection."""
        self._wait(self._closed_until - self.clock())
        headers = {"If-None-Match": kept.etag} if kept is not None and kept.etag else {}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        self.asked += 1
        try:
            response = self.http.get(url, headers=headers)
        except httpx.ConnectError as error:
            raise OfflineError(f"{self.base} can't be reached from here ({error})") from error
        except (httpx.TransportError, httpx.TooManyRedirects):
            return None
        if response.headers.get("x-ratelimit-remaining") == "0":
            self._closed_until = _number(response, "x-ratelimit-reset")
        return response

    def _close(self, response: httpx.Response, refused: int) -> None:
        """Note until when the API wants no request: as it says, else a minute, longer each time."""
        if "retry-after" in response.headers:
            self._closed_until = self.clock() + _number(response, "retry-after")
        elif response.headers.get("x-ratelimit-remaining") != "0":
            self._closed_until = self.clock() + SECONDARY * 2.0 ** (refused - 1)
        if refused > REFUSALS:
            raise LimitedError(f"{self.base} refuses us again and again", hint="run it again later")
        self._closed_until = max(self._closed_until, self.clock() + 1)

    def _wait(self, seconds: float) -> None:
        if seconds <= 0:
            return
        if seconds > self.patience:
            until = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(self.clock() + seconds))
            hint = "run it again then: what is done stays done; with GITHUB_TOKEN set the limit is higher"
            raise LimitedError(f"{self.base} answers again at {until}", hint=hint)
        self.sleep(seconds)

    def _keep(self, url: str, response: httpx.Response, kept: Answer | None) -> Answer:
        if response.status_code == HTTPStatus.NOT_MODIFIED and kept is not None:
            answer = msgspec.structs.replace(kept, run=self.run)
        else:
            links = response.links
            answer = Answer(
                status=response.status_code,
                body=_body(response),
                etag=response.headers.get("etag", ""),
                next=links.get("next", {}).get("url", ""),
                last=int(httpx.URL(links["last"]["url"]).params.get("page", 0)) if "last" in links else 0,
                run=self.run,
            )
        replace(self._place(url), msgspec.json.encode(answer))
        return answer

    def _kept(self, url: str) -> Answer | None:
        try:
            return msgspec.json.decode(self._place(url).read_bytes(), type=Answer)
        except (OSError, msgspec.MsgspecError):
            return None

    def _place(self, url: str) -> Path:
        return self.cache / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.json"


@cache
def _trust() -> ssl.SSLContext:
    """Return whom we believe, once: reading all certificates takes longer than a request on loopback."""
    return httpx.create_ssl_context()


def _limited(response: httpx.Response) -> bool:
    """Is it a refusal because of a limit, and not because of what was asked for?"""
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        return True
    spent = response.headers.get("x-ratelimit-remaining") == "0" or "retry-after" in response.headers
    return response.status_code == HTTPStatus.FORBIDDEN and (spent or "rate limit" in response.text.lower())


def _origin(address: str) -> tuple[str, str, int | None]:
    url = httpx.URL(address)
    return url.scheme, url.host, url.port


def _body(response: httpx.Response) -> Any:
    """Return the JSON of an answer; None where it has none that can be read."""
    try:
        return msgspec.json.decode(response.content)
    except msgspec.MsgspecError:
        return None


def _number(response: httpx.Response, header: str) -> float:
    """Return a header's number of seconds; one that can't be read asks for the usual minute."""
    try:
        return float(response.headers.get(header, ""))
    except ValueError:
        return SECONDARY
