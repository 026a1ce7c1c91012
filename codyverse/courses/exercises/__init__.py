"""Exercises at work: shown, answered, graded. Pure functions over a compiled exercise, which is a plain dict.

A compiled exercise (see `courses.compiling`) holds the answer key and never leaves the server; `present` gives what a
browser may see. Stable keys name options inside the server, public ids name them outside: those are derived from the
attempt's secret and so are different in every attempt (docs/decisions/option-ids.md).
"""

from codyverse.courses.exercises.decoding import decode, encode
from codyverse.courses.exercises.grading import Note, Verdict, grade, hint, hint_count
from codyverse.courses.exercises.presenting import Blank, ExerciseView, Option, present

__all__ = [
    "Blank",
    "ExerciseView",
    "Note",
    "Option",
    "Verdict",
    "decode",
    "encode",
    "grade",
    "hint",
    "hint_count",
    "present",
]
