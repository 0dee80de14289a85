"""What `octet doctor` says of Debian's kernel, which has what many a machine of a test lacks."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.qemu

THERE = {
    *("ipip", "gre", "wireguard", "esp", "dummy", "ipvs", "vxlan", "vxlan6", "ifb", "tun"),
    *("tbf", "redirect", "bpf-tc", "sctp", "locked-ports"),
}
"""Features that Debian builds as modules; each is loaded because a probe asks for it."""


@pytest.fixture(scope="module")
def said() -> dict[str, dict[str, object]]:
    """What the command says, by feature; it takes seconds here, so it is asked once."""
    command = [sys.executable, "-m", "octet.cli.main", "doctor", "--json"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {row["feature"]: row for row in json.loads(text)}


def test_doctor_says_yes_to_what_debian_ships(said: dict[str, dict[str, object]]) -> None:
    """Tunnels, WireGuard, ESP, IPVS and dummy interfaces are found though none of them is loaded before."""
    assert {name: said[name]["answer"] for name in THERE} == dict.fromkeys(THERE, "yes")


def test_doctor_says_no_to_what_this_kernel_is_too_old_for(said: dict[str, dict[str, object]]) -> None:
    """Forgetting connections by filter came with Linux 6.9: no, and it says so."""
    row = said["conntrack-delete-by-filter"]
    assert row["answer"] == "no"
    assert "6.9" in json.dumps(row)
