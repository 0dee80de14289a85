"""Secrets as files: what Kubernetes mounts of a Secret, one file for each key.

What lives here: looking one up when it is needed; nothing is kept. What it must not know: who needs it.
The agent needs no right to read Secrets: the operator mounts those that it shall know.
"""

from pathlib import Path

from octet.blueprint import Secret

LARGEST = 4096
"""Bytes of a secret, at most."""


class SecretFiles:
    """Secrets below a directory: ``NAMESPACE/NAME/KEY``."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __call__(self, secret: Secret) -> str | None:
        """Return a secret's text without its last line break; None where there is no such file."""
        names = (secret.namespace, secret.name, secret.key)
        if any(not name or "/" in name or name.startswith(".") for name in names):
            return None
        try:
            with self._root.joinpath(*names).open(encoding="utf-8") as file:
                text = file.read(LARGEST + 1)
        except (OSError, UnicodeDecodeError):
            return None
        return text.removesuffix("\n") if len(text) <= LARGEST else None
