# SPDX-License-Identifier: Apache-2.0
"""Ties a process to the life of its parent, so that nothing lingers when a supervisor is killed with -9.

Used between fork and exec by `supervisor.py`, and by the API's server processes (`serve.py`). Linux only;
elsewhere it does nothing, and a supervisor that is killed leaves its children to be stopped by hand.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from typing import Final

PR_SET_PDEATHSIG: Final = 1
"""Source: Linux, prctl(2)."""


def tether(death_signal: signal.Signals, parent_pid: int) -> Callable[[], None]:
    """A function that, called in a new child, has the kernel send it `death_signal` when its parent ends.

    The setting survives exec. It follows the *thread* that forked, so the parent must start children from its
    main thread. A parent that ended before the call is noticed too: the child then ends at once.
    """
    if sys.platform != "linux":
        return lambda: None
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # looked up before the fork, where it is safe

    def tie() -> None:
        prctl(PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != parent_pid:
            os._exit(128 + int(death_signal))

    return tie
