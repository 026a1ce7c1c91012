"""Names that people give: one line of visible signs, written in one way."""

import unicodedata

_UNSHOWN = frozenset({"Cc", "Cs", "Cn", "Co"})
_TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def on_one_line(name: str) -> str:
    """In Unicode's composed form (NFC), with single spaces between the words and none around."""
    return " ".join(unicodedata.normalize("NFC", name).split())


def can_be_shown(name: str) -> bool:
    """Whether every sign is visible or joins visible ones, and none turns the direction of the text around it."""
    return not any(unicodedata.category(sign) in _UNSHOWN or sign in _TURNING for sign in name)
