"""Own SVG drawings: which elements and attributes they may use, and how they become part of a page.

Whatever is not on the lists is a fault for the author, and is dropped if it gets here all the same.
"""

import re
from collections.abc import Iterator
from html import escape

from lxml import etree

SVG = "{http://www.w3.org/2000/svg}"
MAX_BYTES = 40_000
MIN_FONT_UNITS = 14
REFERENCE_WIDTH = 640


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ELEMENTS = _words("""
    svg g path rect circle ellipse line polyline polygon text tspan title desc defs marker
    linearGradient radialGradient stop clipPath
""")
ATTRIBUTES = _words("""
    id class viewBox preserveAspectRatio role aria-label aria-hidden x y x1 y1 x2 y2 cx cy r rx ry dx dy d points
    width height transform fill fill-opacity fill-rule stroke stroke-width stroke-opacity stroke-linecap
    stroke-linejoin stroke-dasharray stroke-dashoffset stroke-miterlimit opacity font-family font-size font-weight
    font-style text-anchor dominant-baseline letter-spacing textLength lengthAdjust marker-start marker-mid
    marker-end markerWidth markerHeight markerUnits orient refX refY offset stop-color stop-opacity gradientUnits
    gradientTransform clip-path clip-rule clipPathUnits vector-effect paint-order rotate
""")
_PAINT = frozenset(("fill", "stroke", "stop-color"))
_PAINTS = re.compile(r"(?:none|currentColor|inherit|transparent|url\(#[\w-]+\))\Z")
_CLASSES = re.compile(r"c[1-4](?:-fill|-stroke)?\Z")
_REFERENCE = re.compile(r"url\(\s*['\"]?#([\w-]+)['\"]?\s*\)")
_ID = re.compile(r"[A-Za-z][\w-]{0,59}\Z")
_LENGTH = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,4})?)(?:px)?\Z")
_UNSEEN = frozenset(("title", "desc"))


