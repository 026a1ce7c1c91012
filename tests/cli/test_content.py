"""flask content: lint, plan and apply as an operator types them."""

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, update

from codyverse.core.database import db, unit_of_work
from codyverse.courses import differences, editing, queries
from codyverse.courses.models import Course
from tests.domains.courses import documents, samples
from tests.domains.courses.samples import lesson, step, tea


def run(app: Flask, *words: str) -> tuple[int, str]:
    result = app.test_cli_runner().invoke(args=["content", *words])
    return result.exit_code, result.output


def test_lint_plan_apply_and_again(app: Flask, tmp_path: Path) -> None:
    folder = str(tea(tmp_path))
    summary = "1 course, 1 lesson, 7 steps, 6 exercises"
    assert run(app, "lint", folder) == (0, f"{summary}: no faults\n")
    code, planned = run(app, "plan", folder)
    assert code == 0
    assert planned.endswith(f"{summary}; 10 to change\n")
    assert queries.catalogue() == ()
    code, applied = run(app, "apply", folder)
    assert code == 0
    assert applied == planned.replace("to change", "changed")
    assert [card.slug for card in queries.catalogue()] == ["tea"]
    assert run(app, "apply", folder) == (0, f"{summary}; nothing changed\n")
    assert run(app, "plan", folder) == (0, f"{summary}; nothing to change\n")


def test_without_a_folder_it_is_the_one_of_the_settings(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A site with courses of its own must not lose them to those of the checkout when it is upgraded."""
    own = app.extensions["settings"].model_copy(update={"content_dir": tea(tmp_path)})
    monkeypatch.setitem(app.extensions, "settings", own)
    summary = "1 course, 1 lesson, 7 steps, 6 exercises"
    assert run(app, "lint") == (0, f"{summary}: no faults\n")
    assert run(app, "plan")[1].endswith(f"{summary}; 10 to change\n")
    assert run(app, "apply", "--quiet") == (0, f"{summary}; 10 changed\n")
    assert [card.slug for card in queries.catalogue()] == ["tea"]


def test_with_a_fault_nothing_is_loaded(app: Flask, tmp_path: Path) -> None:
    good = tea(tmp_path)
    samples.write(good, {"worse/course.md": "no front matter"})
    for command in ("lint", "plan", "apply"):
        code, output = run(app, command, str(good))
        assert code == 1
        assert "worse/course.md:1: the file must begin with front matter" in output
        assert "2 faults" in output
    assert queries.catalogue() == ()


def test_a_folder_that_is_not_there(app: Flask, tmp_path: Path) -> None:
    code, output = run(app, "apply", str(tmp_path / "nowhere"))
    assert code == 1
    assert "cannot be read" in output


def test_plan_names_what_would_change(app: Flask, tmp_path: Path) -> None:
    run(app, "apply", str(tea(tmp_path)))
    tea(tmp_path, lesson(step("intro", "Water **boils** at once.", title="Water")))
    _, output = run(app, "plan", str(tmp_path))
    assert "~ step first-cup / intro: edited\n" in output
    assert "- step first-cup / choice: retired\n" in output


def test_quiet(app: Flask, tmp_path: Path) -> None:
    code, output = run(app, "apply", "--quiet", str(tea(tmp_path)))
    assert code == 0
    assert output.count("\n") == 1


def test_courses_of_the_api_as_files(app: Flask, tmp_path: Path) -> None:
    assert run(app, "export", str(tmp_path / "none")) == (
        0,
        "No course was made over the API: nothing to write.\n",
    )
    with unit_of_work():
        editing.create_course(documents.every_kind())
        editing.create_course(documents.course(key="coffee"))
    there = tmp_path / "out"
    assert run(app, "export", str(there), "--course", "coffee") == (0, f"{there / 'coffee'}: 3 files\n")
    assert not (there / "tea").exists()
    code, output = run(app, "export", str(there))
    assert code == 1
    assert "coffee is there already" in output
    assert not (there / "tea").exists(), "all or nothing"
    code, output = run(app, "export", str(there), "--course", "cocoa")
    assert (code, output) == (1, "Error: No course of the API that is offered has the key cocoa.\n")
    assert run(app, "export", str(tmp_path / "both"))[0] == 0
    assert "2 courses" in run(app, "lint", str(tmp_path / "both"))[1]


def test_an_upgrade_renders_courses_of_the_api_anew(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with unit_of_work():
        editing.create_course(documents.course(key="coffee"))
    folder = str(tea(tmp_path))
    run(app, "apply", folder)
    assert run(app, "apply", folder)[1].endswith("nothing changed\n")
    newer = editing.VERSION + 1
    for module in (editing, differences):
        monkeypatch.setattr(module, "VERSION", newer)
    before = editing.documents()
    assert run(app, "apply", folder)[0] == 0
    kept = db.session.execute(select(Course.digest, Course.source).where(Course.key == "coffee")).one()
    assert kept.digest.startswith(f"{newer}:")
    assert kept.source == before["coffee"]
    assert run(app, "apply", folder)[1].endswith("nothing changed\n")


def test_a_course_of_the_api_that_breaks_a_new_rule_stays(app: Flask, tmp_path: Path) -> None:
    with unit_of_work():
        editing.create_course(documents.course(key="coffee"))
    broken = documents.course(key="coffee") | {"difficulty": "unheard of"}
    db.session.execute(update(Course).where(Course.key == "coffee").values(digest="0:x", source=broken))
    db.session.commit()
    code, output = run(app, "apply", str(tea(tmp_path)))
    assert code == 0
    assert "The course coffee of the API stays as it was rendered before" in output
