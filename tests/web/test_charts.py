"""The shapes of charts: pure, so they can be told by hand."""

import re

from codyverse.web.charts import chart, duration, percent, plain


def test_a_line_is_broken_where_nothing_was_measured_and_a_point_alone_is_seen() -> None:
    made = chart("k", "T", ["a"], [("1", [1.0]), ("2", [2.0]), ("3", [None]), ("4", [4.0])])
    [line] = made.lines
    assert re.fullmatch(r"M12\.50 [\d.]+L37\.50 [\d.]+M76\.25 [\d.]+H98\.75", line.path)
    assert line.latest == "4"
    assert made.rows[0] == ("4", ("4",))
    assert made.rows[1] == ("3", ("–",))


def test_the_axis_begins_at_nothing_and_holds_the_highest() -> None:
    for highest in (0.003, 0.7, 1, 7, 99, 101, 12_345):
        made = chart("k", "T", ["a"], [("1", [highest]), ("2", [0])])
        assert made.ups[0].at == 0
        assert made.ups[-1].at > 99.9
        assert 2 <= len(made.ups) <= 6
        assert all(0 <= float(y) <= 100 for y in re.findall(r"[ML][\d.]+ ([\d.]+)", made.lines[0].path))


def test_nothing_at_all_is_said_to_be_empty() -> None:
    assert chart("k", "T", ["a"], []).empty
    assert chart("k", "T", ["a"], [("1", [0]), ("2", [None])]).empty
    assert not chart("k", "T", ["a"], [("1", [0]), ("2", [1])]).empty


def test_bars_stand_on_the_floor() -> None:
    made = chart("k", "T", ["a"], [("1", [5]), ("2", [None]), ("3", [10])], bars=True)
    assert [bar.height for bar in made.bars] == [50.0, 100.0]
    assert all(bar.x + bar.width <= 100 for bar in made.bars)


def test_numbers_in_words() -> None:
    assert [plain(value) for value in (0, 0.25, 3.5, 12, 1204)] == ["0", "0.25", "3.5", "12", "1,204"]
    assert [duration(value) for value in (0.0008, 0.042, 1.34)] == ["0.8 ms", "42 ms", "1.3 s"]
    assert [percent(value) for value in (0, 0.034, 0.5, 1)] == ["0 %", "3.4 %", "50 %", "100 %"]
