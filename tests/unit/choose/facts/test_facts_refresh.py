import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fake_forge import NOW, REPOSITORY, TODAY, Forge, Reply, commit, lively
from octet.choose.facts.numbers import counting, keeping, refreshing
from octet.choose.facts.numbers.api import Api, LimitedError, OfflineError, RefusedError
from octet.choose.facts.numbers.refreshing import Project
from octet.errors import BadConfigurationError, NotFoundError, NotReadyError

BEARER = "not-for-your-eyes"
NET = Project("net", REPOSITORY)


class Bench:
    """A client whose clock is wound by its waiting."""

    def __init__(self, forge: Forge, cache: Path) -> None:
        self.forge, self.cache, self.slept, self.now = forge, cache, [], NOW.timestamp()
        self.made: list[Api] = []

    def api(self, run: str = "1", **more: Any) -> Api:
        made = Api(
            more.pop("base", self.forge.base),
            self.cache,
            run,
            clock=lambda: self.now,
            sleep=self.sleep,
            **more,
        )
        self.made.append(made)
        return made

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def bench(forge: Forge, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(forge, tmp_path / "cache")
    yield made
    for api in made.made:
        api.close()


def figures(bench: Bench, **more: Any) -> dict[str, Any]:
    api = bench.api(**more)
    return dict(counting.count("net", REPOSITORY, TODAY, api, api).figures)


def test_a_row_of_today(bench: Bench) -> None:
    """Every figure is counted as the APIs' answers have it: robots, merges, drafts and previews left out."""
    assert figures(bench) == {
        "stars": 1234,
        "forks": 56,
        "archived": False,
        "contributors": 42,
        "releases-12m": 2,
        "active-weeks-12m": 26,
        "scorecard": 7.3,
        "commits-12m": 12,
        "authors-12m": 4,
        "bus-factor": 1,
        "first-response-hours": 18.0,
        "unanswered": 0.25,
    }


def test_contributors_cost_one_request(forge: Forge, bench: Bench) -> None:
    """Contributors are counted by pages of one, those without an account included."""
    figures(bench)
    assert forge.asked("/contributors") == [f"/repos/{REPOSITORY}/contributors?per_page=1&anon=true"]


def test_a_lone_contributor(forge: Forge, bench: Bench) -> None:
    """Where there is but one page there is no Link header, and the count is what the page holds."""
    forge.lists["/contributors"] = [{"login": "ann"}]
    assert figures(bench)["contributors"] == 1


def test_too_many_contributors_to_list(forge: Forge, bench: Bench) -> None:
    """Where GitHub has too many contributors to list they are not counted, and the rest is."""
    message = (
        "The history or contributor list is too large to list contributors for this repository via the API."
    )
    forge.moods.append(Reply(403, {}, {"message": message}, only="/contributors"))
    row = figures(bench)
    assert row["contributors"] is None
    assert row["stars"] == 1234


def test_an_empty_repository(forge: Forge, bench: Bench) -> None:
    """A repository without a commit has no contributors (204), no commits (409) and no bus factor."""
    forge.moods += [Reply(204, only="/contributors"), Reply(409, {}, {"message": "empty"}, only="/commits?")]
    row = figures(bench)
    assert (row["contributors"], row["commits-12m"], row["authors-12m"], row["bus-factor"]) == (0, 0, 0, None)


def test_not_scanned_is_unknown(forge: Forge, bench: Bench) -> None:
    """A project that OpenSSF doesn't scan (404) has no score, which is not a score of nothing."""
    forge.score = None
    assert figures(bench)["scorecard"] is None


def test_only_the_scores_are_out_of_reach(forge: Forge, bench: Bench) -> None:
    """Where OpenSSF's API is at fault there is no score, and all else is counted."""
    forge.moods += [Reply(503, {}, {}, only="/projects/")] * 9
    row = figures(bench)
    assert (row["scorecard"], row["stars"], row["releases-12m"]) == (None, 1234, 2)


def test_half_a_list_counts_nothing(forge: Forge, bench: Bench) -> None:
    """A list that isn't there, or of which a page is missing, is not counted: never zero, never half."""
    del forge.lists["/releases"]
    forge.lists["/commits"] = [commit("ann")] * 150
    forge.moods += [Reply(404, {}, {}, only="page=2"), Reply(410, {}, {"message": "off"}, only="/issues?")]
    row = figures(bench)
    assert (row["releases-12m"], row["commits-12m"], row["authors-12m"]) == (None, None, None)
    assert (row["first-response-hours"], row["unanswered"]) == (None, None)
    assert row["stars"] == 1234


def test_pages_are_followed(forge: Forge, bench: Bench) -> None:
    """Lists are read to their last page, as their Link headers lead."""
    forge.lists["/commits"] = [commit(f"person{number % 60}") for number in range(250)]
    row = figures(bench)
    assert (row["commits-12m"], row["authors-12m"], row["bus-factor"]) == (250, 60, 29)
    assert len(forge.asked("/commits?")) == 3


def test_statistics_that_take_their_time(forge: Forge, bench: Bench) -> None:
    """A statistic that GitHub still works out (202) is asked for again, a little later each time."""
    forge.moods += [Reply(202, {}, {}, only="/stats/"), Reply(202, {}, {}, only="/stats/")]
    assert figures(bench)["active-weeks-12m"] == 26
    assert bench.slept == [2.0, 4.0]


def test_statistics_that_never_come(forge: Forge, bench: Bench) -> None:
    """A statistic that is never ready is not counted, and the rest is."""
    forge.moods += [Reply(202, {}, {}, only="/stats/")] * 20
    row = figures(bench)
    assert row["active-weeks-12m"] is None
    assert row["commits-12m"] == 12


def test_nobody_answers_more_than_half(forge: Forge, bench: Bench) -> None:
    """Where more than half got no answer there is no median, and the share says how many."""
    forge.lists["/issues/comments"] = forge.lists["/pulls/comments"] = []
    row = figures(bench)
    assert (row["first-response-hours"], row["unanswered"]) == (None, 1.0)


def test_unchanged_answers_are_not_sent_again(forge: Forge, bench: Bench) -> None:
    """A later run sends the mark of what it has (ETag), and what hasn't changed (304) counts as before."""
    before = figures(bench, run="1")
    forge.seen.clear()
    assert figures(bench, run="2") == before
    marks = [headers.get("If-None-Match") for path, headers in forge.seen if not path.startswith("/projects")]
    assert all(marks)
    forge.objects[""] = {**forge.objects[""], "stargazers_count": 1300}
    assert figures(bench, run="3")["stars"] == 1300


def test_an_interrupted_run_goes_on(forge: Forge, bench: Bench) -> None:
    """What a run has asked for is not asked for again when it goes on."""
    api = bench.api()
    api.get(f"/repos/{REPOSITORY}")
    assert figures(bench)["stars"] == 1234
    assert len([path for path, _ in forge.seen if path == f"/repos/{REPOSITORY}"]) == 1


def test_a_broken_answer_in_the_cache(bench: Bench) -> None:
    """Half an answer in the cache is as good as none."""
    figures(bench, run="1")
    for path in bench.cache.iterdir():
        path.write_bytes(path.read_bytes()[:10])
    assert figures(bench, run="1")["stars"] == 1234


@pytest.mark.parametrize("status", [403, 429])
def test_a_server_that_says_how_long(forge: Forge, bench: Bench, status: int) -> None:
    """A refusal with Retry-After is waited out, and the request made again."""
    forge.moods.append(
        Reply(status, {"Retry-After": "30"}, {"message": "You have exceeded a secondary rate limit"})
    )
    assert bench.api().get(f"/repos/{REPOSITORY}").status == 200
    assert sum(bench.slept) == pytest.approx(30)


def test_a_secondary_limit_without_a_time(forge: Forge, bench: Bench) -> None:
    """A secondary limit that doesn't say how long is waited out for a minute, as GitHub asks."""
    forge.moods.append(Reply(403, {}, {"message": "You have exceeded a secondary rate limit. Please wait."}))
    assert bench.api().get(f"/repos/{REPOSITORY}").status == 200
    assert sum(bench.slept) == pytest.approx(60)


def test_the_primary_limit_is_waited_for(forge: Forge, bench: Bench) -> None:
    """After the last request of an hour none is sent until the hour that X-RateLimit-Reset names."""
    reset = str(int(bench.now) + 45)
    spent = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
    forge.moods.append(Reply(200, spent, {"stargazers_count": 1}))
    api = bench.api()
    api.get(f"/repos/{REPOSITORY}")
    assert bench.slept == []
    api.get(f"/repos/{REPOSITORY}/stats/participation")
    assert sum(bench.slept) == pytest.approx(45)


def test_a_limit_beyond_our_patience(forge: Forge, bench: Bench) -> None:
    """A limit that lasts longer than our patience ends it, with the hour at which to come back."""
    spent = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(bench.now) + 3000)}
    forge.moods.append(Reply(403, spent, {"message": "API rate limit exceeded"}))
    with pytest.raises(LimitedError, match=r"2026-11-26 00:50 UTC.*GITHUB_TOKEN"):
        bench.api().get(f"/repos/{REPOSITORY}")
    assert bench.slept == []


