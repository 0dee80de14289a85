"""BIRD's control protocol and complaints, as captured: numbers, continuation lines, files and lines."""

from pathlib import PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octet.kernel.daemons import bird
from octet.kernel.daemons.port import Finished
from octet.kernel.daemons.processes import parse

CONFIGURED = "0002-Reading configuration from /run/x/config/bird.conf\n0003 Reconfigured\n"


def test_an_answer_ends_with_a_space_after_its_number() -> None:
    """Lines that continue bear a dash, or a space under the number before; the last one ends the answer."""
    reply = parse("1002-a BGP --- up\n1006-  Description: a\n   BGP state: Up\n \n0000 \n")
    assert reply is not None
    assert [tuple(line) for line in reply.lines] == [
        (1002, "a BGP --- up"),
        (1006, "  Description: a"),
        (1006, "  BGP state: Up"),
        (1006, ""),
        (0, ""),
    ]


def test_half_an_answer_is_none() -> None:
    """Without the line that ends it, there is no answer yet."""
    assert parse("0002-Reading configuration\n") is None


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (CONFIGURED, ""),
        ("0002-Reading configuration from x\n0004 Reconfiguration in progress\n", ""),
        ("0002-Reading\n8002 x/bird.conf:3:1 syntax error\n", "Reading\nx/bird.conf:3:1 syntax error"),
        ("0006 Reconfiguration ignored, shutting down\n", "Reconfiguration ignored, shutting down"),
    ],
)
def test_a_reload_is_taken_or_says_why_not(answer: str, why: str) -> None:
    """Only the numbers that mean so are a success."""
    reply = parse(answer)
    assert reply is not None
    assert bird.reloaded(reply) == why


@pytest.mark.parametrize(
    ("output", "name", "why"),
    [
        (
            "bird: /r/draft/node.a.conf:13:13 syntax error, unexpected IPV4",
            "node.a.conf",
            "node.a.conf:13: syntax",
        ),
        ("bird: ./bird.conf:1:7 Unable to open", "bird.conf", "bird.conf:1: Unable"),
        ("bird: cannot do anything", "", "bird: cannot do anything"),
        ("", "", "bird -p ended with 1"),
    ],
)
def test_a_complaint_names_its_file(output: str, name: str, why: str) -> None:
    """The file is told by its own name, so that the one peer that is wrong can be left out."""
    culprit, sentence = bird.complaint(Finished(1, output), PurePath("/r/draft"))
    assert culprit == name
    assert sentence.startswith(why)


@given(st.text(max_size=200))
def test_no_text_stops_the_parser(text: str) -> None:
    """Whatever comes from the socket is an answer or not yet one."""
    reply = parse(text)
    assert reply is None or reply.lines
