"""A small course with every kind of exercise, as files and compiled. Tests change what they are about."""

from pathlib import Path

from codyverse.courses.authoring.files import Content, read_content
from codyverse.courses.authoring.tree import CourseSource
from codyverse.courses.compiling import compile_step

COURSE = """---
key: tea
title: Making tea
summary: From the kettle to the cup.
difficulty: beginner
skills:
  water: Water
  leaves: Leaves
---
For *anyone* who likes tea.
"""

MODULE = """---
key: basics
title: The basics
summary: Water and leaves.
---
"""

CHOICE = """kind: choice
level: 1
options:
  - id: hot
    text: Hot
    correct: true
    why: Heat draws out the taste.
  - id: cold
    text: Cold
    why: Cold water takes hours.
  - id: with-salt
    text: '`salty`'
    why: Nobody likes that.
right: Hot water it is.
wrong: Think of the steam.
hints:
  - What does a kettle do?
  - Look at the *steam*.
"""

CHOICES = """kind: choices
level: 2
options:
  - id: green
    text: Green
    correct: true
    why: A tea.
  - id: black
    text: Black
    correct: true
    why: A tea as well.
  - id: brick
    text: Brick dust
    why: Not a tea at all.
right: Two of them are teas.
wrong: One of them is no tea.
"""

BLANK = """kind: blank
level: 3
text: |
  Wait [[1]] minutes, then say [[2]].

  ```python
  print([[3]])
  ```
blanks:
  - label: minutes
    number: 2.5
    tolerance: 0.5
    mistakes:
      - match: ['30', 'half an hour']
        why: It would be bitter.
  - label: a kind word
    accept: [thank you, thanks]
  - label: what is printed
    accept: ['Tea']
    exact: true
right: Kind and patient.
wrong: Be patient.
"""

ORDER = """kind: order
level: 2
items: [Boil, Pour, Wait, Drink]
also: [[1, 3, 2, 4]]
right: As it should be.
wrong: What comes first?
"""

MATCH = """kind: match
level: 2
pairs:
  - [kettle, boils]
  - [cup, holds]
  - [spoon, stirs]
extra: [flies]
right: Each tool has its task.
wrong: What would you take to stir?
"""

PARSONS = """kind: parsons
level: 4
language: python
solution: |
  cups = 0
  for guest in ["Ann", "Bo"]:
      cups = cups + 1
      print(guest)
  print(cups)
also:
  - |
    cups = 0
    for guest in ["Ann", "Bo"]:
        print(guest)
        cups = cups + 1
    print(cups)
distractors:
  - code: for guest in ["Ann", "Bo"]
    why: A colon is missing.
output: "Ann\\nBo\\n2\\n"
right: One cup for each guest.
wrong: Where does the counting happen?
"""

BLOCKS = {
    "choice": CHOICE,
    "choices": CHOICES,
    "blank": BLANK,
    "order": ORDER,
    "match": MATCH,
    "parsons": PARSONS,
}

PICTURE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 100">
  <defs><marker id="tip" viewBox="0 0 4 4"><path d="M0 0 L4 2 L0 4 Z" fill="currentColor"/></marker></defs>
  <title>A kettle</title>
  <path class="c1-stroke" d="M10 10 H 90" marker-end="url(#tip)"/>
  <text x="10" y="80" font-size="16" fill="currentColor">hot <tspan class="c2-fill">water</tspan> &amp; leaves</text>
</svg>
"""


def step(key: str, body: str, block: str = "", *, title: str = "A step", skills: str = "water") -> str:
    """The text of a step, with an exercise when `block` holds its YAML."""
    text = f"## {title} {{#{key}}}\nskills: {skills}\n\n{body}\n"
    return f"{text}\n```exercise\n{block}```\n" if block else text


def lesson(*steps: str, key: str = "first-cup", title: str = "The first cup", minutes: int = 7) -> str:
    """The text of a lesson."""
    return (
        f"---\nkey: {key}\ntitle: {title}\nsummary: A cup in minutes.\ngoal: You can make a cup.\n"
        f"difficulty: beginner\nminutes: {minutes}\n---\n\n" + "\n".join(steps)
    )


def every_kind() -> str:
    """A lesson that teaches once and asks in every kind."""
    asked = [step(kind, "Which one?", block, title=f"About {kind}") for kind, block in BLOCKS.items()]
    return lesson(step("intro", "Water **boils**.", title="Water"), *asked)


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    """Write files into `folder`, making the folders on the way; returns `folder`."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def tea(folder: Path, text: str | None = None, **more: str | bytes) -> Path:
    """The course in `folder`, its one lesson being `text`; `more` replaces course.md, module.md or adds files."""
    files: dict[str, str | bytes] = {
        "tea/course.md": more.pop("course", COURSE),
        "tea/01-basics/module.md": more.pop("module", MODULE),
        "tea/01-basics/01-first-cup.md": text if text is not None else every_kind(),
    }
    return write(folder, files | more)


def faults_of(folder: Path) -> list[str]:
    """The faults as `file:line: message`, with the path relative to the course."""
    return [str(fault).removeprefix(f"{folder}/") for fault in read_content(folder).faults]


def courses(folder: Path) -> tuple[CourseSource, ...]:
    """The courses of a folder that must be free of faults."""
    content: Content = read_content(folder)
    assert content.faults == ()
    return content.courses


def compiled(folder: Path) -> dict[str, dict]:
    """The compiled exercises of the course by kind."""
    (course,) = courses(folder)
    found = course.lessons[0]
    steps = [compile_step(each, found) for each in found.steps]
    return {each.kind: each.exercise for each in steps if each.exercise}
