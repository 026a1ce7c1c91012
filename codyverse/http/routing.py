"""Werkzeug's rules, except that what builds a rule's addresses is made when the first one is asked for.

To make it for all rules is half of the time that the application takes to be put together, and nobody asks for most.
"""

from collections.abc import Callable
from typing import Any

from werkzeug.routing import Rule

Build = Callable[..., tuple[str, str]]


class LateRule(Rule):
    """Finds requests as any rule does."""

    def _compile_builder(self, append_unknown: bool = True) -> Build:
        """Stands in the builder's place until it is called, and then puts the builder there."""
        make = super()._compile_builder

        def first(_rule: Rule, *values: Any, **more: Any) -> tuple[str, str]:
            build: Build = make(append_unknown).__get__(self, None)  # what werkzeug makes is a method to be
            setattr(self, "_build_unknown" if append_unknown else "_build", build)
            return build(*values, **more)

        return first
