"""The plugin's two keys, out of the top level of a JSON object: the same scanner as in plugin/octet-cni.c.

What lives here: Config. What it must not know: sockets. It imports nothing, because a runtime starts it anew
for every call; nothing here recurses, so depth costs nothing.
"""

BAD_JSON, BAD_CONFIG = 6, 7
PATH_ROOM = 108
VERSION_ROOM = 17

DEFAULT_SOCKET = b"/run/octet/cni.sock"

_SPACE = b" \t\n\r"


class Config:
    """The two keys we need, out of the top level of a JSON object; the agent judges all the rest."""

    def __init__(self) -> None:
        self.socket = DEFAULT_SOCKET
        self.version = "1.1.0"

    def scan(self, text: bytes) -> int:
        """Take ``socket`` and ``cniVersion``; return 0, or the code that says what is wrong."""
        wrong = 0
        at = _skip_space(text, 0)
        if text[at : at + 1] != b"{":
            return BAD_JSON
        at = _skip_space(text, at + 1)
        if text[at : at + 1] == b"}":
            return 0 if _skip_space(text, at + 1) == len(text) else BAD_JSON
        while True:
            key, closing, value = _member(text, at)
            if closing < 0:
                return BAD_JSON
            quote = _string_end(text, value)
            wrong = self._take(text[key + 1 : closing].lower(), text[value + 1 : quote], quote, wrong)
            at = _skip_space(text, quote + 1) if quote >= 0 else _value_end(text, value)
            found = text[at : at + 1] if at >= 0 else b""
            if found == b"}":
                return wrong if _skip_space(text, at + 1) == len(text) else BAD_JSON
            if found != b",":
                return BAD_JSON
            at += 1

    def _take(self, key: bytes, value: bytes, quote: int, wrong: int) -> int:
        if key == b"socket":
            found = _unescaped(value, PATH_ROOM) if quote >= 0 else b""
            self.socket = found
            return 0 if found.startswith(b"/") else BAD_CONFIG
        if key == b"cniversion" and quote >= 0:
            found = _unescaped(value, VERSION_ROOM)
            if found and not found.strip(b"0123456789."):
                self.version = found.decode()
        return wrong


def _member(text: bytes, at: int) -> tuple[int, int, int]:
    """Return where a member's key opens and closes and its value starts; closing is -1 if it has none."""
    key = _skip_space(text, at)
    closing = _string_end(text, key)
    colon = _skip_space(text, closing + 1)
    if closing < 0 or text[colon : colon + 1] != b":":
        return key, -1, -1
    return key, closing, _skip_space(text, colon + 1)


def _skip_space(text: bytes, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _string_end(text: bytes, at: int) -> int:
    """From an opening quote to the closing one; -1 if there is none."""
    if text[at : at + 1] != b'"':
        return -1
    at += 1
    while at < len(text) and text[at] >= 0x20:
        if text[at] == 0x22:
            return at
        at += 2 if text[at] == 0x5C else 1
    return -1


def _value_end(text: bytes, at: int) -> int:
    """To the comma or bracket that ends a value; -1 if there is none."""
    depth = 0
    while at < len(text):
        character = text[at]
        if character == 0x22:
            at = _string_end(text, at)
            if at < 0:
                return -1
        elif depth == 0 and character in b",}]":
            return at
        elif character in b"{[":
            depth += 1
        elif character in b"}]":
            depth -= 1
        at += 1
    return -1


def _unescaped(text: bytes, room: int) -> bytes:
    """Return a string's bytes; empty if it is too long or has escapes that no path or version needs."""
    found = bytearray()
    at = 0
    while at < len(text):
        if text[at] == 0x5C:
            at += 1
            if text[at] not in b'/\\"':
                return b""
        found.append(text[at])
        at += 1
    return bytes(found) if len(found) < room else b""
