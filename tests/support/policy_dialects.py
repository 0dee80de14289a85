"""Random policies, one class a dialect: every field that it has, and only what its API accepts.

What lives here: the shapes. What it must not know: what they mean.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from policy_world import NODES
from policy_worlds import LABELS, PORT_NAMES, PORTS, PROTOCOLS, Dice, Item, smaller

INGRESS, EGRESS = "Ingress", "Egress"
PRE_DNAT = {"preDNAT": True, "applyOnForward": True, "types": [INGRESS]}


def annotated(dice: Dice) -> Item:
    """Return the annotations of a policy: now and then names that its pods may reach."""
    if not dice.often(0.08):
        return {}
    return {"annotations": {"policy.octet.dev/domains": ", ".join(dice.domain() for _ in range(2))}}


class Kubernetes:
    """NetworkPolicy v1."""

    def __init__(self, dice: Dice, blocks: Sequence[str]) -> None:
        self.dice = dice
        self.blocks = blocks

    def some_policies(self) -> Iterator[Item]:
        for _ in range(1 + int(self.dice.chance.random() * 3)):
            yield self.policy()

    def policy(self) -> Item:
        dice = self.dice
        spec: Item = {"podSelector": dice.selector()}
        if dice.often(0.6):
            spec["policyTypes"] = dice.pick(([INGRESS], [EGRESS], [INGRESS, EGRESS]))
        if dice.often(0.7):
            spec["ingress"] = [self.rule("from") for _ in range(int(dice.chance.random() * 3))]
        if dice.often(0.5):
            spec["egress"] = [self.rule("to") for _ in range(int(dice.chance.random() * 3))]
        place = dice.pick(("x", "x", "y", "z"))
        metadata = {"name": dice.name("np"), "namespace": place, **annotated(dice)}
        return {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": metadata,
            "spec": spec,
        }

    def rule(self, key: str) -> Item:
        dice, rule = self.dice, {}
        if dice.often(0.8):
            rule[key] = [self.peer() for _ in range(1 + int(dice.chance.random() * 2))]
        if dice.often(0.6):
            rule["ports"] = [self.port() for _ in range(1 + int(dice.chance.random() * 2))]
        return rule

    def peer(self) -> Item:
        dice = self.dice
        if dice.often(0.3):
            block: Item = {"cidr": dice.pick(self.blocks)}
            hole = smaller(dice, block["cidr"])
            if hole is not None and dice.often(0.5):
                block["except"] = [hole]
            return {"ipBlock": block}
        kind = dice.pick(("pods", "namespaces", "both"))
        pods = {} if kind == "namespaces" else {"podSelector": dice.selector()}
        return pods if kind == "pods" else {**pods, "namespaceSelector": dice.selector()}

    def port(self) -> Item:
        dice, found = self.dice, {}
        if dice.often(0.7):
            found["protocol"] = dice.pick(PROTOCOLS)
        if dice.often(0.8):
            found["port"] = dice.pick((*PORTS, *PORT_NAMES))
            if isinstance(found["port"], int) and dice.often(0.3):
                found["endPort"] = found["port"] + dice.pick((0, 1, 8000))
        return found


class Cluster:
    """ClusterNetworkPolicy v1alpha2; priorities differ, because equal ones have no order."""

    def __init__(self, dice: Dice, blocks: Sequence[str]) -> None:
        self.dice = dice
        self.blocks = blocks

    def some_policies(self) -> Iterator[Item]:
        priorities = self.dice.chance.sample(range(1001), 3)
        for priority in priorities[: 1 + int(self.dice.chance.random() * 3)]:
            yield self.policy(priority)

    def policy(self, priority: int) -> Item:
        dice = self.dice
        spec: Item = {"tier": dice.pick(("Admin", "Baseline")), "priority": priority, "subject": self.pods()}
        if dice.often(0.7):
            spec["ingress"] = [self.rule("from") for _ in range(1 + int(dice.chance.random() * 3))]
        if dice.often(0.6):
            spec["egress"] = [self.rule("to") for _ in range(1 + int(dice.chance.random() * 3))]
        return {
            "apiVersion": "policy.networking.k8s.io/v1alpha2",
            "kind": "ClusterNetworkPolicy",
            "metadata": {"name": dice.name("cnp"), **annotated(dice)},
            "spec": spec,
        }

    def pods(self) -> Item:
        dice = self.dice
        if dice.often(0.5):
            return {"namespaces": dice.selector()}
        inside = {"namespaceSelector": dice.selector()} if dice.often(0.7) else {}
        return {"pods": {**inside, "podSelector": dice.selector()}}

    def rule(self, key: str) -> Item:
        dice = self.dice
        action = dice.pick(("Accept", "Deny", "Pass"))
        peers = [self.peer(key, action) for _ in range(1 + int(dice.chance.random() * 2))]
        rule: Item = {"action": action, key: peers}
        if dice.often(0.5):
            only_pods = all(set(peer) <= {"namespaces", "pods"} for peer in peers)
            rule["protocols"] = [
                self.protocol(named=only_pods) for _ in range(1 + int(dice.chance.random() * 2))
            ]
        return rule

    def peer(self, key: str, action: str) -> Item:
        dice = self.dice
        state = dice.chance.random() if key == "to" else 1
        if state < 0.1 and action == "Accept":
            return {"domainNames": sorted({dice.domain() for _ in range(2)})}
        if state < 0.25:
            return {"networks": sorted(set(dice.some(self.blocks, 2)))}
        if state < 0.35:
            return {"nodes": dice.pick(({}, {"matchLabels": {"zone": "node-1"}}))}
        return self.pods()

    def protocol(self, *, named: bool) -> Item:
        dice = self.dice
        if named and dice.often(0.3):
            return {"destinationNamedPort": dice.pick(PORT_NAMES)}
        number = dice.pick(PORTS)
        port: Item = {"number": number}
        if dice.often(0.3):
            port = {"range": {"start": number - 1, "end": number + 1}}
        return {dice.pick(("tcp", "udp", "sctp")): {"destinationPort": port} if dice.often(0.8) else {}}


class Calico:
    """NetworkPolicy, GlobalNetworkPolicy, Tier, network sets, services; orders differ."""

    def __init__(self, dice: Dice, blocks: Sequence[str]) -> None:
        self.dice = dice
        self.blocks = blocks

    def some_policies(self) -> Iterator[Item]:
        dice = self.dice
        tiers = ["default"]
        for name, order in (("early", 100), ("late", 2_000_000)):
            if dice.often(0.4):
                tiers.append(name)
                ending = {"defaultAction": dice.pick(("Deny", "Pass"))} if dice.often(0.6) else {}
                yield self.made("Tier", name, {"order": order, **ending})
        if dice.often(0.4):
            yield self.made(
                "GlobalNetworkSet",
                dice.name("gns"),
                {"nets": dice.some(self.blocks, 3)},
                labels=dice.labels(),
            )
        if dice.often(0.4):
            yield self.made(
                "NetworkSet", dice.name("ns"), {"nets": dice.some(self.blocks, 3)}, "x", dice.labels()
            )
        if dice.often(0.3):
            yield self.slice()
        orders = dice.chance.sample(range(2000), 3)
        for order in orders[: 1 + int(dice.chance.random() * 3)]:
            yield self.policy(order, dice.pick(tiers))
        if dice.often(0.1):
            yield self.made(
                "StagedGlobalNetworkPolicy", dice.name("s"), {"selector": "all()", "types": [INGRESS]}
            )

    def made(self, kind: str, name: str, spec: Item, namespace: str = "", labels: Item | None = None) -> Item:
        metadata: Item = {"name": name} | ({"namespace": namespace} if namespace else {})
        if kind.endswith("Policy"):
            metadata |= annotated(self.dice)
        if labels is not None:
            metadata["labels"] = labels
        return {"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": metadata, "spec": spec}

    def slice(self) -> Item:
        dice = self.dice
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": dice.name("s"),
                "namespace": "x",
                "labels": {"kubernetes.io/service-name": "svc"},
            },
            "addressType": "IPv4",
            "endpoints": [
                {"addresses": [dice.pick(("10.244.1.2", "10.244.2.3", "10.244.1.4", "203.0.113.7"))]}
            ],
            "ports": [{"name": "p", "port": dice.pick(PORTS), "protocol": dice.pick(PROTOCOLS)}],
        }

    def policy(self, order: int, tier: str) -> Item:
        dice = self.dice
        spec: Item = {"tier": tier}
        if dice.often(0.9):
            spec["order"] = order
        if dice.often(0.8):
            spec["selector"] = self.selector()
        namespaced = dice.often(0.5)
        if not namespaced and dice.often(0.4):
            spec["namespaceSelector"] = self.namespaces()
        if dice.often(0.1):
            spec["serviceAccountSelector"] = self.selector(1)
        if dice.often(0.5):
            spec["types"] = dice.pick(([INGRESS], [EGRESS], [INGRESS, EGRESS]))
        if dice.often(0.7):
            spec["ingress"] = [
                self.rule(INGRESS, namespaced=namespaced) for _ in range(int(dice.chance.random() * 3.5))
            ]
        if dice.often(0.5):
            spec["egress"] = [
                self.rule(EGRESS, namespaced=namespaced) for _ in range(int(dice.chance.random() * 3.5))
            ]
        name = dice.name("c") if tier == "default" else f"{tier}.{dice.name('c')}"
        if namespaced:
            return self.made("NetworkPolicy", name, spec, dice.pick(("x", "x", "y", "z")))
        return self.made("GlobalNetworkPolicy", name, spec)

    def hosts(self) -> Iterator[Item]:
        """Yield host endpoints of nodes, and policies of every stage for them."""
        dice = self.dice
        for node, address in NODES.items():
            for interface in dice.pick((["*"], ["*"], ["eth0"], [""], ["*", "eth0"], [])):
                spec: Item = {"node": node, "expectedIPs": [address]}
                if interface:
                    spec["interfaceName"] = interface
                if dice.often(0.4):
                    spec["profiles"] = ["projectcalico-default-allow"]
                yield self.made("HostEndpoint", dice.name("hep"), spec, labels=dice.labels())
        for order in dice.chance.sample(range(2000, 4000), 1 + int(dice.chance.random() * 3)):
            policy = self.policy(order, "default")
            stage = dice.pick(
                ({}, {"applyOnForward": True}, {"doNotTrack": True, "applyOnForward": True}, PRE_DNAT)
            )
            spec = {**policy["spec"], **stage}
            if "preDNAT" in stage:
                spec = {key: held for key, held in spec.items() if key != "egress"}
            yield self.made("GlobalNetworkPolicy", dice.name("h"), spec)

    def namespaces(self) -> str:
        dice = self.dice
        return str(
            dice.pick(
                ("all()", "global()", "projectcalico.org/name == 'x'", self.selector(1), self.selector(1))
            )
        )

    def selector(self, depth: int = 2) -> str:
        """Return an expression of the selector language."""
        dice = self.dice
        if depth and dice.often(0.35):
            joined = f" {dice.pick(('&&', '||'))} ".join(self.selector(depth - 1) for _ in range(2))
            return f"{dice.pick(('', '!'))}({joined})" if dice.often(0.4) else joined
        key = dice.pick(tuple(LABELS))
        value = dice.pick(LABELS[key])
        return str(
            dice.pick(
                (
                    "all()",
                    f"{key} == '{value}'",
                    f'{key} != "{value}"',
                    f"has({key})",
                    f"!has({key})",
                    f"{key} in {{'{value}', 'other'}}",
                    f"{key} not in {{'{value}'}}",
                    f"{key} contains '{value[0]}'",
                    f"{key} starts with '{value[:1]}'",
                    f"{key} ends with '{value[-1:]}'",
                )
            )
        )

    def rule(self, direction: str, *, namespaced: bool) -> Item:
        dice = self.dice
        rule: Item = {"action": dice.pick(("Allow", "Allow", "Deny", "Pass", "Log"))}
        protocol = dice.pick((None, None, *PROTOCOLS, "ICMP", "ICMPv6", 47))
        if protocol is not None:
            rule["protocol"] = protocol
            if str(protocol).startswith("ICMP") and dice.often(0.7):
                code = {"code": dice.pick((0, 1))} if dice.often(0.4) else {}
                rule[dice.pick(("icmp", "notICMP"))] = {"type": dice.pick((8, 3, 128, 1)), **code}
        elif dice.often(0.15):
            rule["notProtocol"] = dice.pick((*PROTOCOLS, "ICMP"))
        if dice.often(0.1) and not str(protocol).startswith("ICMP"):
            rule["ipVersion"] = dice.pick((4, 6))
        ports = protocol in PROTOCOLS
        for side in ("source", "destination"):
            if dice.often(0.6):
                rule[side] = self.entity(direction, side, ports=ports, namespaced=namespaced)
        return rule

    def entity(self, direction: str, side: str, *, ports: bool, namespaced: bool) -> Item:
        dice = self.dice
        far = (direction == INGRESS) == (side == "source")
        if far and dice.often(0.08):
            return {"services": {"name": "svc", "namespace": "x"}}
        found: Item = {}
        if dice.often(0.25):
            found["nets"] = sorted(set(dice.some(self.blocks, 2)))
        if dice.often(0.15):
            found["notNets"] = sorted(set(dice.some(self.blocks, 2)))
        if dice.often(0.4):
            found["selector"] = self.selector()
        if dice.often(0.15):
            found["notSelector"] = self.selector(1)
        if dice.often(0.3):
            found["namespaceSelector"] = self.namespaces()
        if dice.often(0.1):
            accounts: Item = {"names": ["robot"]} if dice.often(0.5) else {"selector": self.selector(1)}
            found["serviceAccounts"] = accounts
        if ports and dice.often(0.5):
            found["ports"] = [self.port(side) for _ in range(1 + int(dice.chance.random() * 2))]
        if ports and dice.often(0.15):
            found["notPorts"] = [self.port(side)]
        del namespaced
        return found

    def port(self, side: str) -> Any:
        if side == "source":
            return self.dice.pick((1024, "1000:1999", 2000))
        return self.dice.pick((*PORTS, "80:81", "1:8080", *PORT_NAMES))
