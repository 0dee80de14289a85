"""Who makes the pod network of a lab: Octet as one of its models, or anybody's CNI plugins.

What lives here: the two kinds of provider and what each needs per node, as values that travel as JSON.
What it must not know: processes, namespaces, the kernel.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from octet.lab.names import Network

OWN_PLUGINS = str(Path(__file__).parents[1] / "cni" / "plugin")
"""Where the build puts ``octet-cni``."""

REFERENCE_PLUGINS = "/usr/lib/cni"
"""Where Debian's containernetworking-plugins are."""

_CAPABILITIES = ("portMappings", "bandwidth", "ips", "ipRanges", "mac", "dns")


@dataclass(frozen=True, slots=True)
class Place:
    """One node as a provider's configuration sees it.

    Attributes:
        data: a directory of this node alone, for state.
        cidrs: the node's pod CIDRs, IPv4 first.
    """

    node: str
    data: str
    cidrs: tuple[Network, ...] = ()


class Octet(msgspec.Struct, frozen=True, tag="octet"):
    """Octet itself: an agent on every node and our plugin.

    Attributes:
        model: a row of the models table, as in ``flannel:host-gw``.
        options: of the model, as in the agent's configuration.
    """

    model: str
    options: dict[str, Any] = {}
    cni_path: tuple[str, ...] = (OWN_PLUGINS,)

    @property
    def title(self) -> str:
        """What to call it."""
        return self.model

    @property
    def plugins(self) -> tuple[str, ...]:
        """The plugins that must be on its path."""
        return ("octet-cni",)

    def conflist(self, place: Place) -> dict[str, Any]:
        """Return the CNI network configuration list of one node."""
        plugin = {
            "type": "octet-cni",
            "socket": f"{place.data}/cni.sock",
            "capabilities": dict.fromkeys(_CAPABILITIES, True),
        }
        return {"cniVersion": "1.1.0", "name": "octet", "plugins": [plugin]}


class Foreign(msgspec.Struct, frozen=True, tag="foreign"):
    """Any provider that is plugins alone: a template of its conflist, filled for each node.

    Attributes:
        template: a conflist in which ``{node}`` and ``{data}`` are filled into texts, and a text that is
        exactly
            ``{ranges}`` or ``{routes}`` becomes host-local's lists for the node's pod CIDRs.
        cni_path: where the plugins are.
        static_routes: does the lab route each node's pod CIDRs to that node, as a cloud or an operator would?
    """

    name: str
    template: dict[str, Any]
    cni_path: tuple[str, ...] = (REFERENCE_PLUGINS,)
    static_routes: bool = True

    @property
    def title(self) -> str:
        """What to call it."""
        return self.name

    @property
    def plugins(self) -> tuple[str, ...]:
        """The plugins that must be on its path; those that they call themselves are theirs to find."""
        return tuple(str(plugin["type"]) for plugin in self.template["plugins"])

    def conflist(self, place: Place) -> dict[str, Any]:
        """Return the CNI network configuration list of one node."""
        everywhere = {4: "0.0.0.0/0", 6: "::/0"}
        values: dict[str, object] = {
            "node": place.node,
            "data": place.data,
            "ranges": [[{"subnet": str(cidr)}] for cidr in place.cidrs],
            "routes": [{"dst": everywhere[cidr.version]} for cidr in place.cidrs],
        }
        filled: dict[str, Any] = fill(self.template, values)
        return filled


Provider = Octet | Foreign


def fill(template: Any, values: Mapping[str, object]) -> Any:
    """Return a JSON value with its ``{word}`` texts filled in; words that are not known stay as they are."""
    match template:
        case dict():
            return {key: fill(value, values) for key, value in template.items()}
        case list():
            return [fill(value, values) for value in template]
        case str():
            return _fill_text(template, values)
        case _:
            return template


def _fill_text(text: str, values: Mapping[str, object]) -> object:
    for word, value in values.items():
        if text == f"{{{word}}}":
            return value
        if isinstance(value, str):
            text = text.replace(f"{{{word}}}", value)
    return text


def reference(kind: str, *, masquerade: bool = False) -> Foreign:
    """Return Debian's ``bridge`` or ``ptp`` plugin with host-local and static routes between nodes."""
    plugin: dict[str, Any] = {"type": kind, "ipMasq": masquerade}
    if kind == "bridge":
        plugin |= {"bridge": "cni0", "isGateway": True, "hairpinMode": True}
    plugin["ipam"] = {
        "type": "host-local",
        "dataDir": "{data}/networks",
        "ranges": "{ranges}",
        "routes": "{routes}",
    }
    template = {"cniVersion": "1.0.0", "name": "reference", "plugins": [plugin]}
    suffix = "+masq" if masquerade else ""
    return Foreign(name=f"reference-{kind}{suffix}", template=template)
