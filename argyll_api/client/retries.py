# SPDX-License-Identifier: Apache-2.0
"""How often and when a request is tried again. Called by `transport.py` and `watch.py`."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """Tries after connection errors and answers that ask to come back.

    Args:
        count: Tries after the first one; 0 for none.
        first_seconds: The longest pause before the first of them. It doubles from one to the next.
        most_seconds: The longest pause of all; also how far a `Retry-After` is heeded.
    """

    count: int = 7
    first_seconds: float = 0.1
    most_seconds: float = 5.0

    def pause_seconds(self, tried: int, asked_seconds: float = 0.0) -> float:
        """How long to pause after `tried` tries: between half and all of the longest, so that clients spread.

        `asked_seconds` is what the answer asked for; the pause is not shorter, unless that is beyond all measure.
        """
        longest = min(self.most_seconds, self.first_seconds * 2.0 ** min(tried - 1, 64))
        return max(longest * random.uniform(0.5, 1.0), min(asked_seconds, self.most_seconds))
