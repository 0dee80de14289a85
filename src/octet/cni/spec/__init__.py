"""The CNI specification as values and pure functions: versions, results, errors, environment.

What lives here: what both sides of the protocol must agree on (spec 1.1.0, and libcni where it is silent).
What it must not know: files, sockets, processes, or what Octet does with a request.
"""

from octet.cni.spec.conversion import from_json, to_json
from octet.cni.spec.environment import Command
from octet.cni.spec.failures import CniError, Code, error_from_json, error_json, translate
from octet.cni.spec.result import Dns, Interface, Ip, Result, Route
from octet.cni.spec.versions import CURRENT, READABLE, SUPPORTED, at_least

__all__ = [
    "CURRENT",
    "READABLE",
    "SUPPORTED",
    "CniError",
    "Code",
    "Command",
    "Dns",
    "Interface",
    "Ip",
    "Result",
    "Route",
    "at_least",
    "error_from_json",
    "error_json",
    "from_json",
    "to_json",
    "translate",
]
