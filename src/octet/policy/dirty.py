"""What a change leaves to be decided anew.

What lives here: ``Dirty``. What it must not know: how anything is decided (``engine``).
"""

from dataclasses import dataclass, field

from octet.cluster.endpoint import Attachment
from octet.cluster.objects import Address
from octet.policy.groups import Group


@dataclass
class Dirty:
    """What has to be decided anew; ``altered`` are programs whose sets came to hold something else."""

    endpoints: dict[Attachment, None] = field(default_factory=dict)
    addresses: dict[Address, None] = field(default_factory=dict)
    groups: dict[Group, None] = field(default_factory=dict)
    programs: dict[str, None] = field(default_factory=dict)
    sources: set[str] = field(default_factory=set)
    altered: set[str] = field(default_factory=set)
    hosts: bool = False
