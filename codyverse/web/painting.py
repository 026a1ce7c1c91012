"""Jinja for templates that are painted often: what is known when a template is compiled is not worked out for each page.

The templates stay plain Jinja. What the compiler makes of them differs in five places, none of which changes what a page
says (docs/decisions/painting.md): includes stand in place, imports are looked up once, drawings with fixed words are part
of the text, calls go straight to what is called, and what is text already is not copied before it is joined.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from keyword import iskeyword
from pathlib import PurePath
from typing import Any

from flask.templating import Environment
from jinja2 import StrictUndefined, Template, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.environment import TemplateModule
from jinja2.runtime import Context, Macro, new_context
from jinja2.utils import _PassArg
from jinja2.visitor import NodeTransformer
from markupsafe import Markup, escape

FIXED = ("components/icon.html", "components/cody.html")
"""Templates whose macros depend on what they are given and on nothing else, not even on where the site stands."""
DRAWINGS = (
    *FIXED,
    "components/goal.html",
    "components/meter.html",
    "components/nav.html",
    "components/step_dot.html",
    "components/streak.html",
)
"""Templates whose macros depend on what they are given and the site's root, which no request
changes: each is drawn once for that."""
MOST_DRAWN = 512


def said(value: Any) -> str:
    """What `escape` gives, for text that is joined at once: markup is passed on as it is, numbers need no look."""
    kind = type(value)
    if kind is Markup:
        return value  # type: ignore[no-any-return]
    return str(value) if kind is int else escape(value)


class PaintedTemplate(Template):
    """No template gets globals of its own, so that what an import gives is the same each time, and those of all templates
    are taken as they are."""

    def new_context(
        self,
        vars: dict[str, Any] | None = None,  # noqa: A002 - jinja's names
        shared: bool = False,
        locals: Mapping[str, Any] | None = None,  # noqa: A002
    ) -> Context:
        known = self.environment.globals
        return new_context(self.environment, self.name, self.blocks, vars, shared, known, locals)

    def _get_default_module(self, ctx: Context | None = None) -> TemplateModule:  # noqa: ARG002 - jinja's signature
        if self._module is None:
            module = self.make_module()
            if self.name in DRAWINGS:
                for name, macro in vars(module).items():
                    if isinstance(macro, Macro):
                        drawn = lru_cache(MOST_DRAWN, typed=True)(macro)  # typed: text is not markup
                        setattr(module, name, drawn)
            self._module = module
        return self._module


class Imported(dict[tuple[str, str], Any]):
    """What templates import, by template and name. Looked up at the first use, for components may import one another."""

    def __init__(self, environment: "PaintedEnvironment") -> None:
        super().__init__()
        self._environment = environment

    def __missing__(self, key: tuple[str, str]) -> Any:
        template, name = key
        found = getattr(self._environment.get_template(template).module, name, None)
        if found is None:
            return self._environment.undefined(
                f"the template {template!r} does not export {name!r}", name=name
            )
        self[key] = found
        return found


class Compiler(CodeGenerator):
    """Where templates may change under the running server (auto_reload) it is Jinja's own in all but calls and text."""

    environment: "PaintedEnvironment"

    def visit_Template(self, node: nodes.Template, frame: Frame | None = None) -> None:  # noqa: N802 - jinja's
        self.writeline(f"from {__name__} import said")
        self._stays = not self.environment.auto_reload
        if self._stays:
            _Inliner(self.environment, self.name or "").generic_visit(node)
        self._drawings = self._fixed_names(node) if self._stays else {}
        super().visit_Template(node, frame)

    @staticmethod
    def _fixed_names(tree: nodes.Template) -> dict[str, tuple[str, str]]:
        """Names that mean a fixed drawing everywhere in this template."""
        taken = {each.name for each in tree.find_all(nodes.Name) if each.ctx != "load"}
        taken |= {each.name for each in tree.find_all(nodes.Macro)}
        known: dict[str, tuple[str, str]] = {}
        for each in tree.find_all(nodes.FromImport):
            template = _plain_template(each)
            for name, alias in _names(each):
                if template not in FIXED:
                    taken.add(alias)
                else:
                    known[alias] = (template, name)
        return {alias: drawing for alias, drawing in known.items() if alias not in taken}

    def blockvisit(self, nodes: Iterable[nodes.Node], frame: Frame) -> None:
        """The body of a page or block is one text, instead of pieces that each pass through all blocks around it."""
        if frame.parent is not None or frame.buffer is not None:
            super().blockvisit(nodes, frame)
            return
        self.buffer(frame)
        super().blockvisit(nodes, frame)
        self.writeline(f"yield concat({frame.buffer})")
        frame.buffer = None

    def visit_FromImport(self, node: nodes.FromImport, frame: Frame) -> None:  # noqa: N802
        template = _plain_template(node)
        if template is None or not self._stays or frame.toplevel:
            super().visit_FromImport(node, frame)
            return
        for name, alias in _names(node):
            self.writeline(f"{frame.symbols.ref(alias)} = environment.imported[{template!r}, {name!r}]", node)

    def visit_Call(self, node: nodes.Call, frame: Frame, forward_caller: bool = False) -> None:  # noqa: N802
        plain = node.dyn_args is None and node.dyn_kwargs is None and not any(map(_is_keyword, node.kwargs))
        if forward_caller or not plain or not _escapes(frame) or self.environment.wants_context(node.node):
            super().visit_Call(node, frame, forward_caller=forward_caller)
            return
        self.write("(")
        self.visit(node.node, frame)
        self.write(")(")
        for given in (*node.args, *node.kwargs):
            self.visit(given, frame)
            self.write(", ")
        self.write(")")

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        if not _escapes(frame) or finalize.src is not None:
            super()._output_child_pre(node, frame, finalize)
        else:
            self.write("said(")

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: Any) -> str:
        if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and _escapes(frame):
            drawing = self._drawings.get(node.node.name)
            if drawing and node.dyn_args is None and node.dyn_kwargs is None:
                words = [each.as_const(frame.eval_ctx) for each in node.args]
                named = {each.key: each.value.as_const(frame.eval_ctx) for each in node.kwargs}
                return str(self.environment.imported[drawing](*words, **named))
        return super()._output_child_to_const(node, frame, finalize)


