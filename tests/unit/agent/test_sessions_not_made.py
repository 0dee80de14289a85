"""`/bgp` tells sessions that should be there and are not."""

import json
from pathlib import Path

from octet.agent.metrics import Metrics
from octet.agent.sessions import Sessions
from octet.kernel.daemons import Daemons
from octet.kernel.daemons.fake import FakeProcesses, FakeRoutes


def test_a_session_that_is_not_made_is_told(tmp_path: Path) -> None:
    """It is a session in a state of its own with its reason; what else is no session is no session."""
    sessions, metrics = Sessions(Daemons(tmp_path, FakeProcesses(), FakeRoutes())), Metrics()
    sessions.failed = lambda: {
        ("config", "bgp", "peer.tor.conf"): "the secret is not known",
        ("config", "bgp", "owned.conf"): "something else",
        ("config", "bgp", "filter.f.conf"): "a filter",
    }
    sessions.unsure = lambda: ["peer.* stays as it was"]
    told = json.loads(sessions.answer()[2])
    (row,) = told["sessions"]
    assert (row["peer"], row["state"], row["error"]) == ("tor", "not made", "the secret is not known")
    assert told["problems"] == ["a filter", "peer.* stays as it was"]
    sessions.measure(metrics)
    assert 'octet_bgp_session_up{peer="tor"} 0' in metrics.text().decode()
