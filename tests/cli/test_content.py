"""flask content: lint, plan and apply as an operator types them."""

from pathlib import Path

from flask import Flask

from codyverse.courses import queries
from tests.domains.courses import samples
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
