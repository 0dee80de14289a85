"""Values by identity, for what is remembered between versions of the View.

What lives here: ``Same``. What it must not know: what is remembered, and for whom.
"""

from typing import Generic, TypeVar

T = TypeVar("T")


class Same(Generic[T]):
    """A value that equals itself alone: what did not change from one View to the next is the same object.

    It is compared at no cost, however large the value is, and is the key of a cache even where the value
    can't be hashed. A cache keeps it alive, so its identity is not given to another value meanwhile.

    Attributes:
        held: the value.
    """

    __slots__ = ("held",)

    def __init__(self, held: T) -> None:
        self.held = held

    def __hash__(self) -> int:
        return id(self.held)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.held is self.held
