"""Where the stars of a course stand: a chart from its outline, the same for everybody, lit for the learner.

Pure geometry. A course keeps its figure as long as its lessons and their order stay; nothing is stored.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import pairwise
from math import pi, sin

from codyverse.courses.queries import CourseOutline, LessonItem
from codyverse.progress.queries import LessonState

MARGIN = 56
STEP = 74
"""Distance along the way from one star to the next, in the units of the drawing."""


@dataclass(frozen=True, slots=True)
class Star:
    """One lesson. `state` is new, open or done; `score` 0–100, 0 before the lesson was done; `here`: the one to do next."""

    lesson_id: int
    number: int
    title: str
    state: str
    score: int
    x: float
    y: float
    here: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a figure, or (`bridge`) from one module's figure to the next. Lit when both ends are done."""

    x1: float
    y1: float
    x2: float
    y2: float
    lit: bool
    bridge: bool


@dataclass(frozen=True, slots=True)
class Label:
    """A module's name near its figure."""

    text: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing of `width` by `height` units."""

    width: int
    height: int
    stars: tuple[Star, ...]
    lines: tuple[Line, ...]
    labels: tuple[Label, ...]
    done: int


@dataclass(frozen=True, slots=True)
class Charts:
    """The same course as a wide and as a tall chart."""

    wide: Chart
    tall: Chart


def charts(course: CourseOutline, states: Mapping[int, LessonState]) -> Charts:
    """Both charts of a course; lessons without a state are new."""
    return Charts(wide=_chart(course, states, tall=False), tall=_chart(course, states, tall=True))


def _noise(seed: str, count: int) -> Iterator[float]:
    """`count` numbers from -1 to 1 that follow from the seed alone."""
    for index in range(count):
        digest = blake2b(f"{seed}:{index}".encode(), digest_size=4).digest()
        yield int.from_bytes(digest) / 2**31 - 1


def _points(
    seed: str, groups: Sequence[int], *, tall: bool
) -> tuple[list[tuple[float, float]], float, float]:
    """A winding way with a wider gap between groups: places, extent along it, extent across."""
    step, swing, across = (62.0, 104.0, 390.0) if tall else (STEP, 84.0, 330.0)
    jitter = list(_noise(seed, 3 * sum(groups) + 1))
    phase = jitter[-1] * pi
    points, along, index = [], float(MARGIN), 0
    for size in groups:
        for _ in range(size):
            along_wobble, across_wobble = jitter[3 * index] * step * 0.2, jitter[3 * index + 1] * swing * 0.45
            wave = sin(phase + index * 1.15) * swing
            points.append((along + along_wobble, across / 2 + wave + across_wobble))
            along += step
            index += 1
        along += step * 0.55
    extent = along - step * 1.55 + MARGIN
    return [(y, x) for x, y in points] if tall else points, extent, across


def _chart(course: CourseOutline, states: Mapping[int, LessonState], *, tall: bool) -> Chart:
    modules = [module for module in course.modules if module.lessons]
    points, extent, across = _points(course.slug, [len(module.lessons) for module in modules], tall=tall)
    if not tall and extent < 720:
        points = [(x + (720 - extent) / 2, y) for x, y in points]
        extent = 720
    stars: list[Star] = []
    lines: list[Line] = []
    labels: list[Label] = []
    for module in modules:
        figure: list[Star] = []
        for lesson in module.lessons:
            index = len(stars) + len(figure)
            figure.append(_star(lesson, index + 1, states.get(lesson.id), points[index]))
        if stars:
            lines.append(_line(stars[-1], figure[0], bridge=True))
        lines += _figure(figure)
        labels.append(_label(module.title, figure, across, tall=tall))
        stars += figure
    following = next((n for n, star in enumerate(stars) if star.state != "done"), None)
    if following is not None:
        stars[following] = replace(stars[following], here=True)
    width, height = (across, extent) if tall else (extent, across)
    done = sum(star.state == "done" for star in stars)
    return Chart(round(width), round(height), tuple(stars), tuple(lines), tuple(labels), done)


def _star(lesson: LessonItem, number: int, state: LessonState | None, at: tuple[float, float]) -> Star:
    score = int(state.best_score) if state and state.best_score is not None else 0
    word = state.state if state else "new"
    return Star(lesson.id, number, lesson.title, word, score, round(at[0], 1), round(at[1], 1))


def _figure(stars: Sequence[Star]) -> Iterator[Line]:
    """From star to star; from four stars on the figure is closed by one more line, as real ones often are."""
    for first, second in pairwise(stars):
        yield _line(first, second, bridge=False)
    if len(stars) > 3:
        yield _line(stars[-3], stars[-1], bridge=False)


def _line(first: Star, second: Star, *, bridge: bool) -> Line:
    lit = first.state == second.state == "done"
    return Line(first.x, first.y, second.x, second.y, lit, bridge)


def _label(text: str, figure: Sequence[Star], across: float, *, tall: bool) -> Label:
    """Beside the figure on its emptier side; tall charts have names at the margin."""
    if tall:
        y = figure[0].y - 26
        return Label(text, 16 if figure[0].x > across / 2 else across - 16, max(22.0, y))
    x = sum(star.x for star in figure) / len(figure)
    return Label(text, round(x, 1), across - 14)
