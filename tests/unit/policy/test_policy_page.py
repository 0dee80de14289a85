"""What docs/policy.md says is what the tests hold Octet to."""

from pathlib import Path

from octet.cluster import conduct
from policy_corners import corners

PAGE = (Path(__file__).parents[3] / "docs/policy.md").read_text()


def test_every_corner_case_is_on_the_page_with_its_answer() -> None:
    """The fifty answers that the tests prove are those that people read, in the same words."""
    assert [each.number for each in corners()] == list(range(1, 51))
    rows = [f"| {each.number} | {each.title} | {each.answer} |" for each in corners()]
    assert [row for row in rows if row not in PAGE] == []


def test_every_annotation_is_on_the_page() -> None:
    """Each annotation that a policy may have is explained."""
    names = (conduct.ESTABLISHED, conduct.DENIED, conduct.DOMAINS)
    assert [name for name in names if f"`{name}`" not in PAGE] == []