def test_a_server_that_refuses_for_ever(forge: Forge, bench: Bench) -> None:
    """A server whose limit never ends, though its hour is past, is left alone after a few tries."""
    past = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}
    forge.moods += [Reply(403, past, {"message": "API rate limit exceeded"})] * 50
    with pytest.raises(LimitedError, match="again and again"):
        bench.api().get(f"/repos/{REPOSITORY}")
    assert len(forge.seen) < 8


def test_faults_pass(forge: Forge, bench: Bench) -> None:
    """A fault of the server (5xx) is asked about again; one that stays is as good as no network."""
    forge.moods += [Reply(502, {}, {}), Reply(500, {}, {})]
    assert bench.api().get(f"/repos/{REPOSITORY}").status == 200
    forge.moods += [Reply(503, {}, {})] * 9
    with pytest.raises(OfflineError):
        bench.api(run="2").get(f"/repos/{REPOSITORY}")


def test_nobody_there(bench: Bench) -> None:
    """An address where nobody listens is offline, after a few tries."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(OfflineError, match="can't be reached from here"):
        bench.api(base=base).get(f"/repos/{REPOSITORY}")


def test_the_token_stays_with_its_api(forge: Forge, bench: Bench) -> None:
    """The token is sent to the API that it is for, and is in no answer kept and no print of the client."""
    github, scorecard = bench.api(token=BEARER), bench.api()
    counting.count("net", REPOSITORY, TODAY, github, scorecard)
    told = {path.startswith("/projects"): headers.get("Authorization") for path, headers in forge.seen}
    assert told == {False: f"Bearer {BEARER}", True: None}
    assert BEARER not in repr(github)
    assert [path for path in bench.cache.iterdir() if BEARER.encode() in path.read_bytes()] == []


def test_the_token_does_not_follow_elsewhere(forge: Forge, bench: Bench) -> None:
    """Neither a redirect nor a Link header to another machine or port takes the token along."""
    elsewhere = lively()
    elsewhere.start()
    try:
        forge.moods.append(Reply(301, {"Location": f"{elsewhere.base}/repos/{REPOSITORY}"}))
        assert bench.api(token=BEARER).get(f"/repos/{REPOSITORY}").status == 200
        link = f'<{elsewhere.base}/repos/{REPOSITORY}/commits?page=2>; rel="next"'
        forge.moods.append(Reply(200, {"Link": link}, [commit("ann")]))
        with pytest.raises(RefusedError, match="elsewhere"):
            list(bench.api(token=BEARER, run="2").pages(f"/repos/{REPOSITORY}/commits", {}))
        assert [headers for _, headers in elsewhere.seen if "Authorization" in headers] == []
        assert len(elsewhere.seen) == 1
    finally:
        elsewhere.stop()


def test_a_token_that_is_no_good(forge: Forge, bench: Bench) -> None:
    """A token that the API refuses (401) is named as what is wrong, without being shown."""
    forge.moods.append(Reply(401, {}, {"message": "Bad credentials"}))
    with pytest.raises(BadConfigurationError, match="GITHUB_TOKEN") as caught:
        bench.api(token=BEARER).get(f"/repos/{REPOSITORY}")
    assert BEARER not in str(caught.value)


def test_no_token_over_an_open_line(tmp_path: Path) -> None:
    """An address without TLS is refused unless it is this machine."""
    with pytest.raises(BadConfigurationError, match="is not safe"):
        Api("http://api.example.org", tmp_path, "1", token=BEARER)


def test_a_repository_that_moved(forge: Forge, bench: Bench) -> None:
    """A repository under a new name is followed to it."""
    forge.moods.append(Reply(301, {"Location": f"{forge.base}/repos/{REPOSITORY}?moved"}, {}))
    assert bench.api().get("/repos/acme/oldname").body["stargazers_count"] == 1234


def test_a_repository_that_is_gone(bench: Bench) -> None:
    """A repository that isn't there is said to be gone, by name."""
    api = bench.api()
    with pytest.raises(NotFoundError, match="acme/gone"):
        counting.count("net", "acme/gone", TODAY, api, api)


