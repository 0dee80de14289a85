"""Fields that policies do not have, refused as kubectl and calicoctl refuse them (strict field validation).

What lives here: ``refuse_unknown``, and which fields there are. What it must not know: what fields mean.

A misspelled field is lost in silence, and what a policy lacks makes it wider: a rule without peers is about
everybody, one without ports about all of them. An API server hands on known fields only, so agents don't ask.
"""

from collections.abc import Mapping
from typing import Any

from octet.cluster.conduct import DENIED, DOMAINS, ESTABLISHED
from octet.cluster.reading import Fields, read

OWN = ESTABLISHED.partition("/")[0] + "/"
"""What our own annotations begin with."""

Schema = Mapping[str, "Schema | None"]
"""The fields of an object, or of each object of a list; None is a value, or free in its keys."""


OTHERS = "*"
"""In a schema: fields that it does not name are taken. Peers of ClusterNetworkPolicy may be of kinds newer
than us, about which its API has us fail closed (``policy.dialects.clusternetworkpolicy``)."""


def _values(*names: str) -> Schema:
    return dict.fromkeys(names)


_SELECTOR: Schema = {"matchLabels": None, "matchExpressions": _values("key", "operator", "values")}
_SELECTORS: Schema = {"podSelector": _SELECTOR, "namespaceSelector": _SELECTOR}

_PEER: Schema = {**_SELECTORS, "ipBlock": _values("cidr", "except")}
_PORT = _values("protocol", "port", "endPort")
_KUBERNETES: Schema = {
    **_values("policyTypes", "stagedAction"),
    "podSelector": _SELECTOR,
    "ingress": {"from": _PEER, "ports": _PORT},
    "egress": {"to": _PEER, "ports": _PORT},
}

_SUBJECT: Schema = {"namespaces": _SELECTOR, "pods": _SELECTORS}
_NUMBERS: Schema = {"destinationPort": {"number": None, "range": _values("start", "end")}}
_RULE: Schema = {
    **_values("name", "action"),
    "protocols": {**dict.fromkeys(("tcp", "udp", "sctp"), _NUMBERS), "destinationNamedPort": None},
}
_OUTSIDE: Schema = {"nodes": _SELECTOR, **_values("networks", "domainNames")}
_CLUSTER: Schema = {
    **_values("tier", "priority"),
    "subject": _SUBJECT,
    "ingress": {**_RULE, "from": {**_SUBJECT, **_values(OTHERS)}},
    "egress": {**_RULE, "to": {**_SUBJECT, **_OUTSIDE, **_values(OTHERS)}},
}

_END: Schema = {
    **_values("nets", "notNets", "selector", "notSelector", "namespaceSelector", "ports", "notPorts"),
    "serviceAccounts": _values("names", "selector"),
    "services": _values("name", "namespace"),
}
_ICMP = _values("type", "code")
_CALICO_RULE: Schema = {
    **_values("action", "ipVersion", "protocol", "notProtocol", "metadata"),
    "icmp": _ICMP,
    "notICMP": _ICMP,
    "source": _END,
    "destination": _END,
}
_CALICO: Schema = {
    **_values("tier", "order", "selector", "namespaceSelector", "serviceAccountSelector", "types"),
    **_values("doNotTrack", "preDNAT", "applyOnForward", "performanceHints", "stagedAction"),
    "ingress": _CALICO_RULE,
    "egress": _CALICO_RULE,
}

_SPECS: Mapping[str, Schema] = {
    "NetworkPolicy": _KUBERNETES,
    "StagedKubernetesNetworkPolicy": _KUBERNETES,
    "ClusterNetworkPolicy": _CLUSTER,
    "CalicoNetworkPolicy": _CALICO,
    "GlobalNetworkPolicy": _CALICO,
    "StagedNetworkPolicy": _CALICO,
    "StagedGlobalNetworkPolicy": _CALICO,
    "Tier": _values("order", "defaultAction"),
    "NetworkSet": _values("nets"),
    "GlobalNetworkSet": _values("nets"),
    "HostEndpoint": {
        **_values("node", "interfaceName", "expectedIPs", "profiles"),
        "ports": _values("name", "protocol", "port"),
    },
}


def refuse_unknown(kind: str, item: Mapping[str, Any]) -> None:
    """Refuse a field, or an annotation under our own prefix, that a kind of policy does not have.

    Raises:
        BadConfigurationError: naming object and field, and what there is in its place.
    """
    if kind not in _SPECS:
        return
    fields, metadata = read(kind, item)
    whole: Schema = {**_values("apiVersion", "kind", "metadata", "status"), "spec": _SPECS[kind]}
    _walk(fields, whole)
    annotations, known = metadata.child("annotations"), (ESTABLISHED, DENIED, DOMAINS)
    for key in annotations:
        if key.startswith(OWN) and key not in known:
            raise annotations.refusal(key, "has no meaning here", hint=f"known are {', '.join(known)}")


def _walk(fields: Fields, schema: Schema) -> None:
    if OTHERS not in schema:
        fields.only(schema, f"known are {', '.join(schema)}")
    for key, inner in schema.items():
        if inner is None:
            continue
        listed = isinstance(fields.raw(key), list | tuple)
        for each in fields.children(key) if listed else (fields.child(key),):
            _walk(each, inner)
