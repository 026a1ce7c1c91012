"""What makes a route's addresses is made late, and makes the same ones as Werkzeug's own."""

from typing import Any

import pytest
from flask import Flask
from werkzeug.routing import Map, Rule
from werkzeug.routing.exceptions import BuildError

from codyverse.http.routing import LateRule

RULES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/courses/<slug>", {}),
    ("/courses/<slug>/<int:page>", {}),
    ("/<any(de, en):language>/words", {"defaults": {"language": "en"}}),
    ("/plain", {}),
)
ASKED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/plain", {}),
    ("/plain", {"more": "a b", "and": [1, 2]}),
    ("/courses/<slug>", {"slug": "ä/ö"}),
    ("/courses/<slug>/<int:page>", {"slug": "x", "page": 7, "q": "?"}),
    ("/<any(de, en):language>/words", {}),
)


@pytest.mark.parametrize("unknown", [True, False])
def test_addresses_are_werkzeugs_the_first_time_and_later(unknown: bool) -> None:
    late, own = (
        Map([kind(rule, endpoint=rule, **more) for rule, more in RULES]).bind("site.example", "/below")
        for kind in (LateRule, Rule)
    )
    for _again in range(2):
        for endpoint, values in ASKED:
            made = late.build(endpoint, values, append_unknown=unknown)
            assert made == own.build(endpoint, values, append_unknown=unknown)
    with pytest.raises(BuildError):
        late.build("/courses/<slug>", {})


def test_the_site_makes_no_address_before_one_is_asked_for(app: Flask) -> None:
    assert {type(each) for each in app.url_map.iter_rules()} == {LateRule}
