"""A web API on loopback that answers as GitHub's and OpenSSF's documentation says, and can be out of sorts.

Shapes: docs.github.com, REST API (repositories, statistics, commits, issues, releases; "Rate limits", "Using
pagination", "Best practices: conditional requests"), and api.scorecard.dev.
"""

import datetime as dt
import hashlib
import json
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

TODAY = dt.date(2026, 11, 26)
NOW = dt.datetime.combine(TODAY, dt.time(), dt.UTC)
REPOSITORY = "acme/net"


def ago(days: float) -> str:
    return (NOW - dt.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def user(login: str, kind: str = "User") -> dict[str, Any]:
    return {"login": login, "id": 1, "type": kind}


def commit(login: str | None, name: str = "", parents: int = 1, kind: str = "User") -> dict[str, Any]:
    return {
        "sha": hashlib.sha256(f"{login}{name}".encode()).hexdigest(),
        "commit": {"author": {"name": name or login, "email": "a@example.org", "date": ago(3)}},
        "author": user(login, kind) if login else None,
        "parents": [{"sha": "0"}] * parents,
    }


def issue(number: int, login: str, days: float, kind: str = "User") -> dict[str, Any]:
    return {"number": number, "user": user(login, kind), "created_at": ago(days), "comments": 1}


def comment(number: int, login: str, days: float, kind: str = "User", on: str = "issue") -> dict[str, Any]:
    place = {"issue": "issues", "pull_request": "pulls"}[on]
    address = f"http://forge/repos/{REPOSITORY}/{place}/{number}"
    return {"user": user(login, kind), "created_at": ago(days), f"{on}_url": address}


@dataclass
class Reply:
    """What the server says once, instead of the usual."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    only: str = ""


@dataclass
class Forge:
    """A server with one repository.

    Attributes:
        lists: by path below the repository, the items that come in pages.
        objects: by path below the repository, what is answered whole.
        moods: replies that are given first, each to the next request whose path contains its ``only``.
        seen: method, path with query, and headers of each request.
        etags: does it send ETags?
    """

    lists: dict[str, list[Any]] = field(default_factory=dict)
    objects: dict[str, Any] = field(default_factory=dict)
    score: Any = None
    moods: deque[Reply] = field(default_factory=deque)
    seen: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    etags: bool = True
    page: int = 100
    server: ThreadingHTTPServer | None = None

    @property
    def base(self) -> str:
        assert self.server is not None
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def start(self) -> None:
        forge = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                forge.seen.append((self.path, dict(self.headers)))
                reply = forge.answer(self.path, self.headers.get("If-None-Match", ""))
                body = b"" if reply.status in {204, 304} else json.dumps(reply.body).encode()
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()

    def stop(self) -> None:
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()

    def answer(self, path: str, known: str) -> Reply:
        for mood in list(self.moods):
            if mood.only in path:
                self.moods.remove(mood)
                return mood
        reply = self.usual(path)
        if not self.etags or reply.status != 200:
            return reply
        etag = f'W/"{hashlib.sha256(json.dumps(reply.body).encode()).hexdigest()}"'
        if etag == known:
            return Reply(304, {"ETag": etag})
        return Reply(reply.status, {**reply.headers, "ETag": etag}, reply.body)

    def usual(self, path: str) -> Reply:
        split = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(split.query).items()}
        if split.path.startswith("/projects/"):
            return (
                Reply(404, {}, {"code": 404}) if self.score is None else Reply(200, {}, {"score": self.score})
            )
        below = split.path.removeprefix(f"/repos/{REPOSITORY}")
        if below == split.path:
            return Reply(404, {}, {"message": "Not Found"})
        if below in self.objects:
            return Reply(200, {}, self.objects[below])
        if below in self.lists:
            return self.paged(split.path, query, self.lists[below])
        return Reply(404, {}, {"message": "Not Found"})

    def paged(self, path: str, query: dict[str, str], items: list[Any]) -> Reply:
        size, number = min(int(query.get("per_page", "30")), self.page), int(query.get("page", "1"))
        last = max(1, -(-len(items) // size))
        links = []
        if number < last:
            for relation, page in (("next", number + 1), ("last", last)):
                address = f"{self.base}{path}?{urlencode({**query, 'page': page})}"
                links.append(f'<{address}>; rel="{relation}"')
        headers = {"Link": ", ".join(links)} if links else {}
        return Reply(200, headers, items[(number - 1) * size : number * size])

    def asked(self, part: str) -> list[str]:
        """Return the paths of requests that contain a text."""
        return [path for path, _ in self.seen if part in path]


def lively() -> Forge:
    """Return a server (not started) whose repository lives: figures in the tests count on its numbers."""
    people = [commit("ann")] * 6 + [commit("bob")] * 3 + [commit(None, "Carol C")] * 2 + [commit("dan")]
    merges = [commit("ann", parents=2)] * 4
    robots = [commit("renovate[bot]", kind="Bot")] * 9 + [commit(None, "ci[bot]")] * 5
    return Forge(
        lists={
            "/contributors": [user(f"c{number}") for number in range(42)],
            "/releases": [
                {"published_at": ago(10), "draft": False, "prerelease": False},
                {"published_at": ago(200), "draft": False, "prerelease": False},
                {"published_at": ago(20), "draft": False, "prerelease": True},
                {"published_at": None, "draft": True, "prerelease": False},
                {"published_at": ago(400), "draft": False, "prerelease": False},
            ],
            "/commits": people + merges + robots,
            "/issues": [
                issue(9, "eve", 2),
                issue(8, "eve", 30),
                issue(7, "mia", 40),
                issue(6, "dependabot[bot]", 41, "Bot"),
                issue(5, "eve", 50),
                issue(4, "eve", 60),
                issue(3, "eve", 150),
            ],
            "/issues/comments": [
                comment(8, "eve", 29.9),
                comment(8, "stale[bot]", 29.8, "Bot"),
                comment(8, "ann", 29),
                comment(5, "bob", 49.75),
                comment(3, "bob", 99),
            ],
            "/pulls/comments": [comment(7, "ann", 39.5, on="pull_request")],
        },
        objects={
            "": {"stargazers_count": 1234, "forks_count": 56, "archived": False, "full_name": REPOSITORY},
            "/stats/participation": {"all": [0, 3] * 26, "owner": [0] * 52},
        },
        score=7.3,
    )