def refresh(bench: Bench, store: Path, *projects: Project, **more: Any) -> refreshing.Outcome:
    api = bench.api(run=more.pop("run", "1"))
    return refreshing.refresh(projects or (NET,), TODAY, api, api, store, **more)


def test_rows_are_kept(bench: Bench, tmp_path: Path) -> None:
    """Fetched rows are in the file, and a second time that day nothing is asked."""
    store = tmp_path / "counts.json"
    outcome = refresh(bench, store)
    assert keeping.read(store) == outcome.fetched
    asked = len(bench.forge.seen)
    assert refresh(bench, store, run="2").had == ("net",)
    assert len(bench.forge.seen) == asked
    assert len(refresh(bench, store, run="3", again=True).fetched) == 1


def test_what_is_done_stays_done(forge: Forge, bench: Bench, tmp_path: Path) -> None:
    """A limit in the middle keeps the whole rows and names what is left; the next time it goes on."""
    store = tmp_path / "counts.json"
    other = Project("other", "acme/other")
    spent = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(bench.now) + 3000)}
    forge.moods.append(Reply(403, spent, {"message": "API rate limit exceeded"}, only="acme/other"))
    outcome = refresh(bench, store, NET, other)
    assert [row.provider for row in outcome.fetched] == ["net"]
    assert outcome.left == ("other",)
    assert isinstance(outcome.why, NotReadyError)
    assert not outcome.offline
    assert [row.provider for row in keeping.read(store)] == ["net"]
    bench.now += 3000
    later = refresh(bench, store, NET, other)
    assert (later.had, len(later.gone)) == (("net",), 1)


