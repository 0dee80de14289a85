"""Looking at a page with a browser: where it is, what it says, what it complains of."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, Playwright

ROOT = Path(__file__).parents[2]
AXE = ROOT / "web/node_modules/axe-core/axe.min.js"
DESKTOP, PHONE = 1280, 390

FLAGS = (
    "--no-sandbox",  # CI is root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def launched(driver: Playwright) -> Browser:
    """Start Debian's chromium; playwright gives each context a new profile."""
    return driver.chromium.launch(executable_path="/usr/bin/chromium", args=list(FLAGS))


@dataclass
class Look:
    """One opened page, and everything that it should not have done."""

    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    @classmethod
    def at(
        cls,
        browser: Browser,
        address: str | Path,
        *,
        width: int = DESKTOP,
        scheme: str = "light",
        bypass: bool = False,
    ) -> "Look":
        """Open a file without any network, or an address of this machine. ``bypass`` lets axe be put in."""
        offline = isinstance(address, Path)
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, offline=offline, bypass_csp=bypass
        )
        found = cls(context, context.new_page())
        found.page.on("console", found._console)
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        home = address.as_uri() if isinstance(address, Path) else address
        near = (home.partition("?")[0], "blob:", "data:")
        found.page.on("request", lambda asked: asked.url.startswith(near) or found.foreign.append(asked.url))
        found.page.goto(home)
        found.page.wait_for_selector("#answer")
        return found

    def _console(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def open_all(self) -> None:
        """Open everything that is folded away."""
        self.page.evaluate(
            "() => { for (const each of document.querySelectorAll('details')) each.open = true }"
        )

    def table(self, label: str) -> list[list[str]]:
        """Return the texts of a table's body by its label, as the page has them."""
        rows = "rows => rows.map(row => [...row.cells].map(cell => cell.innerText.trim()))"
        found: list[list[str]] = self.page.locator(f'section[aria-label="{label}"] tbody tr').evaluate_all(
            rows
        )
        return found

    def axe(self) -> list[str]:
        """Return what axe-core has to say against the page."""
        self.page.evaluate(AXE.read_text())
        found = self.page.evaluate("async () => await axe.run()")
        return [
            f"{problem['id']}: {node['target']} {node['failureSummary']}"
            for problem in found["violations"]
            for node in problem["nodes"]
        ]
