"""The largest packet that reaches the other pod in one piece, found with ping and "don't fragment".

What lives here: the search. What it must not know: what MTU anybody configured.
"""

from collections.abc import Callable
from dataclasses import dataclass

from octet.measure import metrics
from octet.measure.places import ProbeFailedError, Reading, Stretch

HEADERS = {4: 20 + 8, 6: 40 + 8}
"""IP and ICMP bytes around ping's payload, by family (RFC 791, 792; RFC 8200, 4443)."""

SMALLEST = {4: 576, 6: 1280}
"""What every IP path must carry (RFC 791, RFC 8200): less than that is a broken path."""

LARGEST = 65535


def largest(passes: Callable[[int], bool], low: int, high: int, guesses: tuple[int, ...] = ()) -> int:
    """Return the largest size in [low, high] that passes, where each size below a passing one passes.

    A right guess costs two packets instead of sixteen. Raises ProbeFailedError where not even ``low`` passes.
    """
    if not passes(low):
        raise ProbeFailedError(f"not even {low} bytes pass")
    for guess in sorted(guess for guess in guesses if low < guess < high):
        if not passes(guess):
            high = guess - 1
            break
        low = guess
        if not passes(guess + 1):
            return guess
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if passes(middle) else (low, middle - 1)
    return low


def _succeeds(path: Stretch, command: tuple[str, ...]) -> bool:
    process = path.client.start(command)
    process.communicate(timeout=10)
    return process.returncode == 0


@dataclass(frozen=True, slots=True)
class Mtu:
    """Effective MTU: one byte more is refused or lost."""

    name: str = "mtu"
    guesses: tuple[int, ...] = (1430, 1450, 1480, 1500)

    def run(self, path: Stretch, seconds: float) -> Reading:
        """Search; the time depends on the path, not on ``seconds``, which bounds the wait for one answer."""
        family = 6 if ":" in path.address else 4

        def passes(size: int) -> bool:
            payload = str(size - HEADERS[family])
            wait = f"{min(1.0, max(0.2, seconds)):.1f}"
            command = ("ping", "-q", "-c", "1", "-W", wait, "-M", "do", "-s", payload, path.address)
            return _succeeds(path, command) or _succeeds(path, command)  # one lost packet is not an answer

        found = largest(passes, SMALLEST[family], LARGEST, self.guesses)
        return Reading({metrics.MTU.key: found}, {"family": family})
