"""The one Markdown dialect of the courses: CommonMark with tables. Raw HTML is recognised so that it can be refused."""

from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

OUTPUT, STDIN, PLAIN = "output", "stdin", "text"
PYTHON_MODES = ("continue", "error", "skip")


def parser() -> MarkdownIt:
    """A fresh parser: its render rules may be changed without touching another's."""
    return MarkdownIt("commonmark", {"html": True}).enable("table")


_PARSER = parser()


def tokens(text: str) -> list[Token]:
    """The Markdown as tokens; nesting is bounded by the parser."""
    return _PARSER.parse(text)


@cache
def lexer_for(language: str) -> Lexer | None:
    """The highlighter's reader for a language; None when there is none by that name."""
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=True)
    except ClassNotFound:
        return None


def is_comment(html: str) -> bool:
    """Whether a piece of raw HTML is nothing but comments."""
    rest = html.strip()
    while rest.startswith("<!--") and "-->" in rest:
        rest = rest.split("-->", 1)[1].strip()
    return not rest
