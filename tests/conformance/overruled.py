# SPDX-License-Identifier: Apache-2.0
"""Rows of the conformance data that the contract itself overrules, with the entry that does and what holds instead.

A row is named by its script. Whoever runs rows looks here first.
"""

from typing import Any, Final

OVERRULED_ALE: Final[dict[str, tuple[str, Any]]] = {
    "{:r (/ 1 3)}": ("D2", {"r": 1 / 3}),
    "{:b 9223372036854775808}": ("D2", {"b": 9223372036854775808}),
    "(define k 1) (+ k 1)": ("D5", True),
    "(+ a b) ; trailing comment": ("scripts §1.3", True),
}
"""Script → the entry, and the outcome that it asks for."""
