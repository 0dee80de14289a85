"""One row of today for one project, from GitHub's and OpenSSF's APIs.

What lives here: which request answers which figure, and the arithmetic. What it must not know: HTTP beyond
answers, files, which projects there are.
"""

import datetime as dt
import math
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from octet.choose.facts.numbers.api import Answer, Api, LimitedError, OfflineError, RefusedError
from octet.choose.facts.values import Count
from octet.errors import NotFoundError, NotReadyError

YEAR = dt.timedelta(days=365)
ASKED = dt.timedelta(days=90)
"""Over how long what people wrote in is looked at."""

GRACE = dt.timedelta(days=14)
"""What is younger has not had its chance of an answer yet."""

Figure = int | float | bool | None
Json = Mapping[str, Any]


def count(provider: str, repository: str, today: dt.date, github: Api, scorecard: Api) -> Count:
    """Return today's row of one project, owner/name on GitHub; a figure that an API doesn't have is None.

    Raises:
        NotFoundError: there is no such repository.
        LimitedError, OfflineError: as ``Api.get``.
    """
    answer = github.get(f"/repos/{repository}")
    if answer.status != HTTPStatus.OK or not isinstance(answer.body, dict):
        raise NotFoundError(f"{github.base} has no repository {repository} (HTTP {answer.status})")
    midnight = dt.datetime.combine(today, dt.time(), dt.UTC)
    figures: dict[str, Figure] = {
        "stars": answer.body.get("stargazers_count"),
        "forks": answer.body.get("forks_count"),
        "archived": answer.body.get("archived"),
        "contributors": contributors(
            github.get(f"/repos/{repository}/contributors", {"per_page": 1, "anon": "true"})
        ),
        "active-weeks-12m": active_weeks(github, repository),
        "scorecard": score(scorecard, repository),
    }
    for part in (releases, work, responses):
        figures |= part(github, repository, midnight)
    source = f"{github.base}/repos/{repository} and {scorecard.base}".replace("https://", "")
    return Count(provider, today, source, figures)


def contributors(answer: Answer) -> int | None:
    """Return how many pages of one there are: the number of contributors, with those who have no account.

    None where GitHub has too many to list (403); an empty repository (204) has none.
    """
    if answer.status == HTTPStatus.NO_CONTENT:
        return 0
    if answer.status != HTTPStatus.OK:
        return None
    return answer.last or len(answer.body or ())


def score(scorecard: Api, repository: str) -> float | None:
    """Return the OpenSSF Scorecard's total, 0 to 10; None where it isn't scanned (404) or nobody can say."""
    try:
        answer = scorecard.get(f"/projects/github.com/{repository}")
    except NotReadyError:
        return None
    found = answer.body.get("score") if isinstance(answer.body, dict) else None
    return float(found) if answer.status == HTTPStatus.OK and isinstance(found, int | float) else None


def releases(github: Api, repository: str, now: dt.datetime) -> dict[str, Figure]:
    """Return the number of releases of 12 months; drafts and previews are none."""
    found = 0
    try:
        for page in github.pages(f"/repos/{repository}/releases", {"per_page": 100}):
            found += sum(1 for release in page if _released(release, now))
    except RefusedError:
        return {"releases-12m": None}
    return {"releases-12m": found}


def _released(release: Json, now: dt.datetime) -> bool:
    published = _time(release.get("published_at"))
    preview = release.get("draft") or release.get("prerelease")
    return not preview and published is not None and published > now - YEAR


def active_weeks(github: Api, repository: str) -> int | None:
    """Return in how many of the last 52 weeks there was a commit; None while GitHub doesn't know."""
    try:
        answer = github.get(f"/repos/{repository}/stats/participation")
    except (LimitedError, OfflineError):
        raise
    except NotReadyError:
        return None
    weeks = answer.body.get("all") if isinstance(answer.body, dict) else None
    return sum(1 for commits in weeks if commits) if isinstance(weeks, list) else None


def commits(github: Api, repository: str, now: dt.datetime) -> Iterator[Json]:
    """Yield the commits of 12 months, without merges and robots."""
    window: dict[str, str | int] = {"since": _stamp(now - YEAR), "until": _stamp(now), "per_page": 100}
    for page in github.pages(f"/repos/{repository}/commits", window):
        yield from (
            each for each in page if len(each.get("parents", ())) < 2 and not _robot(each.get("author"))
        )


