"""BIRD 2's configuration, from values: the same values give the same text, byte for byte.

What lives here: text (checked: BIRD 2.0.12, `bird -p`). What it must not know: files, processes, secrets.
"""

from octet.transport.bgp.rendering.common import daemon, services
from octet.transport.bgp.rendering.filtering import filters
from octet.transport.bgp.rendering.peering import session
from octet.transport.bgp.rendering.words import DAEMON, alone

__all__ = ["DAEMON", "alone", "daemon", "filters", "services", "session"]
