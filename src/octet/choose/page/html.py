"""The page as one HTML file: script, style and data inside, nothing loaded from anywhere.

What lives here: inlining, and the policy that lets only our own script run. What it must not know: what is
drawn.
"""

import base64
import hashlib
from dataclasses import dataclass
from html import escape
from pathlib import Path

import msgspec

from octet.choose.page.document import Document
from octet.errors import NotFoundError

BUNDLE = Path(__file__).with_name("bundle")
"""What `make setup` builds from web/."""


_ICON = base64.b64encode(
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" '
    b'fill="#0b5c94"/><g fill="none" stroke="#fff" stroke-width="1.8"><circle cx="8" cy="5.3" r="2.3"/>'
    b'<circle cx="8" cy="10.5" r="2.8"/></g></svg>'
).decode()
"""An eight. Without one a browser asks the server for it."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """The built script and style sheet."""

    script: str
    style: str


def bundle(directory: Path = BUNDLE) -> Bundle:
    """Read what was built from web/. Raises NotFoundError where nothing was."""
    try:
        parts = [(directory / name).read_text("utf-8") for name in ("page.js", "style.css")]
    except FileNotFoundError as error:
        raise NotFoundError(
            f"{error.filename}: the page's script has not been built", hint="make setup"
        ) from error
    if "</script" in parts[0] or "</style" in parts[1]:
        raise ValueError("a built file would end its own element")
    return Bundle(*parts)


def policy(held: Bundle, *, connect: str = "'none'") -> str:
    """Return the Content-Security-Policy: this script and this style by their hashes, nothing else."""
    allowed = {
        "default-src": "'none'",
        "script-src": _hash(held.script),
        "style-src": _hash(held.style),
        "img-src": "data:",
        "connect-src": connect,
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in allowed.items())


def html(document: Document, held: Bundle) -> str:
    """Return the whole file. What facts and results say can't break out of the data it is in."""
    title = f"octet: {document.decision.headline}"
    connect = "'self'" if document.live else "'none'"
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy(held, connect=connect)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f'<link rel="icon" href="data:image/svg+xml;base64,{_ICON}">',
            f"<title>{escape(title)}</title>",
            f"<style>{held.style}</style></head><body>",
            '<div id="octet"></div>',
            _without_script(document),
            f'<script type="application/json" id="octet-data">{inert(document)}</script>',
            f"<script>{held.script}</script>",
            "</body></html>",
        ]
    )


def inert(document: Document) -> str:
    r"""Return the document as JSON in which no markup can begin.

    ``<`` occurs in strings only and may be written as \u003c there (RFC 8259, 7): without it neither
    ``</script`` nor ``<!--`` can be spelled (HTML, 4.12.1.3).
    """
    return msgspec.json.encode(document).replace(b"<", b"\\u003c").decode()


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _without_script(document: Document) -> str:
    """Return the answer for readers whose browser runs no scripts."""
    decision = document.decision
    lines = "".join(f"<li>{escape(each.title)}: {escape(each.text)}</li>" for each in decision.why_not)
    return (
        f"<noscript><main><h1>{escape(decision.headline)}</h1><p>{escape(decision.rule)}</p>"
        f"<h2>Why not …?</h2><ul>{lines}</ul></main></noscript>"
    )
