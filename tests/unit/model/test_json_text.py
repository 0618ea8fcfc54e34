# SPDX-License-Identifier: Apache-2.0
"""What becomes of bytes that should be JSON before anybody parses them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argyll_engine.model.json_text import readable

PIECES = st.sampled_from(
    [b"\\", b"u", b"ud800", b"udc00", b'"', b"\xff", b"\xed\xa0\x80", b"n", b"\xc3\xa9", b"\\ud83d"]
)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'"\\ud83d\\ude00"', '"\\ud83d\\ude00"'),
        (b'"\\ud83d\\\\ude00"', '"\ufffd\\\\ude00"'),
        (b'"\\\\\\ud800"', '"\\\\\ufffd"'),
        (b'"\\n\\uDBFF"', '"\\n\ufffd"'),
        (b'"\\u00e9\xff"', '"\\u00e9\ufffd"'),
        (b"", ""),
        (b'"\\u', '"\\u'),
    ],
)
def test_halves_are_replaced_and_all_else_stays(raw: bytes, expected: str) -> None:
    """Whole pairs, escaped backslashes and other escapes are left as they are."""
    assert expected == readable(raw)


@given(st.lists(PIECES).map(b"".join))
def test_whatever_parses_can_be_kept(raw: bytes) -> None:
    """No text that comes out of it has a lone surrogate, so that it can be written as UTF-8."""
    try:
        text = json.loads(f'"{readable(raw)}"')
    except ValueError:
        return
    text.encode()
