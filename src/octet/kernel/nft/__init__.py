"""nftables in the kernel: our table, through libnftables in this process.

What lives here: the facility, the transaction it writes, the listing it reads, the events it hears.
What it must not know: features; which chains there should be.
"""

from octet.kernel.nft.facility import NftFacility
from octet.kernel.nft.library import Nft, NftError, Output

__all__ = ["Nft", "NftError", "NftFacility", "Output"]
