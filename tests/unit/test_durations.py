# SPDX-License-Identifier: Apache-2.0
"""Durations as operators write them."""

import pytest

from argyll_engine.durations import format_seconds, parse_duration_ns

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "expected_ns"),
    [
        ("0", 0),
        ("+0", 0),
        ("-0", 0),
        ("5s", 5 * SECOND),
        ("-5s", -5 * SECOND),
        ("+5s", 5 * SECOND),
        ("500ms", SECOND // 2),
        ("1h30m", 5_400 * SECOND),
        ("1.5h", 5_400 * SECOND),
        ("1h15m30.918273645s", 4_530 * SECOND + 918_273_645),
        (".5s", SECOND // 2),
        ("5.s", 5 * SECOND),
        ("3us", 3_000),
        ("3\u00b5s", 3_000),  # micro sign
        ("3\u03bcs", 3_000),  # Greek mu
        ("7ns", 7),
        ("1.9ns", 1),  # what is below a nanosecond is cut off
        ("2540400h", 9_145_440_000 * SECOND),  # 290 years
    ],
)
def test_a_duration_is_its_pairs_added_up(text: str, expected_ns: int) -> None:
    """Number and unit pairs add up, with one sign before all of them."""
    assert expected_ns == parse_duration_ns(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "-",
        "3",
        "30",
        "7d",
        "s",
        ".s",
        "1 s",
        " 1s",
        "1s ",
        "1S",
        "1h-5m",
        "--5s",
        "1e3s",
        "1,5s",
        "\u0663s",
        "3000000h",
    ],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    """A bare number, an unknown unit, blanks and overflow are errors."""
    with pytest.raises(ValueError, match="duration"):
        parse_duration_ns(text)


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.1, "100ms"), (1, "1s"), (90, "90s"), (60, "1m"), (3_600, "1h"), (0, "0ms")]
)
def test_seconds_are_shown_in_the_largest_whole_unit(seconds: float, expected: str) -> None:
    """A duration is printed without fractions, in the largest unit that allows it."""
    assert expected == format_seconds(seconds)
