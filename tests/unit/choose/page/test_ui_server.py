"""octet ui as an application: what it answers, and with which headers."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from measured import results
from octet.choose import Requirements
from octet.choose.facts import load
from octet.choose.facts.numbers import keeping
from octet.choose.page import Bundle
from octet.choose.ui.comparing import Comparing
from octet.choose.ui.door import Door
from octet.choose.ui.server import LARGEST, application
from octet.choose.ui.session import Session
from octet.errors import BadConfigurationError, NotFoundError
from octet.measure import machine
from octet.measure import results as record

DOOR = Door("127.0.0.1", 8080)
ORIGIN = "http://localhost:8080"


@pytest.fixture(scope="module")
def session() -> Session:
    return Session(load(), keeping.shipped(), Requirements(nodes=60), Path("/nowhere/results.json"))


def visitor(session: Session) -> httpx.AsyncClient:
    """Return a browser that knows no token."""
    app = application(session, Comparing(("false",), session.load), DOOR, Bundle("run()", "body{}"))
    transport = httpx.ASGITransport(app=app)
    return httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN})


@pytest.fixture
async def browser(session: Session) -> AsyncIterator[httpx.AsyncClient]:
    """Return a browser that has opened the printed address."""
    async with visitor(session) as client:
        moved = await client.get(f"/?token={DOOR.token}")
        assert moved.status_code == 303
        yield client


async def test_the_token_leaves_the_address_for_a_cookie_that_scripts_cannot_read(session: Session) -> None:
    """The first visit is sent on to the bare address, with a cookie for this site and for HTTP alone."""
    async with visitor(session) as client:
        moved = await client.get(f"/?token={DOOR.token}")
    assert (moved.status_code, moved.headers["location"]) == (303, "/")
    cookie = moved.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert DOOR.token not in moved.headers["set-cookie"]


@pytest.mark.parametrize("path", ["/", "/api/page", "/api/state", "/nothing", "/api/page?token=x"])
async def test_nothing_is_said_to_strangers(session: Session, path: str) -> None:
    """Without token every address answers 401, and the answer says nothing about what is there."""
    async with visitor(session) as client:
        found = await client.get(path)
    assert found.status_code == 401
    assert len(found.text) < 100


async def test_every_answer_has_its_guards(browser: httpx.AsyncClient) -> None:
    """A strict policy, no framing, no sniffing, no referrer, no storing, and nothing for other origins."""
    for path in ("/", "/api/state", "/missing"):
        headers = (await browser.get(path)).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in headers


async def test_changing_an_answer_changes_the_decision(browser: httpx.AsyncClient) -> None:
    """The form's answers come back with who is out; null is "don't know"."""
    wanted = {"requirements": {"installer": "kops", "policy_egress": True, "windows": None}}
    held = (await browser.post("/api/decide", json=wanted)).json()
    assert held["requirements"] == {"installer": "kops", "policy_egress": True}
    assert "flannel" in [each["provider"] for each in held["decision"]["excluded"]]
    assert len(held["elimination"]) == len(held["decision"]["excluded"]) + len(held["decision"]["kept"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"requirements": {"nodes": "many"}}, "nodes"),
        ({"requirements": {"nodes": 0}}, "nodes"),
        ({"requirements": {"nodez": 3}}, "nodez"),
        ({"requirements": {"leaving": "nobody"}}, "leaving"),
        ({"requirements": [1]}, "requirements"),
        ({}, "requirements"),
    ],
)
async def test_a_wrong_answer_names_its_field(browser: httpx.AsyncClient, body: object, field: str) -> None:
    """What can't be taken is 422 with the field and what would do."""
    found = await browser.post("/api/decide", json=body)
    assert found.status_code == 422
    assert found.json()["field"] == field
    assert len(found.json()["message"]) > 20


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 60_000, b'"' + b"x" * LARGEST + b'"'])
async def test_what_is_no_request_is_refused(browser: httpx.AsyncClient, body: bytes) -> None:
    """Broken, foreign and too large bodies are 422 with a reason, never a fault."""
    found = await browser.post("/api/decide", content=body, headers={"content-type": "application/json"})
    assert found.status_code == 422
    assert found.json()["field"] == "body"


async def test_a_form_of_another_site_is_refused(browser: httpx.AsyncClient) -> None:
    """A simple POST, which a foreign form can send without asking, is refused for its type and its origin."""
    plain = await browser.post("/api/compare", content=b"{}", headers={"content-type": "text/plain"})
    assert plain.status_code == 422
    foreign = await browser.post("/api/compare", json={}, headers={"origin": "http://evil.example"})
    assert foreign.status_code == 403
    assert (await browser.get("/api/state")).json()["state"] == "idle"


async def test_the_page_is_live_and_begins_with_what_was_given(browser: httpx.AsyncClient) -> None:
    """The served page has the questions, the requirements of the command line, and no figures yet."""
    held = (await browser.get("/api/page")).json()
    assert held["live"]
    assert held["requirements"] == {"nodes": 60}
    assert len(held["questions"]) > 20
    assert held["measured"] is None
    assert json.dumps(held["decision"]["headline"]).strip('"') in (await browser.get("/")).text


def test_figures_of_another_machine_are_refused(session: Session, tmp_path: Path) -> None:
    """results.json must be there and be this machine's."""
    mine = Session(session.facts, (), Requirements(), tmp_path / "results.json")
    with pytest.raises(NotFoundError, match="octet compare"):
        mine.load()
    record.write(results(), mine.place)
    with pytest.raises(BadConfigurationError, match=r"machine\.cpu"):
        mine.load()
    here = {key: value for key, value in machine.facts().items() if key != "load_1min"}
    record.write(results(machine=here), mine.place)
    mine.load()
    assert mine.results is not None
