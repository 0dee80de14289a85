"""What a change leaves to be decided anew.

What lives here: ``Dirty``. What it must not know: how anything is decided (``engine``).
"""

from dataclasses import dataclass, field

from octet.cluster.endpoint import Attachment
from octet.cluster.objects import Address
from octet.policy.groups import Group


@dataclass
class Dirty:
    """What has to be decided anew.

    Attributes:
        addresses: of pods that are not what they were; all of them change in one transaction.
        members: addresses of pods that are, in groups that came or went.
        altered: programs whose sets came to hold something else.
    """

    endpoints: dict[Attachment, None] = field(default_factory=dict)
    addresses: dict[Address, None] = field(default_factory=dict)
    members: dict[Address, None] = field(default_factory=dict)
    groups: dict[Group, None] = field(default_factory=dict)
    programs: dict[str, None] = field(default_factory=dict)
    sources: set[str] = field(default_factory=set)
    altered: set[str] = field(default_factory=set)
    hosts: bool = False

    def __bool__(self) -> bool:
        held = (self.endpoints, self.addresses, self.programs, self.sources)
        return self.hosts or any(held)
