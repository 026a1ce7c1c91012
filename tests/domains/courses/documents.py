"""The small course of `samples` as the document that a client of the API sends."""

import copy
from typing import Any

import yaml

from tests.domains.courses.samples import BLOCKS

Json = dict[str, Any]


def step(key: str, kind: str = "", *, title: str = "A step", body: str = "Water **boils**.") -> Json:
    """A step that teaches, or asks in a kind."""
    made: Json = {"key": key, "title": title, "skills": ["water"], "body": body}
    return made | {"exercise": exercise(kind)} if kind else made


def exercise(kind: str) -> Json:
    """An exercise without faults."""
    return copy.deepcopy(yaml.safe_load(BLOCKS[kind]))


def lesson(*steps: Json, key: str = "first", title: str = "The first cup") -> Json:
    """A lesson; one with a teaching step and a choice when no steps are given."""
    return {
        "key": key,
        "title": title,
        "summary": "A cup in minutes.",
        "goal": "You can make a cup.",
        "difficulty": "beginner",
        "minutes": 7,
        "steps": list(steps) or [step("intro"), step("ask", "choice")],
    }


def module(*lessons: Json, key: str = "basics") -> Json:
    """A module."""
    return {"key": key, "title": "The basics", "summary": "Water and leaves.", "lessons": list(lessons)}


def course(*modules: Json, key: str = "tea", **more: Any) -> Json:
    """A course; one with a single lesson when no modules are given."""
    made = {
        "key": key,
        "title": "Making tea",
        "summary": "From the kettle to the cup.",
        "difficulty": "beginner",
        "skills": {"water": "Water", "leaves": "Leaves"},
        "description": "For *anyone* who likes tea.",
        "modules": list(modules) or [module(lesson())],
    }
    return made | more


def every_kind() -> Json:
    """A course whose lesson teaches once and asks in every kind."""
    asked = [step(kind, kind, title=f"About {kind}", body="Which one?") for kind in BLOCKS]
    return course(module(lesson(step("intro", title="Water"), *asked, key="first-cup")))
