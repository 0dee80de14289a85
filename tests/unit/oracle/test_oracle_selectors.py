"""Calico's selector language is read by its grammar, and what is not in it is refused."""

import pytest

from octet.errors import BadConfigurationError
from octet.oracle.selector import NAMESPACE, parse

LABELS = {"app": "front-end", "tier": "web", "a/b.c_d-e": "x", "has": "h", "in": "i", "empty": ""}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        (" \t ", True),
        ("all()", True),
        ("all( )", True),
        ("!all()", False),
        ("app == 'front-end'", True),
        ('app=="front-end"', True),
        ("app == 'front-end' && tier == 'db'", False),
        ("none != 'x'", True),
        ("app != 'front-end'", False),
        ("none == ''", False),
        ("empty == ''", True),
        ("app in {'a', 'front-end'}", True),
        ("app in{'a','front-end',}", True),
        ("app in {}", False),
        ("app not in {}", True),
        ("none not in {'a'}", True),
        ("none notin {'a'}", True),
        ("app not  in {'front-end'}", False),
        ("app contains 't-e'", True),
        ("none contains ''", False),
        ("app starts with 'front'", True),
        ("app startswith 'end'", False),
        ("app ends with 'end'", True),
        ("has(app)", True),
        ("has( none )", False),
        ("!has(none)", True),
        ("!!has(app)", True),
        ("! app == 'x'", True),
        ("has(a/b.c_d-e)", True),
        ("has == 'h'", True),
        ("in in {'i'}", True),
        ("has(app) || has(none) && has(none)", True),
        ("(has(app) || has(none)) && has(none)", False),
        ("!(has(app) && has(tier))", False),
        ("global()", True),
        ("""app == "it's" || tier == 'web'""", True),
    ],
)
def test_selectors_say_what_they_mean(text, matches):
    """Each operator, precedence, blanks and quotes: a missing label is unlike every value."""
    assert parse(text)(LABELS) is matches


@pytest.mark.parametrize(
    "text",
    [
        "app",
        "app ==",
        "app = 'x'",
        "app == x",
        "app == 'x",
        "app == 'x' &&",
        "app == 'x' & has(y)",
        "(app == 'x'",
        "app == 'x')",
        "app in 'x'",
        "app in {'x'",
        "app in {'x' 'y'}",
        "has()",
        "has(app",
        "all(app)",
        "has(app) has(tier)",
        "app begins with 'x'",
        "app == 'x'\nhas(y)",
        "{}",
        "a" * 1025,
    ],
)
def test_what_is_no_selector_is_refused(text):
    """What the grammar has no way to read has no meaning: the error says where it stopped."""
    with pytest.raises(BadConfigurationError):
        parse(text)


def test_namespace_selectors_speak_of_namespaces():
    """There, all() is what is in a namespace, global() what is in none, and labels are the namespace's."""
    inside = {NAMESPACE: "x", "pcns.team": "red", "team": "blue"}
    assert parse("team == 'red'", "pcns.")(inside)
    assert not parse("team == 'blue'", "pcns.")(inside)
    assert [parse("all()", "pcns.")(labels) for labels in (inside, {})] == [True, False]
    assert [parse("global()", "pcns.")(labels) for labels in (inside, {})] == [False, True]
