"""Checks of Markdown: what may stand in a step and in the texts of an exercise, each fault with its line."""

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from markdown_it.token import Token

from codyverse.courses.authoring.fields import closest
from codyverse.courses.authoring.limits import MAX_EXPRESSION
from codyverse.courses.authoring.tree import Check, Faults, Fence
from codyverse.courses.markdown import OUTPUT, PLAIN, PYTHON_MODES, STDIN, is_comment, lexer_for, tokens

_CHECK = re.compile(r"<!--\s*check:(?P<expression>.*?)-->", re.DOTALL)
_NEARLY_CHECK = re.compile(r"<!--\s*checks?\b", re.IGNORECASE)
_LANGUAGES = ("python", OUTPUT, STDIN, PLAIN, "bash", "json", "html", "css", "javascript", "sql", "yaml")
_GAPS = re.compile(r"\[\[[^\]]*\]\]")


class Place(Enum):
    """Where a text stands, and so what it may hold."""

    BODY = "body"
    """a step's text: everything, pictures too"""
    BLOCK = "block"
    """an explanation or a hint: paragraphs, lists, tables, code, no pictures, no headings"""
    SMALL = "small"
    """an option or an item: one or more paragraphs and code fences, for it becomes part of a button or a label"""


@dataclass(slots=True)
class Prose:
    """What a Markdown text holds besides words."""

    fences: list[Fence] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    images: list[tuple[str, int]] = field(default_factory=list)
    has_text: bool = False


class ProseCheck:
    """Goes through one Markdown text and notes its faults."""

    def __init__(self, path: str, faults: Faults, what: str, place: Place) -> None:
        self.path = path
        self.faults = faults
        self.what = what
        self.place = place
        self.prose = Prose()
        self._heading = 2

    def run(self, text: str, first_line: int, *, gaps: bool = False) -> Prose:
        """Check the text; `gaps` allows the marks `[[1]]` of a fill-in text."""
        if "[[" in text and not gaps and _outside_code(text):
            line = first_line + text[: text.index("[[")].count("\n")
            self._fault(line, "`[[…]]` marks a gap and belongs only into the `text` of a blank exercise")
        parsed = tokens(text)
        for number, token in enumerate(parsed):
            line = first_line + (token.map[0] if token.map else 0)
            self._block(token, line, parsed, number, gaps)
        _check_fence_order(self, parsed, first_line)
        return self.prose

    def _fault(self, line: int, message: str) -> None:
        self.faults.add(self.path, line, f"{self.what}: {message}")

    def _block(self, token: Token, line: int, parsed: list[Token], number: int, gaps: bool) -> None:
        if token.type == "heading_open":
            self._heading_level(token, line)
        elif token.type == "html_block":
            self._html(token.content, line)
        elif token.type == "code_block":
            self._fault(
                line,
                "text indented by four spaces becomes code; take the indentation out, or use a code fence",
            )
        elif token.type == "fence":
            self.prose.has_text = True
            self._fence(token, line, gaps)
        elif token.type == "inline":
            alone = parsed[number - 1].type == "paragraph_open" and parsed[number - 1].level == 0
            self._inline(token, line, alone)
        elif self.place is Place.SMALL and token.nesting == 1 and token.type != "paragraph_open":
            self._fault(
                line, "only words, inline code and code fences may stand here, no lists, tables or quotes"
            )

    def _heading_level(self, token: Token, line: int) -> None:
        level = int(token.tag[1])
        if self.place is not Place.BODY:
            self._fault(
                line, "no headings here; write plain sentences (a `#` at the start of a line makes a heading)"
            )
        elif level < 3:
            self._fault(line, "inside a step headings begin with `###`; a new step needs `## Title {#key}`")
        elif level > self._heading + 1:
            self._fault(line, f"this heading skips a level; write `{'#' * (self._heading + 1)}`")
        else:
            self._heading = level

    def _html(self, content: str, line: int) -> None:
        if not is_comment(content):
            shown = content.strip().split("\n")[0][:40]
            self._fault(
                line, f"HTML is not allowed (`{shown}`); put it in backticks, or write \\< for the sign"
            )
            return
        for match in _CHECK.finditer(content):
            start = line + content[: match.start()].count("\n")
            expression = " ".join(match["expression"].split())
            if check_expression(expression, self.path, start, self.faults, self.what):
                self.prose.checks.append(Check(expression, start))
        if _NEARLY_CHECK.search(content) and not _CHECK.search(content):
            self._fault(line, "a check is written `<!-- check: 2 + 2 == 4 -->`")

    def _fence(self, token: Token, line: int, gaps: bool) -> None:
        fence = Fence(token.info.strip(), token.content, line)
        self.prose.fences.append(fence)
        if token.markup and not token.content.strip():
            self._fault(line, "this code fence is empty")
        if token.map and token.content.count("\n") + 2 > token.map[1] - token.map[0]:
            self._fault(line, "this code fence is never closed; end it with the same marks")
        if fence.language and fence.language not in (OUTPUT, STDIN) and lexer_for(fence.language) is None:
            self._fault(
                line, f"the language `{fence.language}` is unknown{closest(fence.language, _LANGUAGES)}"
            )
        self._fence_words(fence, line)
        if fence.language == "python" and not gaps and not set(fence.words) & {"error", "skip"}:
            problem = syntax_problem(fence.text)
            if problem:
                self._fault(
                    line + 1 + problem[0],
                    f"this is not valid Python ({problem[1]}); mend it or mark the fence `python error` or `python skip`",
                )

    def _fence_words(self, fence: Fence, line: int) -> None:
        extra = fence.words[1:]
        if fence.language == "exercise":
            self._fault(
                line,
                "an `exercise` block must stand at the left edge, not indented; in JSON it is the step's field `exercise`",
            )
        elif fence.language == "python" and (len(extra) > 1 or set(extra) - set(PYTHON_MODES)):
            self._fault(
                line, f"after `python` may follow one of {', '.join(PYTHON_MODES)}, not `{' '.join(extra)}`"
            )
        elif fence.language != "python" and extra:
            self._fault(line, f"after `{fence.language}` nothing may follow")

    def _inline(self, token: Token, line: int, alone: bool) -> None:
        children = token.children or []
        for child in children:
            if child.type in ("softbreak", "hardbreak"):
                line += 1
            elif child.type == "html_inline":
                self._html(child.content, line)
                line += child.content.count("\n")
            elif child.type == "image":
                self._image(child, line, alone and len(children) == 1)
            elif child.type == "link_open":
                self._link(str(child.attrs.get("href", "")), line)
            elif child.type == "text":
                self.prose.has_text = self.prose.has_text or bool(child.content.strip())
                if "](" in child.content:
                    self._fault(
                        line, "this link is not understood; write [text](https://…), or put code in backticks"
                    )
            elif child.content.strip():
                self.prose.has_text = True

    def _image(self, token: Token, line: int, alone: bool) -> None:
        source = str(token.attrs.get("src", ""))
        if self.place is not Place.BODY:
            self._fault(
                line, "pictures may stand only in a step's text, not inside an exercise or a description"
            )
            return
        if not alone:
            self._fault(
                line, "a picture stands in a paragraph of its own: leave an empty line before and after it"
            )
        if not token.content.strip():
            self._fault(
                line,
                f"the picture `{source}` has no text alternative; write ![what a reader would miss]({source})",
            )
        if len(token.content) > 500:
            self._fault(
                line, "the text alternative is longer than 500 characters; shorten it, or say it in the text"
            )
        self.prose.has_text = True
        self.prose.images.append((source, line))

    def _link(self, target: str, line: int) -> None:
        if self.place is Place.SMALL:
            self._fault(
                line,
                "no links here, for this text becomes part of a button; put the link into an explanation",
            )
        if re.match(r"https?://[^/\s]", target, re.IGNORECASE) or re.match(r"/(?!/)", target):
            return
        self._fault(
            line, f"the link `{target}` must begin with https://, http:// or, within this site, with /"
        )


