"""What is known of providers: one TOML file each, every fact with its date and its source.

What lives here: loading them all. What it must not know: what an operator wants, figures, screens.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from octet.choose.facts.numbers import keeping
from octet.choose.facts.reading import installers, read
from octet.choose.facts.values import Certainty, Count, Fact, Provider, Release, Step, Support, Truth
from octet.errors import BadConfigurationError, NotFoundError

DIRECTORY = Path(__file__).with_name("providers")
INSTALLERS = Path(__file__).with_name("installers.toml")

NAMES = (
    "kubenet",
    "calico",
    "canal",
    "flannel",
    "kopeio-vxlan",
    "kube-router",
    "romana",
    "weave",
    "cilium",
    "antrea",
    "kindnet",
    "ovn-kubernetes",
    "aws-vpc-cni",
)
"""The eight of the design's table first, in its order, then what else one may meet."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known, in the order of NAMES.

    Attributes:
        installers: when versions of installers came out, by installer.
    """

    providers: tuple[Provider, ...]
    installers: Mapping[str, tuple[Release, ...]] = field(default_factory=dict)

    def get(self, name: str) -> Provider:
        """Return a provider by name.

        Raises:
            NotFoundError: there is none of this name.
        """
        for provider in self.providers:
            if provider.name == name:
                return provider
        known = ", ".join(provider.name for provider in self.providers)
        raise NotFoundError(f"no provider is called {name!r}", hint=f"one of {known}")

    def everything(self) -> Iterator[tuple[Provider, Fact]]:
        """Yield every fact and limit with the provider that it is about."""
        for provider in self.providers:
            for fact in (*provider.facts.values(), *provider.limits):
                yield provider, fact

    @property
    def oldest(self) -> dt.date:
        """The day of the oldest fact; facts age, so this belongs under every answer made of them."""
        return min(fact.as_of for _, fact in self.everything())

    def stale(self, before: dt.date) -> tuple[tuple[Provider, Fact], ...]:
        """Return the facts that nobody has looked at since a day, oldest first."""
        old = ((provider, fact) for provider, fact in self.everything() if fact.as_of < before)
        return tuple(sorted(old, key=lambda pair: pair[1].as_of))


def load(directory: Path | None = None) -> Facts:
    """Return the facts of a directory's TOML files; without one, of those that come with Octet.

    Raises:
        BadConfigurationError: a file is wrong, as ``reading.read`` says; there is none; or a file's name
            isn't the provider's.
    """
    place = DIRECTORY if directory is None else directory
    files = {path.stem: path for path in place.glob("*.toml")}
    if not files:
        raise BadConfigurationError(str(place), "directory", place.name, "has no provider's file (NAME.toml)")
    order = [*(name for name in NAMES if name in files), *sorted(files.keys() - set(NAMES))]
    providers = tuple(read(files[name]) for name in order)
    for name, provider in zip(order, providers, strict=True):
        if provider.name != name:
            problem = "is not the file's name"
            raise BadConfigurationError(str(files[name]), "name", provider.name, problem, hint=name)
    counts = keeping.by_provider(keeping.shipped())
    counted = tuple(replace(each, counts=counts.get(each.name, ())) for each in providers)
    return Facts(counted, installers(INSTALLERS))


__all__ = [
    "DIRECTORY",
    "NAMES",
    "Certainty",
    "Count",
    "Fact",
    "Facts",
    "Provider",
    "Release",
    "Step",
    "Support",
    "Truth",
    "load",
]
