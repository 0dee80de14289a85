"""The small family of errors, named by what the caller can do about them.

What lives here: the five errors that cross floors. What it must not know: CNI codes (``cni.spec``
translates once, at its boundary), exit codes (``cli`` does), errno texts of particular programs.
"""

import errno as errnos


class OctetError(Exception):
    """Something a person or a caller can act on; never shown as a traceback.

    Attributes:
        hint: what would do, as one sentence; empty where nothing helps.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message} ({self.hint})" if self.hint else message


class BadConfigurationError(OctetError):
    """The input is wrong and trying again will not help: names source, field, value and what would do."""

    def __init__(self, source: str, field: str, value: object, problem: str, *, hint: str = "") -> None:
        super().__init__(f"{source}: {field} = {value!r}: {problem}", hint=hint)
        self.source = source
        self.field = field
        self.value = value


class NotReadyError(OctetError):
    """Right request, wrong moment: trying again later is the answer."""


class ExhaustedError(OctetError):
    """A range, pool or limit is used up; something must be freed or widened first."""


class NotFoundError(OctetError):
    """The thing named is not there."""


class RefusedByKernelError(OctetError):
    """The kernel said no.

    Attributes:
        what: the object it refused, printable.
        errno: the kernel's error number (positive).
    """

    def __init__(self, what: object, errno: int, *, hint: str = "") -> None:
        name = errnos.errorcode.get(errno, str(errno))
        super().__init__(f"the kernel refused {what}: {name}", hint=hint)
        self.what = what
        self.errno = errno


class LostError(OctetError):
    """Part of a change is in force and part is not; ``what`` says which objects may be inconsistent."""

    def __init__(self, message: str, what: tuple[object, ...], *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.what = what
