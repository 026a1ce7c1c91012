"""How long and how many things in a course may be: for the parsers, and for the schemas of the API. Imports nothing."""

KEY_PATTERN = r"[a-z0-9]+(?:-[a-z0-9]+)*"
MAX_KEY, MAX_TITLE, MAX_SUMMARY, MAX_GOAL, MAX_BODY = 60, 100, 200, 300, 12_000
MAX_MINUTES, MAX_STEPS = 60, 40
MAX_SKILLS, MAX_SKILL_NAME = 200, 60
"""Of a course; of a name of one."""
MAX_LEVEL, MAX_PROSE, MAX_HINTS, MAX_CHECKS, MAX_EXPRESSION = 5, 2_000, 3, 20, 300
"""Of every exercise; prose is each of its Markdown texts."""
MAX_OPTIONS, MAX_BLANKS, MAX_ITEMS, MAX_PAIRS, MAX_EXTRA = 6, 8, 10, 6, 4
MAX_ITEM, MAX_ORDERS = 500, 24
MAX_LABEL, MAX_FORM, MAX_FORMS, MAX_MISTAKES = 100, 500, 30, 10
"""Of a gap: accepted forms and known mistakes, and how long a form may be."""
INDENT, MAX_INDENT, MIN_LINES, MAX_LINES, MAX_PROGRAM, MAX_PROGRAMS = 4, 4, 2, 15, 4_000, 12
MAX_DISTRACTORS, MAX_DISTRACTOR, MAX_LANGUAGE = 5, 200, 30
MAX_MODULES, MAX_LESSONS, MAX_SKILLS_OF_STEP = 100, 100, 20
"""Of a document: of a course, of a module, of a step."""
