"""What the API would not have let in is not judged."""

from typing import Any, NoReturn

from octet.errors import BadConfigurationError


def refuse(owner: str, field: str, value: Any, problem: str) -> NoReturn:
    """Raise the error that says why an object has no meaning."""
    raise BadConfigurationError(owner, field, value, problem)
