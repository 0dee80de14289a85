"""Who may come in to octet ui."""

import pytest

from octet.choose.ui.door import Asked, Door

DOOR = Door("127.0.0.1", 8080)
HERE = "localhost:8080"


def asked(**parts: str) -> Asked:
    """Return a request of our own page, with these parts different."""
    usual = {"method": "GET", "host": HERE, "cookie": DOOR.pass_}
    return Asked(**{**usual, **parts})


def status(request: Asked, door: Door = DOOR) -> int:
    """Return how a request is answered: 200 is let in."""
    refused = door.judge(request)
    return refused.status if refused else 200


def test_a_token_or_the_cookie_that_it_gave_lets_in() -> None:
    """The printed address, the cookie and a bearer token are let in; without one of them nobody is."""
    assert status(asked()) == 200
    assert status(asked(cookie="", token=DOOR.token)) == 200
    assert status(asked(cookie="", bearer=DOOR.token)) == 200
    for wrong in ("", "x", DOOR.pass_, DOOR.token[:-1], "é"):
        assert status(asked(cookie="", token=wrong)) == 401
    assert status(asked(cookie=DOOR.token)) == 401


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8080", "localhost:8080", "[::1]:8080", "LOCALHOST:8080", "127.9.9.9:8080"]
)
def test_names_of_this_machine_are_known(host: str) -> None:
    """Every way of writing loopback in Host is ours."""
    assert status(asked(host=host)) == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8080",
        "127.0.0.1.evil.example:8080",
        "localhost.evil.example:8080",
        "192.0.2.7:8080",
        "localhost:8081",
        "localhost",
        "localhost:",
        "localhost:\uff18\uff10\uff18\uff10",
        "",
        "[::1:8080",
    ],
)
def test_a_name_that_was_pointed_here_is_refused(host: str) -> None:
    """DNS rebinding: a foreign name in Host is refused even with a right cookie; so is another port."""
    assert status(asked(host=host)) == 421


def test_a_change_must_come_from_our_own_page() -> None:
    """A POST with a cookie needs our own Origin; with the token none; a foreign page's is refused."""
    assert status(asked(method="POST", origin=f"http://{HERE}")) == 200
    assert status(asked(method="POST", cookie="", bearer=DOOR.token)) == 200
    for origin in (
        "",
        "null",
        "http://evil.example",
        "https://localhost:8080",
        "http://localhost:8081",
        "http://127.0.0.1:8080",
    ):
        assert status(asked(method="POST", origin=origin)) == 403
    assert status(asked(method="POST", cookie="", bearer=DOOR.token, origin="http://evil.example")) == 403
    assert status(asked(method="DELETE")) == 403


def test_listening_to_others_knows_addresses_and_named_hosts() -> None:
    """An address needs no resolver, so no page can be pointed at it; names must have been given."""
    door = Door("0.0.0.0", 80, frozenset({"lab.example"}))
    for host in ("192.0.2.7", "192.0.2.7:80", "lab.example", "LAB.example:80", "[2001:db8::1]:80"):
        assert status(Asked("GET", host, bearer=door.token), door) == 200
    assert status(Asked("GET", "evil.example", bearer=door.token), door) == 421
    assert not door.loopback


def test_secrets_are_random_and_never_shown_by_accident() -> None:
    """Each server has its own token and pass of 256 bits, and neither is in its representation."""
    one, other = Door("127.0.0.1", 1), Door("127.0.0.1", 1)
    assert len({one.token, one.pass_, other.token, other.pass_}) == 4
    assert min(map(len, (one.token, one.pass_))) >= 43
    assert one.token not in repr(one)
    assert one.pass_ not in repr(one)


def test_the_printed_address_opens_the_page() -> None:
    """The address has the token; an IPv6 address is in brackets; the cookie is this port's own."""
    assert DOOR.url == f"http://localhost:8080/?token={DOOR.token}"
    assert Door("2001:db8::1", 81).url.startswith("http://[2001:db8::1]:81/?token=")
    assert DOOR.cookie != Door("127.0.0.1", 8081).cookie