class _Inliner(NodeTransformer):
    """Puts what is included, as a scope of its own, in the place of the include. An error in it is told at that place."""

    def __init__(self, environment: "PaintedEnvironment", within: str) -> None:
        self._environment, self._suffix = environment, PurePath(within).suffix

    def visit_Include(self, node: nodes.Include) -> nodes.Node:  # noqa: N802
        template = _plain_template(node)
        if template is None or node.ignore_missing or PurePath(template).suffix != self._suffix:
            return node  # another kind of file may escape in another way
        assert self._environment.loader is not None
        source, filename, _ = self._environment.loader.get_source(self._environment, template)
        tree = self._environment.parse(source, template, filename)
        if tree.find(nodes.Block) or tree.find(nodes.Extends):
            return node
        body = nodes.Scope(tree.body)
        body.set_environment(self._environment)
        body.set_lineno(node.lineno, override=True)
        self.generic_visit(body)
        return body


class PaintedEnvironment(Environment):
    """The templates' environment: a name that is not given is an error, and a block's line leaves no blank one."""

    code_generator_class = Compiler
    template_class = PaintedTemplate

    def __init__(self, *args: Any, **options: Any) -> None:
        strict = {"undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
        super().__init__(*args, **{**options, **strict})
        self.imported = Imported(self)

    def wants_context(self, called: nodes.Expr) -> bool:
        """Whether this is a function of all templates that asks for the page's context, the environment or the like."""
        known: Any = self.globals.get(called.name) if isinstance(called, nodes.Name) else None
        return known is not None and _PassArg.from_obj(known) is not None


def _escapes(frame: Frame) -> bool:
    return frame.eval_ctx.autoescape is True and not frame.eval_ctx.volatile


def _plain_template(node: nodes.FromImport | nodes.Include) -> str | None:
    """The template's name, if it is always the same one; an import that sees the page is none of these."""
    if isinstance(node, nodes.FromImport) == node.with_context or not isinstance(node.template, nodes.Const):
        return None
    return node.template.value if isinstance(node.template.value, str) else None


def _names(node: nodes.FromImport) -> Iterator[tuple[str, str]]:
    return ((each, each) if isinstance(each, str) else each for each in node.names)


def _is_keyword(given: nodes.Keyword) -> bool:
    return iskeyword(given.key)
