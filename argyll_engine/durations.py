# SPDX-License-Identifier: Apache-2.0
"""Durations as operators write them: `500ms`, `1h30m`, `1.5s`. Text to nanoseconds and back, nothing else.

Called by `variables.py`. Step timeouts and retry backoffs are plain integers in milliseconds and never pass
here.
"""

import re
from typing import Final

NANOSECONDS_PER_SECOND: Final = 1_000_000_000

_UNITS_NS: Final = {
    "ns": 1,
    "us": 1_000,
    "\u00b5s": 1_000,  # micro sign
    "\u03bcs": 1_000,  # Greek mu, which keyboards also give
    "ms": 1_000_000,
    "s": NANOSECONDS_PER_SECOND,
    "m": 60 * NANOSECONDS_PER_SECOND,
    "h": 3_600 * NANOSECONDS_PER_SECOND,
}
_PAIR: Final = re.compile(r"([0-9]*)(?:\.([0-9]*))?([a-z\u00b5\u03bc]+)")
_MAX_NS: Final = 2**63 - 1


def parse_duration_ns(text: str) -> int:
    """Nanoseconds of a duration: number and unit pairs, a sign and fractions allowed, `0` alone too.

    Fractions of a nanosecond are cut off. There is no unit for days, and a bare number has no meaning.

    Raises:
        ValueError: The text is no duration, or longer than 292 years.

    Source: the contract, ops §1.1 (the syntax of Go's `time.ParseDuration`).
    """
    sign, body = (-1 if text.startswith("-") else 1), text.removeprefix("-" if text[:1] == "-" else "+")
    if body == "0":
        return 0
    total_ns = sign * _sum_pairs(text, body)
    if not -_MAX_NS - 1 <= total_ns <= _MAX_NS:
        raise ValueError(f"duration out of range: {text!r}")
    return total_ns


def _sum_pairs(text: str, body: str) -> int:
    position, total_ns = 0, 0
    while position < len(body) or position == 0:
        pair = _PAIR.match(body, position)
        if pair is None or pair[3] not in _UNITS_NS or not (pair[1] or pair[2]):
            raise ValueError(f"not a duration: {text!r}")
        total_ns += _pair_ns(pair[1], pair[2] or "", _UNITS_NS[pair[3]])
        position = pair.end()
    return total_ns


def _pair_ns(whole: str, fraction: str, unit_ns: int) -> int:
    scale: int = 10 ** len(fraction)
    return int(whole or "0") * unit_ns + int(fraction or "0") * unit_ns // scale


def format_seconds(seconds: float) -> str:
    """A duration as people write it: `15s`, `1h`, `500ms`; the inverse of parsing for the values we print."""
    milliseconds = round(seconds * 1_000)
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1_000)):
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"
