"""BIRD 2's configuration, from values: the same values give the same text, byte for byte.

What lives here: text (checked: BIRD 2.0.12, `bird -p`). What it must not know: files, processes, secrets.
"""

from octet.transport.bgp.rendering.common import daemon, services
from octet.transport.bgp.rendering.filtering import filter_file, filters
from octet.transport.bgp.rendering.peering import peer_file, session
from octet.transport.bgp.rendering.words import DAEMON, alone

__all__ = ["DAEMON", "alone", "daemon", "filter_file", "filters", "peer_file", "services", "session"]
