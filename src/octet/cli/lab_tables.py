"""What ``octet lab get`` prints, as tables and as JSON.

What lives here: rows of nodes, pods, routers and routes. What it must not know: how a lab is found or asked.
"""

from typing import TYPE_CHECKING, Any

from octet.cli import output

if TYPE_CHECKING:
    from octet.lab import Lab


def nodes(lab: "Lab", title: str, *, as_json: bool) -> None:
    """Print the nodes of a lab with their agents and faults."""
    items = lab.get("nodes")
    rows = [
        [
            item["metadata"]["name"],
            _status(item),
            " ".join(each["address"] for each in item["status"].get("addresses", [])),
            " ".join(item["spec"].get("podCIDRs", [])),
            _agent(item["lab"]["agent"]),
            "; ".join(item["lab"]["faults"]) or None,
        ]
        for item in items
    ]
    columns = ("Name", "Status", "Addresses", "Pod CIDRs", "Agent", "Faults")
    output.table(title, columns, rows, json_rows=items, as_json=as_json)


def _status(node: dict[str, Any]) -> str:
    conditions = node["status"].get("conditions", [])
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return "Ready" if ready else "NotReady"


def _agent(agent: dict[str, Any]) -> str:
    return f"{agent['state']} ({agent['ended']})" if "ended" in agent else str(agent["state"])


def pods(items: list[dict[str, Any]], *, as_json: bool) -> None:
    """Print pods."""
    rows = [
        [
            item["metadata"]["namespace"],
            item["metadata"]["name"],
            item["status"].get("phase"),
            item["spec"].get("nodeName"),
            " ".join(each["ip"] for each in item["status"].get("podIPs", [])),
            " ".join(f"{key}={value}" for key, value in item["metadata"].get("labels", {}).items()) or None,
        ]
        for item in items
    ]
    columns = ("Namespace", "Name", "Status", "Node", "Addresses", "Labels")
    output.table("", columns, rows, json_rows=items, as_json=as_json)


def routers(items: list[dict[str, Any]], *, as_json: bool) -> None:
    """Print the routers of a fabric."""
    rows = [
        [
            item["name"],
            item["software"],
            item["asn"],
            item["id"],
            _agent(item),
            "; ".join(item["faults"]) or None,
        ]
        for item in items
    ]
    columns = ("Name", "Software", "AS", "Router id", "State", "Faults")
    output.table("", columns, rows, json_rows=items, as_json=as_json)


def routes(lab: "Lab", target: str, *, as_json: bool) -> None:
    """Print the routes of a node, a router or a pod, or of all nodes and routers, and whose they are."""
    from octet.lab.routes import MAIN

    held = [(where, route) for where, routes in lab.routes(target).items() for route in routes]
    rows = [
        [
            where,
            str(route.destination),
            route.kind or ", ".join(str(hop) for hop in route.hops),
            route.owner,
            route.protocol,
            route.metric or None,
            route.table if route.table != MAIN else None,
        ]
        for where, route in held
    ]
    columns = ("On", "Destination", "Next hops", "Owner", "Protocol", "Metric", "Table")
    items = [{"on": where, **route.as_json()} for where, route in held]
    output.table("", columns, rows, json_rows=items, as_json=as_json)
