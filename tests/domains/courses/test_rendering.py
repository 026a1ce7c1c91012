"""Markdown becomes HTML that may be printed as it is: nothing in it runs, everything in it is valid."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from lxml import html as lxml_html

from codyverse.courses import pictures
from codyverse.courses.authoring.tree import Picture
from codyverse.courses.rendering import plain, render, render_code, render_gaps, render_small
from tests.domains.courses.samples import PICTURE

KETTLE = {"img/kettle.svg": Picture("img/kettle.svg", PICTURE)}
ALLOWED = {
    *(
        "p",
        "em",
        "strong",
        "code",
        "pre",
        "span",
        "a",
        "ul",
        "ol",
        "li",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
    ),
    *(
        "blockquote",
        "h3",
        "h4",
        "h5",
        "h6",
        "figure",
        "figcaption",
        "div",
        "br",
        "hr",
        "svg",
        *pictures.ELEMENTS,
    ),
}
HARMLESS = {
    *("class", "href", "title", "rel", "tabindex", "role", "aria-label", "scope", "start"),
    *(name.lower() for name in pictures.ATTRIBUTES),
}


def assert_harmless(html: str) -> None:
    tree = lxml_html.fragment_fromstring(html, create_parent="main")
    for element in tree.iterdescendants():
        assert isinstance(element.tag, str)
        assert element.tag in ALLOWED | {name.lower() for name in ALLOWED}, element.tag
        assert set(element.attrib) <= HARMLESS, element.attrib
        assert re.match(r"https?://|/(?!/)|#|\Z", element.get("href", "")) or ":" not in element.get(
            "href", ""
        )
    ids = [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(ids) == len(set(ids))


def test_code_is_highlighted_by_classes_and_reachable_by_keyboard() -> None:
    html = render("```python\nfor x in [1]:\n    print('<b>')  # go\n```")
    assert '<span class="k">for</span>' in html
    assert "<span class=\"s\">'&lt;b&gt;'</span>" in html
    assert '<span class="c"># go</span>' in html
    assert '<pre tabindex="0" role="group" aria-label="Python code"><code>' in html
    assert "style" not in html


@pytest.mark.parametrize("mode", ["continue", "error", "skip"])
def test_words_for_the_tests_are_not_shown(mode: str) -> None:
    assert render(f"```python {mode}\nx = 1\n```") == render("```python\nx = 1\n```")


def test_output_and_input_are_labelled() -> None:
    html = render("```stdin\n3\n```\n\n```python\nprint(input())\n```\n\n```output\n3\n```")
    assert '<figure class="typed"><figcaption>Typed in</figcaption>' in html
    assert '<figure class="output"><figcaption>Output</figcaption>' in html


def test_tables_scroll_and_name_their_columns() -> None:
    html = render("| a | b |\n|---|--:|\n| 1 | 2 |")
    assert '<div class="prose-scroll" tabindex="0" role="group" aria-label="Table"><table>' in html
    assert '<th class="align-right" scope="col">b</th>' in html
    assert "style" not in html


def test_comments_vanish_and_html_is_shown_as_text() -> None:
    assert render("a <!-- check: 1 == 1 --> b\n\n<!-- more\nlines -->") == "<p>a  b</p>"
    assert render("<script>alert(1)</script>") == "&lt;script&gt;alert(1)&lt;/script&gt;"


@pytest.mark.parametrize(
    "text",
    [
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html,<script>1</script>)",
        "<a href='javascript:1'>x</a>",
        "<img src=x onerror=alert(1)>",
        "<svg onload=alert(1)>",
        "![x](javascript:1)",
        "```python\n</code></pre><script>1</script>\n```",
        '```"><script>\nx\n```',
        '[x](https://a.b "\\"onmouseover=alert(1)")',
        '<https://a.b/"onclick=1>',
        "<iframe src=//evil.example>",
        "<!-- --!><script>1</script> -->",
        "<style>*{display:none}</style>",
        "<form action=/logout method=post>",
    ],
)
def test_nothing_runs(text: str) -> None:
    for html in (render(text), render_small(text), "".join(map(str, render_gaps(text)))):
        assert_harmless(html)
        assert "<script" not in html
        assert "javascript:" not in re.sub(r"\[x\]\(.*|&lt;.*", "", html, flags=re.IGNORECASE)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from("<>\"'`&;=/[]()!#*_-|\n \tabcionjs:svg\ue000\ue400\x00")))
def test_whatever_is_written_is_harmless(text: str) -> None:
    assert_harmless(render(text, KETTLE, "p-"))
    assert_harmless(render_small(text))


def test_small_texts_fit_into_a_label() -> None:
    assert render_small("one `two` *three*") == "one <code>two</code> <em>three</em>"
    assert render_small("```\n7\nDone\n```") == '<code class="highlight block">7\nDone</code>'
    both = render_small("Shows\n\n```python\nx = 1\n```")
    assert (
        both
        == '<span class="par">Shows</span>\n<code class="highlight block">x = <span class="m">1</span></code>'
    )


def test_gaps_keep_the_text_around_them() -> None:
    parts = render_gaps("A [[1]] and `b[[2]]`.\n\n```python\nfor [[3]] in '[[4]]':  # [[5]]\n```")
    assert [part for part in parts if isinstance(part, int)] == [0, 1, 2, 3, 4]
    whole = "".join("<input>" if isinstance(part, int) else part for part in parts)
    assert whole.startswith("<p>A <input> and <code>b<input></code>.</p>")
    assert "for</span> <input> <span" in whole
    assert "'<input>'" in whole
    etree.fromstring(f"<main>{whole.replace('<input>', '<input/>')}</main>")


def test_plain_words() -> None:
    assert plain(render_small("`a < b` &amp; *c*\n\n```\nx\ny\n```")) == "a < b & c x y"


def test_one_line_of_code() -> None:
    assert (
        render_code("if a < b:", "python")
        == '<code class="highlight"><span class="k">if</span> a &lt; b:</code>'
    )


def test_pictures_carry_their_text_and_own_ids() -> None:
    html = render('![A "hot" kettle](img/kettle.svg)\n\n![Again](img/kettle.svg)', KETTLE, "p1-")
    assert_harmless(html)
    assert html.count("<figure") == 2
    assert 'role="img" aria-label="A &quot;hot&quot; kettle"' in html
    assert 'id="p1-0-tip"' in html
    assert 'marker-end="url(#p1-1-tip)"' in html
    assert "<title>" not in html
    assert 'hot <tspan class="c2-fill">water</tspan> &amp; leaves' in html
    assert "<p></p>" not in html


def test_an_unknown_picture_leaves_its_text() -> None:
    assert render("![A kettle](img/none.svg)") == "A kettle"


BAD_PICTURES = [
    ("<svg/>", "root must be"),
    ("<svg", "not well-formed"),
    ('<!DOCTYPE svg><svg xmlns="http://www.w3.org/2000/svg"/>', "no DOCTYPE"),
    (PICTURE.replace('viewBox="0 0 640 100"', ""), "needs a viewBox"),
    (PICTURE.replace('viewBox="0 0 640 100"', 'viewBox="0 0 640 100" width="640"'), "take `width` off"),
    (PICTURE.replace('font-size="16"', 'font-size="12"'), "too small"),
    (PICTURE.replace('font-size="16"', ""), "needs a font-size"),
    (PICTURE.replace('fill="currentColor"/>', 'fill="#fff"/>'), "one theme only"),
    (PICTURE.replace("c1-stroke", "big"), "class `big` is unknown"),
    (PICTURE.replace("#tip", "#top"), "an id that is not there"),
    (PICTURE.replace("url(#tip)", "url(https://a.b/#tip)"), "in the same picture"),
    (PICTURE.replace("<title>", "<script>1</script><title>"), "element <script>"),
    (PICTURE.replace("<title>", "<style>a{}</style><title>"), "element <style>"),
    (PICTURE.replace("<title>", '<image href="x"/><title>'), "element <image>"),
    (PICTURE.replace("<title>", "<foreignObject/><title>"), "element <foreignObject>"),
    (PICTURE.replace("<title>", '<a href="x"/><title>'), "element <a>"),
    (PICTURE.replace("<defs>", '<defs onload="x">'), "attribute `onload`"),
    (PICTURE.replace("<defs>", '<defs style="x">'), "attribute `style`"),
    (
        PICTURE.replace("<defs>", '<defs xmlns:l="http://www.w3.org/1999/xlink" l:href="x">'),
        "attribute `href`",
    ),
    (PICTURE.replace('id="tip"', 'id="1 2"'), "a plain word"),
    (PICTURE.replace("<title>", f"<desc>{'x' * 50_000}</desc><title>"), "larger than"),
]


@pytest.mark.parametrize(("source", "message"), BAD_PICTURES, ids=[message for _, message in BAD_PICTURES])
def test_faults_of_a_picture(source: str, message: str) -> None:
    found = list(pictures.faults(source))
    assert any(message in fault for _, fault in found), found
    if message not in ("root must be", "not well-formed", "no DOCTYPE"):
        assert_harmless(pictures.render(source, "x", "p-"))


def test_the_sample_picture_is_clean() -> None:
    assert list(pictures.faults(PICTURE)) == []