def test_a_gone_repository_does_not_stop_others(bench: Bench, tmp_path: Path) -> None:
    """A repository that isn't there is told and left out; the others are fetched."""
    outcome = refresh(bench, tmp_path / "counts.json", Project("gone", "acme/gone"), NET)
    assert [row.provider for row in outcome.fetched] == ["net"]
    assert "acme/gone" in outcome.gone[0]


def test_old_answers_are_forgotten(bench: Bench, tmp_path: Path) -> None:
    """After a run that was finished answers that nobody has asked for in two months are gone, others stay."""
    bench.cache.mkdir()
    old, young = bench.cache / "old.json", bench.cache / "young.json"
    for path, days in ((old, 61), (young, 59)):
        path.write_text("{}")
        os.utime(path, times=(bench.now - days * 86400,) * 2)
    refresh(bench, tmp_path / "counts.json")
    assert (old.exists(), young.exists()) == (False, True)


def test_the_name_of_a_run(tmp_path: Path) -> None:
    """A run that was not finished today goes on under its name; again, or the next day, begins a new one."""
    first = refreshing.run_name(tmp_path, TODAY, again=False)
    assert refreshing.run_name(tmp_path, TODAY, again=False) == first
    assert refreshing.run_name(tmp_path, TODAY, again=True) != first
    assert refreshing.run_name(tmp_path, TODAY.replace(day=27), again=False).startswith("2026-11-27")
