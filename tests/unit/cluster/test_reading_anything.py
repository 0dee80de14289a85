"""Whatever JSON a store holds, reading it gives a value or one of our errors, never another exception."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.cluster import objects
from octet.cluster.objects import KINDS
from octet.errors import BadConfigurationError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
SELECTOR = {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}
RULE = {"ports": [{"port": 1, "endPort": 2, "protocol": "TCP"}]}
PEER = {"podSelector": SELECTOR, "namespaceSelector": {}}
BLOCK = {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}
NUMBERED = {"udp": {"destinationPort": {"number": 53}}}
RANGE = {"destinationPort": {"range": {"start": 1, "end": 9}}}
CALICO_RULE = {
    "action": "Allow",
    "ipVersion": 4,
    "protocol": "TCP",
    "source": {"selector": "a == 'b' && !has(c)", "namespaceSelector": "all()", "notNets": ["10.0.0.0/8"]},
    "destination": {"ports": [80, "81:82", "web"], "notSelector": "d in {'e'}"},
}
CALICO_PING = {"action": "Log", "protocol": "ICMP", "icmp": {"type": 8, "code": 0}, "notICMP": {"type": 3}}
CALICO_SERVICE = {
    "action": "Deny",
    "destination": {"services": {"name": "s"}},
    "source": {"serviceAccounts": {"names": ["x"], "selector": "all()"}},
}
CALICO = {
    "spec": {
        "tier": "t",
        "order": 5,
        "selector": "a starts with 'b' || c ends with 'd'",
        "serviceAccountSelector": "has(e)",
        "types": ["Ingress", "Egress"],
        "ingress": [CALICO_RULE, CALICO_PING],
        "egress": [CALICO_SERVICE],
    }
}
METADATA = {"name": "x", "namespace": "y", "uid": "u", "labels": {"a": "b"}, "annotations": {"c": "d"}}

WHOLE = {
    "Node": {
        "spec": {"podCIDR": "10.0.0.0/24", "podCIDRs": ["10.0.0.0/24"], "providerID": "p"},
        "status": {
            "addresses": [{"type": "InternalIP", "address": "192.0.2.1"}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    },
    "Namespace": {},
    "Pod": {
        "spec": {
            "nodeName": "n",
            "hostNetwork": False,
            "containers": [{"ports": [{"name": "h", "containerPort": 1}]}],
        },
        "status": {"phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}]},
    },
    "NetworkPolicy": {
        "spec": {
            "podSelector": SELECTOR,
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [PEER, BLOCK], **RULE}],
            "egress": [{"to": [PEER], **RULE}],
        }
    },
    "Service": {
        "spec": {
            "clusterIPs": ["10.0.0.1"],
            "ports": [{"port": 1, "targetPort": "x"}],
            "sessionAffinity": "ClientIP",
            "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 1}},
            "loadBalancerSourceRanges": ["10.0.0.0/8"],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}},
    },
    "EndpointSlice": {
        "addressType": "IPv4",
        "endpoints": [
            {
                "addresses": ["10.0.0.1"],
                "conditions": {"ready": True},
                "hints": {"forZones": [{"name": "a"}]},
                "targetRef": {"kind": "Pod", "name": "p"},
            }
        ],
        "ports": [{"port": 1}],
    },
    "ServiceAccount": {},
    "ClusterNetworkPolicy": {
        "spec": {
            "tier": "Admin",
            "priority": 5,
            "subject": {"pods": {"podSelector": SELECTOR, "namespaceSelector": {}}},
            "ingress": [
                {
                    "action": "Pass",
                    "from": [{"namespaces": SELECTOR}],
                    "protocols": [NUMBERED, {"tcp": RANGE}],
                }
            ],
            "egress": [
                {"action": "Deny", "to": [{"networks": ["10.0.0.0/8"]}, {"nodes": SELECTOR}]},
                {"action": "Accept", "to": [{"domainNames": ["*.example.com"]}]},
                {
                    "action": "Accept",
                    "to": [{"pods": {"podSelector": {}}}],
                    "protocols": [{"destinationNamedPort": "web"}],
                },
            ],
        }
    },
    "Tier": {"spec": {"order": 10.5, "defaultAction": "Pass"}},
    "CalicoNetworkPolicy": CALICO,
    "GlobalNetworkPolicy": {"spec": {**CALICO["spec"], "namespaceSelector": "all()", "applyOnForward": True}},
    "StagedNetworkPolicy": {"spec": {**CALICO["spec"], "stagedAction": "Set"}},
    "StagedGlobalNetworkPolicy": CALICO,
    "NetworkSet": {"spec": {"nets": ["10.0.0.0/8"]}},
    "GlobalNetworkSet": {"spec": {"nets": ["10.0.0.0/8"]}},
    "HostEndpoint": {
        "spec": {
            "node": "n",
            "interfaceName": "eth0",
            "expectedIPs": ["192.0.2.1"],
            "profiles": ["p"],
            "ports": [{"name": "web", "protocol": "TCP", "port": 80}],
        }
    },
    "IPPool": {
        "spec": {
            "cidr": "10.0.0.0/16",
            "blockSize": 26,
            "vxlanMode": "CrossSubnet",
            "nodeSelector": "all()",
            "allowedUses": ["Workload"],
            "assignmentMode": "Automatic",
        },
        "status": {"conditions": [{"type": "Allocatable", "status": "True"}]},
    },
    "IPReservation": {"spec": {"reservedCIDRs": ["10.0.0.0/30"]}},
    "IPAMConfiguration": {
        "metadata": {"name": "default"},
        "spec": {"strictAffinity": True, "maxBlocksPerHost": 4, "ipCooldownSeconds": 60},
    },
    "IPAMBlock": {
        "spec": {
            "cidr": "10.0.0.0/31",
            "affinity": "host:n",
            "allocations": [0, None],
            "unallocated": [1],
            "attributes": [{"handle_id": "h", "secondary": {"node": "m"}}],
            "sequenceNumber": 7,
            "sequenceNumberForAllocation": {"0": 6},
        }
    },
    "BlockAffinity": {"spec": {"cidr": "10.0.0.0/31", "node": "n", "state": "confirmed", "deleted": "false"}},
}
FILTER_RULE = {
    "cidr": "10.0.0.0/8",
    "matchOperator": "In",
    "prefixLength": {"min": 24, "max": 26},
    "source": "RemotePeers",
    "interface": "eth*",
    "peerType": "eBGP",
    "communities": {"values": ["64512:1", "64512:1:2"]},
    "asPathPrefix": [65001, 65002],
    "operations": [{"addCommunity": {"value": "64512:3"}}, {"prependASPath": {"prefix": [64512]}}],
    "action": "Accept",
}
PASSWORD = {"secretKeyRef": {"name": "bgp", "key": "password"}}
WHOLE["BGPConfiguration"] = {
    "metadata": {"name": "default"},
    "spec": {
        "logSeverityScreen": "Info",
        "nodeToNodeMeshEnabled": False,
        "asNumber": "1.10",
        "listenPort": 1790,
        "bindMode": "NodeIP",
        "nodeMeshPassword": PASSWORD,
        "nodeMeshMaxRestartTime": "2m",
        "ignoredInterfaces": ["dummy*"],
        "communities": [{"name": "gold", "value": "64512:7"}],
        "prefixAdvertisements": [{"cidr": "10.0.0.0/8", "communities": ["gold", "64512:8"]}],
        "serviceClusterIPs": [{"cidr": "10.96.0.0/12"}],
        "serviceLoadBalancerAggregation": "Disabled",
    },
}
WHOLE["BGPPeer"] = {
    "spec": {
        "nodeSelector": "rack == 'a'",
        "peerIP": "192.0.2.1:1790",
        "asNumber": 65001,
        "localASNumber": 64999,
        "nextHopMode": "Keep",
        "password": PASSWORD,
        "sourceAddress": "None",
        "maxRestartTime": "1m30s",
        "keepaliveTime": "5s",
        "numAllowedLocalASNumbers": 1,
        "ttlSecurity": 2,
        "reachableBy": "192.0.2.9",
        "filters": ["f"],
    }
}
WHOLE["BGPFilter"] = {"spec": {"importV4": [FILTER_RULE], "exportV6": [{"action": "Reject"}]}}
WHOLE["FelixConfiguration"] = {
    "metadata": {"name": "default"},
    "spec": {
        "vxlanVNI": 4096,
        "vxlanPort": 4789,
        "vxlanMTU": 1400,
        "interfacePrefix": "cali",
        "ipv6Support": True,
        "logSeverityScreen": "Info",
    },
}
WHOLE["StagedKubernetesNetworkPolicy"] = WHOLE["NetworkPolicy"]


def places(value, path=()):
    """Yield the path to every value inside an object."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield (*path, key)
        yield from places(inner, (*path, key))


def replaced(item, path, value):
    """Return an object with something else in one place."""
    made = copy.deepcopy(item)
    at = made
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return made


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(deadline=None)
def test_anything_in_any_place(kind, data):
    """An object with any JSON in any one place is read, or refused as a wrong configuration of it."""
    whole = {"metadata": METADATA, **WHOLE[kind]}
    item = replaced(whole, data.draw(st.sampled_from(list(places(whole)))), data.draw(JSON))
    refused = None
    try:
        getattr(objects, kind).from_object(item)
    except BadConfigurationError as error:
        refused = error
    assert refused is None or refused.source.startswith(f"{kind} ")


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_object_is_read(kind):
    """The objects that the test above spoils are themselves read."""
    item = {"metadata": METADATA, **WHOLE[kind]}
    assert getattr(objects, kind).from_object(item).name == item["metadata"]["name"]
