"""Small manifests of pods and NetworkPolicies, for tests that read them as files would be read.

What lives here: their shape. What it must not know: what is asked of them.
"""

from typing import Any

Object = dict[str, Any]


def pod(name: str, namespace: str = "shop", address: str = "", **labels: str) -> Object:
    """A pod, with an address or without."""
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    status = {"podIP": address} if address else {}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {}, "status": status}


def policy(name: str, namespace: str = "shop", **spec: object) -> Object:
    """A NetworkPolicy."""
    spec.setdefault("podSelector", {})
    version, metadata = "networking.k8s.io/v1", {"name": name, "namespace": namespace}
    return {"apiVersion": version, "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}
