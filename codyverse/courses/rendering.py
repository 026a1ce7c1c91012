"""Markdown to HTML that may be printed as it is: highlighted, cleaned, valid, without styles or scripts.

This happens once, when a course is loaded. Everything passes through a cleaner with a short list of tags; pictures are
cleaned by their own list and put in afterwards.
"""

import re
from collections.abc import Iterator, MutableMapping, Sequence
from html import escape, unescape
from typing import Any

import nh3
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from pygments.token import Comment, Keyword, Name, Number, Operator, String, _TokenType

from codyverse.courses import pictures
from codyverse.courses.authoring.tree import Picture
from codyverse.courses.markdown import OUTPUT, STDIN, is_comment, lexer_for, parser

VERSION = 1
"""Raised when the same text is rendered differently, so that `content apply` looks at every course again."""

Env = MutableMapping[str, Any]
_GAP, _PICTURE = 0xE000, 0xE400
_MARKS = re.compile("[\ue000-\uf8ff]")
_GAP_MARK = re.compile("([\ue000-\ue3ff])")
_WRITTEN_GAP = re.compile(r"\[\[([1-9][0-9]?)\]\]")

_CLASSES: tuple[tuple[_TokenType, str], ...] = (
    (Comment, "c"),
    (Keyword, "k"),
    (Operator.Word, "k"),
    (String, "s"),
    (Number, "m"),
    (Name.Builtin, "nb"),
    (Name.Exception, "nb"),
    (Name.Function, "nf"),
    (Name.Class, "nf"),
    (Name.Decorator, "nf"),
    (Name.Tag, "k"),
    (Name.Attribute, "nb"),
)
_TAGS = "p em strong code pre span a ul ol li table thead tbody tr th td blockquote h3 h4 h5 h6 figure figcaption div br hr"
_CLEANER = nh3.Cleaner(
    tags=set(_TAGS.split()),
    attributes={
        "a": {"href", "title"},
        "pre": {"tabindex", "role", "aria-label"},
        "div": {"class", "tabindex", "role", "aria-label"},
        "figure": {"class"},
        "code": {"class"},
        "span": {"class"},
        "th": {"class", "scope"},
        "td": {"class"},
        "ol": {"start"},
    },
    url_schemes={"http", "https"},
    link_rel="noopener",
)


def render(text: str, shown: dict[str, Picture] | None = None, prefix: str = "") -> str:
    """A text of paragraphs, lists, tables, code and pictures as HTML.

    `shown` holds the pictures by the name used in the text; their ids begin with `prefix`, which must be unique on the
    page on which this text stands.
    """
    env: Env = {"shown": shown or {}, "used": []}
    cleaned = _cleaned(_MARKS.sub("", text), env)
    for number, (source, alternative) in enumerate(env["used"]):
        drawing = pictures.render(source, alternative, f"{prefix}{number}-")
        cleaned = cleaned.replace(chr(_PICTURE + number), drawing)
    return cleaned


def render_small(text: str) -> str:
    """An option or an item as phrasing content, fit for a label or a button: code fences become `code.block`."""
    return _cleaned(_MARKS.sub("", text), {"small": True, "shown": {}, "used": []})


def render_gaps(text: str) -> list[str | int]:
    """A text with gaps as pieces of HTML and the numbers of the gaps (from 0) between them.

    The pieces are whole only together: a gap may stand inside a paragraph or a code block.
    """
    marked = _WRITTEN_GAP.sub(lambda found: chr(_GAP + int(found[1]) - 1), _MARKS.sub("", text))
    pieces = _GAP_MARK.split(_cleaned(marked, {"shown": {}, "used": []}))
    return [ord(piece) - _GAP if number % 2 else piece for number, piece in enumerate(pieces) if piece]


def render_code(code: str, language: str) -> str:
    """One line of code, highlighted, as phrasing content."""
    return f'<code class="highlight">{_highlighted(code, language)}</code>'


def plain(html: str) -> str:
    """The words of rendered HTML, on one line."""
    return " ".join(unescape(nh3.clean(html, tags=set())).split())


def _cleaned(text: str, env: Env) -> str:
    tokens = _MARKDOWN.parse(text, env)
    _prepare(tokens, env)
    return _CLEANER.clean(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, env)).strip()


