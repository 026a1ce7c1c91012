"""Painted templates say what Jinja's own say, whatever is known of them beforehand."""

from typing import Any

import pytest
from flask import Flask
from flask.templating import Environment
from jinja2 import DictLoader, StrictUndefined, UndefinedError, pass_context
from markupsafe import Markup

from codyverse.web.painting import PaintedEnvironment

TEMPLATES = {
    "components/icon.html": '{% macro icon(name, class="") %}<i class="{{ class }}">{{ name }}</i>{% endmacro %}',
    "components/tag.html": """
        {% macro tag(text, class="x", more=none) %}<b class="{{ class }}">{{ text }}{{ more }}</b>{% endmacro %}
        {% macro twice(text) %}{% from "components/icon.html" import icon %}{{ icon(text) }}{{ icon(text) }}{% endmacro %}
        {% macro around() %}<p>{{ caller() }}</p>{% endmacro %}
    """,
    "layout.html": """<title>{% block title %}none{% endblock %}</title>
        {% include "head.html" %}{% block main %}{% endblock %}{% include ["not-there.html", "foot.html"] %}""",
    "head.html": """{% from "components/icon.html" import icon %}{% set word = "head" %}
        {{ word }} {{ icon("star", "lit") }} {{ icon("<", class="a") }} {{ who }}{% include "foot.html" %}""",
    "foot.html": "<foot>{{ word }}{{ who }}</foot>",
    "mail.txt": "{% include 'mail-end.txt' %}{{ who }}{% from 'components/tag.html' import tag %}{{ tag(who) }}",
    "mail-end.txt": "{{ who }}",
    "page.html": """{% extends "layout.html" %}{% block title %}{{ who }}{% endblock %}{% block main %}
        {% from "components/icon.html" import icon as drawing, icon %}
        {% from "components/tag.html" import tag, twice, around %}
        {% set word = "main" %}
        {% for each in items %}{% set word = each %}{% include "head.html" %}{{ loop.index }}{{ loop.cycle(1, 2) }}
        {{ drawing(each) }}{{ drawing("a&b", "c") }}{{ tag(each, **{"class": "k"}) }}{{ tag(each, class="<c>") }}{% endfor %}
        {{ tag(who) }}{{ tag(safe, more=tag(who)) }}{{ twice("<") }}{{ twice(safe) }}{{ word }}
        {% call around() %}{{ who }}{{ icon("in") }}{% endcall %}
        {{ 1 }}{{ 1.5 }}{{ none }}{{ true }}{{ number }}{{ safe }}{{ safe ~ who }}{{ who | upper }}{{ who | safe }}{{ thing }}
        {{ asks("word") }}{{ given(*[1, 2], key="<") }}{{ "{:,}".format(number) }}{{ data.get("key", 0) }}{{ data.key }}
        {% with icon = given %}{{ icon(1, 2) }}{% endwith %}
        {% set long %}{{ who }}{% if number > 3 %}{{ icon("more") }}{% endif %}{% endset %}{{ long }}
        {% block inner scoped %}{{ word }}{{ super() if false }}{% endblock %}{% endblock %}""",
}


class Drawn:
    """Something that knows its own markup."""

    def __html__(self) -> str:
        return "<drawn>"


@pass_context
def _asks(context: Any, name: str) -> str:
    return f"<{context.get(name)}>"


def _said_by(
    kind: type[Environment],
    app: Flask,
    templates: dict[str, str],
    name: str,
    *,
    reloads: bool = False,
    **more: Any,
) -> str:
    environment = kind(
        app,
        loader=DictLoader(templates),
        autoescape=app.select_jinja_autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=reloads,
    )
    environment.globals["asks"] = _asks
    context: dict[str, Any] = {
        "who": "<Ann & 'Bo'>",
        "items": ["a", "<b>"],
        "safe": Markup("<u>"),
        "number": 12345,
        "thing": Drawn(),
        "data": {"key": "<d>"},
        "given": lambda *args, **named: f"{args}{named}<",
    }
    template = environment.get_template(name)
    first = template.render(context | more)
    assert template.render(context | more) == first
    return first


@pytest.mark.parametrize("name", ["page.html", "head.html", "mail.txt", "layout.html"])
@pytest.mark.parametrize("reloads", [False, True])
def test_painted_templates_say_the_same(app: Flask, name: str, reloads: bool) -> None:
    painted = _said_by(PaintedEnvironment, app, TEMPLATES, name, reloads=reloads, word="outer")
    assert painted == _said_by(Environment, app, TEMPLATES, name, word="outer")
    assert painted.strip()


@pytest.mark.parametrize(
    "text",
    [
        "{% include 'foot.html' %}",
        "{% if true %}{% from 'components/icon.html' import nothing %}{{ nothing('a') }}{% endif %}",
        "{{ absent('a') }}",
        "{{ who.absent }}",
    ],
)
def test_what_is_not_there_is_an_error(app: Flask, text: str) -> None:
    for kind in (Environment, PaintedEnvironment):
        with pytest.raises(UndefinedError):
            _said_by(kind, app, TEMPLATES | {"wrong.html": text}, "wrong.html")


def test_while_templates_are_written_each_change_is_seen(app: Flask) -> None:
    templates = {"page.html": "{% include 'part.html' %}", "part.html": "first"}
    environment = PaintedEnvironment(app, loader=DictLoader(templates), auto_reload=True)
    assert environment.get_template("page.html").render() == "first"
    templates["part.html"] = "second"
    assert environment.get_template("page.html").render() == "second"


def test_two_who_are_told_apart_by_a_kept_piece_alone_stay_apart(app: Flask) -> None:
    """Text and markup are equal as keys, and must not be the same drawing."""
    templates = TEMPLATES | {
        "one.html": "{% if true %}{% from 'components/icon.html' import icon %}{{ icon(word) }}{% endif %}"
    }
    environment = PaintedEnvironment(
        app, loader=DictLoader(templates), autoescape=app.select_jinja_autoescape, auto_reload=False
    )
    page = environment.get_template("one.html")
    said = [page.render(word=word) for word in ("<u>", Markup("<u>"))]
    assert said == ['<i class="">&lt;u&gt;</i>', '<i class=""><u></i>']
