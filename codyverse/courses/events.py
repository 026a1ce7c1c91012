"""What happened to courses."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LessonsPublished:
    """A course has lessons that it did not have before; `new_course` if the whole course is new."""

    course_id: int
    slug: str
    title: str
    lessons: int
    new_course: bool