def _prepare(tokens: list[Token], env: Env) -> None:
    """Take pictures out of their paragraphs, and the only paragraph of a small text out of its tags."""
    alone = bool(env.get("small")) and len(tokens) == 3
    for number, token in enumerate(tokens):
        children = token.children or []
        is_picture = token.type == "inline" and len(children) == 1 and children[0].type == "image"
        if token.type == "inline" and (is_picture or alone):
            tokens[number - 1].hidden = tokens[number + 1].hidden = True


def _highlighted(code: str, language: str) -> str:
    lexer = lexer_for(language) if language else None
    if lexer is None:
        return escape(code.rstrip("\n"), quote=False)
    spans = ((_class(kind), value) for kind, value in lexer.get_tokens(code))
    return "".join(_merged(spans)).rstrip("\n")


def _class(kind: _TokenType) -> str:
    return next((name for family, name in _CLASSES if kind in family), "")  # type: ignore[comparison-overlap]


def _merged(spans: Iterator[tuple[str, str]]) -> Iterator[str]:
    """Neighbours of one class as one span; what has no class without any."""
    last, words = "", ""
    for name, value in [*spans, ("end", "")]:
        if name == last:
            words += value
            continue
        shown = escape(words, quote=False)
        yield f'<span class="{last}">{shown}</span>' if last else shown
        last, words = name, value


def _code_block(code: str, language: str, label: str) -> str:
    shown = _highlighted(code, language)
    return f'<pre tabindex="0" role="group" aria-label="{escape(label)}"><code>{shown}</code></pre>'


def _fence(_self: RendererHTML, tokens: Sequence[Token], index: int, _options: Any, env: Env) -> str:
    token = tokens[index]
    language = (token.info.split() or [""])[0]
    if env.get("small"):
        return f'<code class="highlight block">{_highlighted(token.content, language)}</code>\n'
    if language in (OUTPUT, STDIN):
        label, name = ("Output", "output") if language == OUTPUT else ("Typed in", "typed")
        block = _code_block(token.content, "", label)
        return f'<figure class="{name}"><figcaption>{label}</figcaption>{block}</figure>\n'
    lexer = lexer_for(language) if language else None
    label = f"{lexer.name} code" if lexer and language != "text" else "Text"
    return f'<div class="highlight">{_code_block(token.content, language, label)}</div>\n'


def _code_indented(_self: RendererHTML, tokens: Sequence[Token], index: int, _options: Any, _env: Env) -> str:
    return f'<div class="highlight">{_code_block(tokens[index].content, "", "Text")}</div>\n'


def _image(_self: RendererHTML, tokens: Sequence[Token], index: int, _options: Any, env: Env) -> str:
    token = tokens[index]
    picture = env["shown"].get(str(token.attrs.get("src", "")))
    if picture is None:
        return escape(token.content)
    env["used"].append((picture.source, token.content))
    return chr(_PICTURE + len(env["used"]) - 1) + "\n"


def _html(_self: RendererHTML, tokens: Sequence[Token], index: int, _options: Any, _env: Env) -> str:
    content = tokens[index].content
    return "" if is_comment(content) else escape(content)


def _paragraph(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Env) -> str:
    token = tokens[index]
    if not env.get("small"):
        return self.renderToken(tokens, index, options, env)
    if token.hidden:
        return ""
    return '<span class="par">' if token.nesting == 1 else "</span>\n"


def _cell(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Env) -> str:
    token = tokens[index]
    style = str(token.attrs.pop("style", ""))
    if style:
        token.attrs["class"] = f"align-{style.removeprefix('text-align:')}"
    if token.tag == "th":
        token.attrs["scope"] = "col"
    return self.renderToken(tokens, index, options, env)


def _table(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Env) -> str:
    tag = self.renderToken(tokens, index, options, env)
    if tokens[index].nesting == 1:
        return f'<div class="prose-scroll" tabindex="0" role="group" aria-label="Table">{tag}'
    return f"{tag}</div>\n"


_MARKDOWN = parser()
_MARKDOWN.add_render_rule("fence", _fence)
_MARKDOWN.add_render_rule("code_block", _code_indented)
_MARKDOWN.add_render_rule("image", _image)
_MARKDOWN.add_render_rule("html_block", _html)
_MARKDOWN.add_render_rule("html_inline", _html)
for _name in ("paragraph_open", "paragraph_close"):
    _MARKDOWN.add_render_rule(_name, _paragraph)
for _name in ("th_open", "td_open"):
    _MARKDOWN.add_render_rule(_name, _cell)
for _name in ("table_open", "table_close"):
    _MARKDOWN.add_render_rule(_name, _table)
