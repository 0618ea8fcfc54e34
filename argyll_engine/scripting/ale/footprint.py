# SPDX-License-Identifier: Apache-2.0
"""How much memory the process holds. Only `meter.py` asks.

What a script keeps shows here whatever it is made of; counting the values themselves would miss long texts and numbers.
"""

import os
import resource
from typing import Final

_STATUS: Final = "/proc/self/statm"  # of Linux: sizes in pages, the second of what is in memory
_STATUS_BYTES: Final = 128
_PAGE_BYTES: Final = resource.getpagesize()


def resident_bytes() -> int:
    """Bytes of the process in memory; where the system does not say, the most that there ever were."""
    try:
        status = os.open(_STATUS, os.O_RDONLY)
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024
    try:
        return int(os.read(status, _STATUS_BYTES).split()[1]) * _PAGE_BYTES
    finally:
        os.close(status)