class PictureFault(Exception):
    """The text is no drawing that can be read. `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


def read(source: str) -> etree._Element:
    """The root of the drawing. Raises PictureFault; external things are never fetched, entities never expanded."""
    if "<!DOCTYPE" in source.upper() or "<!ENTITY" in source.upper():
        raise PictureFault(1, "a picture has no DOCTYPE and no entities; take them out")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(source.encode(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        line = getattr(error, "lineno", 1) or 1
        raise PictureFault(line, f"this is not well-formed SVG ({error})") from error
    if root.tag != f"{SVG}svg":
        raise PictureFault(1, 'the root must be <svg xmlns="http://www.w3.org/2000/svg" viewBox="…">')
    return root


def faults(source: str) -> Iterator[tuple[int, str]]:
    """Everything that an author has to mend in a drawing, as (line, message)."""
    if len(source.encode()) > MAX_BYTES:
        yield 1, f"the picture is larger than {MAX_BYTES // 1000} kB; draw it with fewer points"
    try:
        root = read(source)
    except PictureFault as fault:
        yield fault.line, fault.message
        return
    yield from _root_faults(root)
    known: set[str] = set()
    for element in root.iter():
        yield from _element_faults(element, known)
    for element in root.iter():
        for value in element.attrib.values():
            for name in _REFERENCE.findall(str(value)):
                if name not in known:
                    yield _line(element), f"`url(#{name})` points to an id that is not there"


def _root_faults(root: etree._Element) -> Iterator[tuple[int, str]]:
    box = (root.get("viewBox") or "").replace(",", " ").split()
    if (
        len(box) != 4
        or not all(re.match(r"-?[0-9]+(\.[0-9]+)?\Z", part) for part in box)
        or float(box[2]) <= 0
    ):
        yield 1, 'the root needs a viewBox such as viewBox="0 0 640 300"'
    else:
        yield from _text_faults(root, float(box[2]))
    for name in ("width", "height"):
        if root.get(name) is not None:
            yield (
                1,
                f"take `{name}` off the root; the page decides how large it is, the viewBox how it is shaped",
            )


def _text_faults(root: etree._Element, width: float) -> Iterator[tuple[int, str]]:
    least = MIN_FONT_UNITS * width / REFERENCE_WIDTH
    for element in root.iter(f"{SVG}text", f"{SVG}tspan"):
        if not (element.text or "").strip():
            continue
        sizes = (node.get("font-size") for node in (element, *element.iterancestors()))
        size = next((found for found in sizes if found is not None), None)
        match = _LENGTH.match(size or "")
        if match is None:
            yield (
                _line(element),
                "this text needs a font-size as a plain number, on itself or on a group around it",
            )
        elif float(match[1]) + 1e-9 < least:
            yield (
                _line(element),
                f"this text is too small to read: font-size {match[1]}, at least {least:g} at this viewBox",
            )


def _element_faults(element: etree._Element, known: set[str]) -> Iterator[tuple[int, str]]:
    line, name = _line(element), _local(element)
    if not str(element.tag).startswith(SVG) or name not in ELEMENTS:
        yield (
            line,
            f"the element <{name}> is not allowed in a picture; allowed are {', '.join(sorted(ELEMENTS))}",
        )
        return
    for attribute, value in _attribute_pairs(element):
        if attribute == "id":
            if not _ID.match(value) or value in known:
                yield line, f"the id `{value[:30]}` must be a plain word that stands here once"
            known.add(value)
        yield from ((line, message) for message in _attribute_faults(attribute, value))


def _attribute_pairs(element: etree._Element) -> Iterator[tuple[str, str]]:
    return ((str(name), str(value).strip()) for name, value in element.attrib.items())


def _attribute_faults(attribute: str, value: str) -> Iterator[str]:
    if attribute not in ATTRIBUTES:
        shown = attribute.rsplit("}", 1)[-1]
        yield f"the attribute `{shown}` is not allowed in a picture; use plain drawing attributes"
    elif "url(" in value and not _REFERENCE.fullmatch(value):
        yield f"`{attribute}` may point only to something in the same picture: url(#id)"
    elif attribute in _PAINT and not _PAINTS.match(value):
        yield f'{attribute}="{value[:30]}" shows in one theme only; use currentColor, none or the classes c1 to c4'
    elif attribute == "class":
        for word in value.split():
            if not _CLASSES.match(word):
                yield f"the class `{word[:30]}` is unknown; use c1 to c4, c1-fill … or c1-stroke …"


def _line(element: etree._Element) -> int:
    line: int | None = element.sourceline  # type: ignore[assignment]
    return line or 1


def _local(element: etree._Element) -> str:
    return str(element.tag).rsplit("}", 1)[-1]


def render(source: str, alternative: str, prefix: str) -> str:
    """The drawing as part of a page: only what the lists allow, ids with `prefix`, the text alternative as its name."""
    root = read(source)
    inner = "".join(_render(child, prefix) for child in root) if len(root) else ""
    attributes = _attributes(root, prefix, skip={"role", "aria-label", "width", "height"})
    return f'<figure class="picture"><svg{attributes} role="img" aria-label="{escape(alternative)}">{inner}</svg></figure>'


def _render(element: etree._Element, prefix: str) -> str:
    name = _local(element)
    tail = escape(element.tail or "", quote=False) if _local_parent(element) in ("text", "tspan") else ""
    if not str(element.tag).startswith(SVG) or name not in ELEMENTS or name in _UNSEEN:
        return tail
    words = escape(element.text or "", quote=False) if name in ("text", "tspan") else ""
    inner = words + "".join(_render(child, prefix) for child in element)
    start = f"<{name}{_attributes(element, prefix)}"
    return f"{start}>{inner}</{name}>{tail}" if inner else f"{start}/>{tail}"


def _local_parent(element: etree._Element) -> str:
    parent = element.getparent()
    return _local(parent) if parent is not None else ""


def _attributes(element: etree._Element, prefix: str, skip: frozenset[str] | set[str] = frozenset()) -> str:
    shown = []
    for attribute, raw in element.attrib.items():
        name, value = str(attribute), str(raw)
        if (
            name not in ATTRIBUTES
            or name in skip
            or ("url(" in value and not _REFERENCE.fullmatch(value.strip()))
        ):
            continue
        if name == "id":
            value = prefix + value
        value = _REFERENCE.sub(rf"url(#{prefix}\1)", value)
        shown.append(f' {name}="{escape(value)}"')
    return "".join(shown)
