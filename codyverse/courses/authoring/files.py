"""Reading a folder of courses: which files count, whether they can be read, and how they hang together."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from codyverse.courses import pictures
from codyverse.courses.authoring.fields import DIFFICULTIES, Reader, closest
from codyverse.courses.authoring.lesson_parser import LessonParser, Lines, split_front_matter
from codyverse.courses.authoring.prose import Place, ProseCheck
from codyverse.courses.authoring.rules import (
    MEANINGLESS,
    Named,
    course_from,
    module_from,
    refuse_same,
    skills_from,
)
from codyverse.courses.authoring.tree import CourseSource, Fault, Faults, LessonSource, ModuleSource, Picture

MAX_FILE_BYTES = 200_000
_PICTURE_NAME = re.compile(r"img/[A-Za-z0-9][A-Za-z0-9._-]{0,80}\.svg\Z")


@dataclass(frozen=True, slots=True)
class Content:
    """All courses of a folder, and every fault. With a fault the courses are incomplete and must not be used."""

    courses: tuple[CourseSource, ...]
    faults: tuple[Fault, ...]


def read_content(folder: Path) -> Content:
    """Read all courses of a folder, the easier ones first, then by folder name.

    Never raises for what an author may have done.
    """
    faults = Faults()
    reader = _FolderReader(faults)
    courses = []
    for sub in reader.folders(folder):
        course = reader.course(sub)
        if course:
            courses.append(course)
    if not courses and not faults.found:
        faults.add(str(folder), 1, "there is no course here; a course is a folder with a course.md")
    _refuse_same(
        [(course.key, f"{course.path}/course.md") for course in courses], "course", "in this folder", faults
    )
    courses.sort(key=lambda course: DIFFICULTIES.index(course.difficulty))
    return Content(tuple(courses), faults.sorted())


def _refuse_same(keys: list[tuple[str, str]], what: str, where: str, faults: Faults) -> None:
    found = (Named(key, path, 1, f"is used by {path}") for key, path in keys)
    refuse_same(found, what, f"it must be unique {where}", faults)


class _FolderReader:
    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self._hash = hashlib.sha256()

    def _entries(self, folder: Path) -> list[Path]:
        try:
            found = sorted(folder.iterdir(), key=lambda path: path.name)
        except OSError as error:
            self.faults.add(str(folder), 1, f"this folder cannot be read ({error.strerror})")
            return []
        kept = []
        for path in found:
            if path.name.startswith(".") or path.name.endswith("~"):
                continue
            if path.is_symlink():
                self.faults.add(str(path), 1, "this is a link to another place; put the file itself here")
                continue
            kept.append(path)
        return kept

    def folders(self, folder: Path) -> Iterator[Path]:
        """The folders in a folder by name."""
        return (path for path in self._entries(folder) if path.is_dir())

    def text(self, path: Path, root: Path) -> str | None:
        """The text of a file in UTF-8, with plain line ends; None with a fault when it cannot be used."""
        try:
            size = path.stat().st_size
            raw = path.read_bytes() if size <= MAX_FILE_BYTES else b""
        except OSError as error:
            self.faults.add(str(path), 1, f"this file cannot be read ({error.strerror})")
            return None
        if size > MAX_FILE_BYTES:
            self.faults.add(
                str(path),
                1,
                f"this file has {size // 1000} kB; split it, {MAX_FILE_BYTES // 1000} kB is the most",
            )
            return None
        name = path.relative_to(root).as_posix().encode()
        self._hash.update(b"%d:%s%d:%s" % (len(name), name, len(raw), raw))
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
            self.faults.add(str(path), line, "this is not UTF-8; save the file with the encoding UTF-8")
            return None
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        control = MEANINGLESS.search(text)
        if control:
            line = text[: control.start()].count("\n") + 1
            self.faults.add(
                str(path),
                line,
                f"a character without meaning (U+{ord(control[0]):04X}) stands here; take it out",
            )
            return None
        return text

    def course(self, folder: Path) -> CourseSource | None:
        """One course; None when its course.md cannot be used. The faults of its modules are named either way."""
        self._hash = hashlib.sha256()
        entries = self._entries(folder)
        path = folder / "course.md"
        if path not in entries:
            self.faults.add(str(folder), 1, "this folder has no course.md; a course needs one")
            return None
        reader, rest = self._front(path, folder)
        skills = skills_from(reader) if reader else None
        modules = tuple(self._modules(entries, path, skills))
        if reader is None:
            return None
        ProseCheck(str(path), self.faults, "description", Place.BLOCK).run(rest.text, rest.first)
        description = rest.text.strip("\n")
        digest = self._hash.hexdigest()
        course = course_from(reader, skills or {}, description, modules, path=str(folder), digest=digest)
        where = "in the course"
        keys = [(module.key, f"{module.path}/module.md") for module in modules]
        _refuse_same(keys, "module", where, self.faults)
        _refuse_same([(lesson.key, lesson.path) for lesson in course.lessons], "lesson", where, self.faults)
        return course

    def _front(self, path: Path, root: Path) -> tuple[Reader | None, Lines]:
        """The front matter of a file and what follows it; a reader only if it can be used."""
        text = self.text(path, root)
        return (None, Lines([], 1)) if text is None else split_front_matter(text, str(path), self.faults)

    def _modules(
        self, entries: list[Path], course: Path, skills: dict[str, str] | None
    ) -> Iterator[ModuleSource]:
        """The modules of a course; whatever else lies in its folder is a fault."""
        folders = [entry for entry in entries if entry.is_dir()]
        for entry in entries:
            if entry not in folders and entry != course:
                message = "this file is read by nothing; a course folder holds course.md and module folders"
                self.faults.add(str(entry), 1, message)
        if not folders:
            message = "the course has no module; a module is a folder with a module.md"
            self.faults.add(str(course), 1, message)
        for folder in folders:
            module = self._module(folder, course.parent, skills)
            if module:
                yield module

    def _module(self, folder: Path, root: Path, skills: dict[str, str] | None) -> ModuleSource | None:
        entries = self._entries(folder)
        path = folder / "module.md"
        if path not in entries:
            self.faults.add(str(folder), 1, "this folder has no module.md; a module needs one")
            return None
        drawings = self._pictures(folder, root)
        used: set[str] = set()
        lessons = []
        for entry in entries:
            if entry == path or (entry.name == "img" and entry.is_dir()):
                continue
            if entry.suffix != ".md" or not entry.is_file():
                self.faults.add(
                    str(entry), 1, "this is read by nothing; a module folder holds .md files and img/"
                )
                continue
            text = self.text(entry, root)
            lesson = self._lesson(text, entry, skills, drawings, used) if text is not None else None
            if lesson:
                lessons.append(lesson)
        for name, picture in drawings.items():
            if name not in used:
                self.faults.add(
                    picture.path, 1, "no lesson of this module shows this picture; use it or delete it"
                )
        return self._module_from(path, root, tuple(lessons), folder)

    def _module_from(
        self, path: Path, root: Path, lessons: tuple[LessonSource, ...], folder: Path
    ) -> ModuleSource | None:
        reader, rest = self._front(path, root)
        if reader is None:
            return None
        module = module_from(reader, lessons, str(folder))
        if rest.text.strip():
            self.faults.add(
                str(path), rest.first, "module.md holds front matter only; move this text into a lesson"
            )
        return module

    def _lesson(
        self,
        text: str,
        path: Path,
        skills: dict[str, str] | None,
        drawings: dict[str, Picture],
        used: set[str],
    ) -> LessonSource | None:
        parser = LessonParser(str(path), skills, self.faults)
        lesson = parser.parse(text)
        shown = {}
        for name, line in parser.images:
            if name in drawings:
                used.add(name)
                shown[name] = drawings[name]
            elif not _PICTURE_NAME.match(name):
                self.faults.add(
                    str(path), line, f"the picture `{name}` must be an own drawing: ![text](img/name.svg)"
                )
            else:
                self.faults.add(
                    str(path), line, f"the picture `{name}` is not there{closest(name, list(drawings))}"
                )
        return replace(lesson, pictures=shown) if lesson else None

    def _pictures(self, folder: Path, root: Path) -> dict[str, Picture]:
        """The drawings of a module by the name used in its texts."""
        images = folder / "img"
        if images.is_symlink() or not images.is_dir():
            return {}
        drawings = {}
        for path in self._entries(images):
            name = f"img/{path.name}"
            if not path.is_file() or not _PICTURE_NAME.match(name):
                self.faults.add(str(path), 1, "img/ holds drawings only: plain names that end in .svg")
                continue
            source = self.text(path, root)
            if source is None:
                continue
            for line, message in pictures.faults(source):
                self.faults.add(str(path), line, message)
            drawings[name] = Picture(str(path), source)
        return drawings
