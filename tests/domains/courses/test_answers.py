"""When two typed answers are the same, whatever keyboard or country they come from."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codyverse.courses.answers import MAX_NUMBER_LENGTH, fits, normal, readings, same_mistake


@pytest.mark.parametrize(
    "typed",
    [
        "20",
        "20.0",
        "20,0",
        "2e1",
        "2E+1",
        "+20",
        " 20 ",
        "20.",
        "020",
        "20.000000",
        "\u0662\u0660",
        "\u00a020\u2009",
    ],
)
def test_ways_to_write_twenty(typed: str) -> None:
    assert fits(typed, [], Decimal(20))


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "-20",
        "20%",
        "2 0",
        "0x14",
        "twenty",
        "1e999",
        "--20",
        "20..0",
        "20.0.0",
        "inf",
        "nan",
        "2e",
        "1_0",
        "²0",
    ],
)
def test_other_things_are_not_twenty(typed: str) -> None:
    assert not fits(typed, [], Decimal(20))


@pytest.mark.parametrize(
    "typed", ["6000", "6,000", "6 000", "6\u202f000", "6'000", "6’000", "6000.0", "6,000.00"]
)
def test_thousands_may_be_grouped(typed: str) -> None:
    assert fits(typed, [], Decimal(6000))


@pytest.mark.parametrize("typed", ["60,00", "6,0000", "6,00", "6000,5", "6.000", "600 0", "6, 000"])
def test_but_not_anyhow(typed: str) -> None:
    assert not fits(typed, [], Decimal(6000))


def test_a_comma_before_three_digits_has_two_readings() -> None:
    assert fits("1,500", [], Decimal("1.5"))
    assert fits("1,500", [], Decimal(1500))
    assert not fits("1,501", [], Decimal("1.5"))


@pytest.mark.parametrize("minus", "-\u2212\u2013\u2010\u2011\uff0d")
def test_any_minus(minus: str) -> None:
    assert fits(f"{minus}2.5", [], Decimal("-2.5"))


def test_tolerance_is_inclusive_and_exact() -> None:
    assert fits("0.3", [], Decimal("0.1"), Decimal("0.2"))
    assert not fits("0.30000000001", [], Decimal("0.1"), Decimal("0.2"))


def test_huge_numbers_cost_nothing() -> None:
    assert readings("9" * (MAX_NUMBER_LENGTH + 1)) == ()
    assert readings("1e99999999999") == ()
    assert not fits("9" * MAX_NUMBER_LENGTH, [], Decimal(1), Decimal(1))


def test_a_fraction_counts_where_the_author_lists_it() -> None:
    assert fits("1/2", ["1/2"], Decimal("0.5"))
    assert not fits("1/2", [], Decimal("0.5"))


@pytest.mark.parametrize(
    ("typed", "form"),
    [
        ("  Training   DATA ", "training data"),
        ("don’t", "don't"),
        ("„quoted“", '"quoted"'),
        ("STRASSE", "straße"),
        ("cafe\u0301", "caf\u00e9"),
        ("a\u00a0b", "a b"),
        ("da\u200bta", "data"),
        ("a\tb", "a b"),
    ],
)
def test_texts_that_are_the_same(typed: str, form: str) -> None:
    assert fits(typed, [form], None)
    assert fits(form, [typed], None)


def test_exact_texts() -> None:
    assert fits(" Print ", ["Print"], None, exact=True)
    assert fits("print(‘a’)", ["print('a')"], None, exact=True)
    assert not fits("print", ["Print"], None, exact=True)
    assert not fits("a  b", ["a b"], None, exact=True)


def test_known_mistakes() -> None:
    assert same_mistake("30.0", "30", numeric=True)
    assert same_mistake("Half an  hour", "half an hour", numeric=True)
    assert not same_mistake("30.0", "30", numeric=False)
    assert not same_mistake("x", "y", numeric=True)


@given(st.text())
def test_normal_is_stable(text: str) -> None:
    assert normal(normal(text)) == normal(text)
    assert normal(text, exact=True).strip() == normal(text, exact=True)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9))
def test_every_number_fits_itself(number: Decimal) -> None:
    assert fits(str(number), [], number)
    assert fits(str(number).replace(".", ","), [], number)
    assert fits(f"{number:,}", [], number)


@given(st.text(max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    assert all(reading.is_finite() for reading in readings(text))
