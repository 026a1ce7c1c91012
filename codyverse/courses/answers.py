"""When two typed answers are the same: texts and numbers, however a keyboard or a country writes them."""

import re
import unicodedata
from collections.abc import Iterable
from decimal import Decimal

MAX_NUMBER_LENGTH = 40
_QUOTES = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad", None),
    }
)
_SIGNS = str.maketrans(dict.fromkeys("\u2212\u2013\u2010\u2011\ufe63\uff0d", "-"))
_SPACES = re.compile(r"\s+")
_PLAIN = re.compile(r"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]{1,2})?\Z")
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(?:([, '])[0-9]{3})(?:\1[0-9]{3})*(?:\.[0-9]+)?\Z")


def normal(text: str, *, exact: bool = False) -> str:
    """The text as it is compared: composed characters, straight quotes, no outer spaces.

    Unless `exact`, case does not count either, and a run of spaces is one space.
    """
    plain = unicodedata.normalize("NFC", text).translate(_QUOTES).strip()
    if exact:
        return plain
    return unicodedata.normalize("NFC", _SPACES.sub(" ", plain).casefold())


def readings(text: str) -> tuple[Decimal, ...]:
    """The numbers that a typed text can mean; none when it is no number.

    `20`, `20.0`, `20,0`, `+20` and `2e1` mean the same. A comma before exactly three digits has two readings:
    `6,000` is 6 for those who write a decimal comma and 6000 for those who group by thousands. Nobody should lose an
    answer over that, so both count.
    """
    if len(text) > MAX_NUMBER_LENGTH:
        return ()
    plain = _SPACES.sub(
        " ", "".join(_digit(sign) for sign in text).translate(_QUOTES).translate(_SIGNS).strip()
    )
    found = []
    if _PLAIN.match(plain):
        found.append(Decimal(plain.replace(",", ".")))
    grouped = _GROUPED.match(plain)
    if grouped:
        found.append(Decimal(plain.replace(grouped[1], "")))
    return tuple(found)


def _digit(sign: str) -> str:
    value = unicodedata.decimal(sign, None)
    return sign if value is None else str(value)


def fits(
    text: str,
    accept: Iterable[str],
    number: Decimal | None,
    tolerance: Decimal = Decimal(0),
    *,
    exact: bool = False,
) -> bool:
    """Whether a typed text is one of the accepted forms, or a number within the tolerance (inclusive)."""
    if number is not None and any(abs(value - number) <= tolerance for value in readings(text)):
        return True
    typed = normal(text, exact=exact)
    return any(typed == normal(form, exact=exact) for form in accept)


def same_mistake(text: str, known: str, *, numeric: bool, exact: bool = False) -> bool:
    """Whether a typed text is this known mistake: by its value in a number's gap, else by its letters."""
    if normal(text, exact=exact) == normal(known, exact=exact):
        return True
    return numeric and bool(set(readings(text)[:1]) & set(readings(known)[:1]))