def _outside_code(text: str) -> bool:
    """Whether a gap mark stands outside of code, where lists of lists are written that way."""
    return any(
        _GAPS.search(child.content)
        for token in tokens(text)
        if token.type == "inline"
        for child in token.children or []
        if child.type == "text"
    )


def _check_fence_order(check: ProseCheck, parsed: list[Token], first_line: int) -> None:
    """An output follows its python fence, a stdin stands before one, an error says what its output is."""
    for before, token, after in _neighbours(parsed):
        line = first_line + (token.map[0] if token.map else 0)
        words = token.info.split()
        language = words[0] if words else ""
        if language == OUTPUT and not (before and before.info.split()[:1] == ["python"]):
            check.faults.add(
                check.path, line, f"{check.what}: an `output` fence stands directly after a `python` fence"
            )
        if language == STDIN and not (after and after.info.split()[:1] == ["python"]):
            check.faults.add(
                check.path, line, f"{check.what}: a `stdin` fence stands directly before a `python` fence"
            )
        if words[:2] == ["python", "error"] and not (after and after.info.strip() == OUTPUT):
            check.faults.add(
                check.path,
                line,
                f"{check.what}: `python error` needs an `output` fence with the last line of the error",
            )


def _neighbours(parsed: list[Token]) -> Iterator[tuple[Token | None, Token, Token | None]]:
    """Each fence with the fences that stand directly before and after it."""
    for number, token in enumerate(parsed):
        if token.type == "fence":
            before = parsed[number - 1] if number else None
            after = parsed[number + 1] if number + 1 < len(parsed) else None
            yield (
                before if before and before.type == "fence" else None,
                token,
                after if after and after.type == "fence" else None,
            )


def syntax_problem(code: str) -> tuple[int, str] | None:
    """The line (from 0) and the reason why this is not Python; None when it is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(code)
        except SyntaxError as error:
            return max((error.lineno or 1) - 1, 0), error.msg
        except (ValueError, RecursionError, MemoryError) as error:
            return 0, str(error)
    return None


def check_expression(expression: str, path: str, line: int, faults: Faults, what: str) -> bool:
    """Whether a check is a Python expression of sensible length; a fault otherwise."""
    if not expression or len(expression) > MAX_EXPRESSION:
        faults.add(path, line, f"{what}: a check has 1 to {MAX_EXPRESSION} characters")
        return False
    try:
        ast.parse(expression, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        faults.add(
            path, line, f"{what}: the check `{expression[:60]}` is not a Python expression such as 2 + 2 == 4"
        )
        return False
    return True
