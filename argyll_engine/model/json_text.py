# SPDX-License-Identifier: Apache-2.0
"""Bytes that should be JSON, made text that can be kept: what no UTF-8 can say becomes U+FFFD. Parses nothing.

Used for the bodies of requests and for the answers of steps, so that both read the same bytes as the same value.
Source: the contract, http §1.2 and §3.2.
"""

import re
from typing import Final

_SURROGATES: Final = re.compile(
    r"\\(?:[^u]"  # an escaped backslash among them, so that what follows it is no escape
    r"|u[dD][89abAB][0-9a-fA-F]{2}(?P<low>\\u[dD][c-fC-F][0-9a-fA-F]{2})?"
    r"|u[dD][c-fC-F][0-9a-fA-F]{2})"
)


def readable(raw: bytes) -> str:
    """The text of these bytes, with U+FFFD for invalid UTF-8 and for each escape that is half a surrogate pair."""
    text = raw.decode("utf-8", "replace")
    return _SURROGATES.sub(_whole_character, text) if "\\u" in text else text


def _whole_character(escape: re.Match[str]) -> str:
    """An escape as it is, but a replacement character for half a surrogate pair."""
    return escape[0] if escape[0][1] != "u" or escape["low"] else "\ufffd"