def work(github: Api, repository: str, now: dt.datetime) -> dict[str, Figure]:
    """Return how many commits of 12 months, by how many authors, and how few of them made half.

    An empty repository (409) has none of them.
    """
    try:
        authors = Counter(author for author in map(_author, commits(github, repository, now)) if author)
    except RefusedError as error:
        nothing = 0 if error.status == HTTPStatus.CONFLICT else None
        return {"commits-12m": nothing, "authors-12m": nothing, "bus-factor": None}
    total, half, few = sum(authors.values()), 0, 0
    for made in sorted(authors.values(), reverse=True):
        if 2 * half >= total:
            break
        half, few = half + made, few + 1
    return {"commits-12m": total, "authors-12m": len(authors), "bus-factor": few or None}


def responses(github: Api, repository: str, now: dt.datetime) -> dict[str, Figure]:
    """Return the median hours until somebody else answered, and the share that nobody did.

    Issues and pull requests that people wrote in three months, the last two weeks left out; comments and
    review comments count as answers.
    """
    start, end = now - GRACE - ASKED, now - GRACE
    first: dict[str, dt.datetime] = {}
    try:
        opened = dict(_opened(github, repository, start, end))
        for number, who, when in _said(github, repository, start):
            if number in opened and who != opened[number][0] and when < first.get(number, now):
                first[number] = when
    except RefusedError:
        opened = {}
    if not opened:
        return {"first-response-hours": None, "unanswered": None}
    hours = [
        (first[number] - when).total_seconds() / 3600 if number in first else math.inf
        for number, (_, when) in opened.items()
    ]
    median = statistics.median(hours)
    share = 1 - len(first) / len(opened)
    return {
        "first-response-hours": round(median, 1) if math.isfinite(median) else None,
        "unanswered": round(share, 3),
    }


def _opened(
    github: Api, repository: str, start: dt.datetime, end: dt.datetime
) -> Iterator[tuple[str, tuple[str, dt.datetime]]]:
    """Yield number, author and day of what people wrote in, newest first."""
    newest: dict[str, str | int] = {
        "state": "all",
        "sort": "created",
        "direction": "desc",
        "since": _stamp(start),
        "per_page": 100,
    }
    for page in github.pages(f"/repos/{repository}/issues", newest):
        for item in page:
            when = _time(item.get("created_at"))
            if when is None or when < start:
                return
            if when <= end and not _robot(item.get("user")):
                yield str(item["number"]), (_login(item), when)


def _said(github: Api, repository: str, start: dt.datetime) -> Iterator[tuple[str, str, dt.datetime]]:
    """Yield number, author and moment of every comment by a person, on issues and on changes."""
    oldest: dict[str, str | int] = {
        "sort": "created",
        "direction": "asc",
        "since": _stamp(start),
        "per_page": 100,
    }
    for kind in ("issues", "pulls"):
        for page in github.pages(f"/repos/{repository}/{kind}/comments", oldest):
            for comment in page:
                when = _time(comment.get("created_at"))
                about = comment.get("issue_url") or comment.get("pull_request_url") or ""
                if when is not None and not _robot(comment.get("user")):
                    yield about.rpartition("/")[2], _login(comment), when


def _author(commit: Json) -> str:
    """Return who wrote a commit: the account, or without one the name, in lower case."""
    account = commit.get("author") or {}
    written = (commit.get("commit") or {}).get("author") or {}
    name = str(written.get("name") or written.get("email") or "")
    return str(account.get("login") or ("" if name.endswith("[bot]") else name)).lower()


def _robot(user: Any) -> bool:
    if not isinstance(user, dict):
        return False
    return user.get("type") == "Bot" or str(user.get("login", "")).endswith("[bot]")


def _login(item: Json) -> str:
    return str((item.get("user") or {}).get("login") or "")


def _time(text: Any) -> dt.datetime | None:
    """Return a moment as GitHub writes it (ISO 8601, UTC)."""
    try:
        return dt.datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _stamp(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
