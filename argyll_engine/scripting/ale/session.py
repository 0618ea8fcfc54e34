# SPDX-License-Identifier: Apache-2.0
"""A conversation with Ale: forms one after the other in one namespace, each on a meter of its own. For the console.

What a form defines is there for the next one, and may be defined again. `program.py` has whole programs and scripts.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from argyll_engine.scripting.ale.errors import AleLimitError, AleUnfinishedError
from argyll_engine.scripting.ale.meter import Limits, Meter
from argyll_engine.scripting.ale.printer import render
from argyll_engine.scripting.ale.program import DEFAULT_LIMITS, evaluate_form, namespace_on, read_source, shown_error
from argyll_engine.scripting.ale.runtime_errors import RUNTIME_ERRORS
from argyll_engine.scripting.ale.sequences import walk
from argyll_engine.scripting.ale.values import Lazy, Value

MAX_SHOWN: Final = 20
"""Elements of a lazy sequence that are shown."""


class Session:
    """Evaluates forms that know the definitions of those before; used by one thread at a time.

    Args:
        limits: what each form may use.
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._meter = Meter(limits)
        self._namespace = namespace_on(self._meter)
        self._namespace.is_open = True
        self._transcript = ""

    def evaluate(self, source: str) -> Iterator[str]:
        """The text of the value of each form, as soon as it is there.

        Raises:
            AleUnfinishedError: The text ends in the middle of a form; nothing was evaluated.
            AleError: A form does not compile, fails or hits a limit; those before it were evaluated.
        """
        # Definitions outlive their text, so places count the lines of the whole conversation.
        whole = self._transcript + source
        try:
            forms = read_source("\n" * self._transcript.count("\n") + source)
            self._transcript = whole.removesuffix("\n") + "\n"
            for form in forms:
                self._meter = self._namespace.meter = Meter(self._limits)
                yield shown_value(self._meter, evaluate_form(self._meter, self._namespace, form))
        except (*RUNTIME_ERRORS, AleLimitError, RecursionError) as error:
            raise shown_error(error, whole) from error

    def stop(self) -> None:
        """End what is being evaluated, in whichever thread; for the handler of an interrupt."""
        self._meter.left = -1 - self._limits.max_steps  # more than all that are left, so the next look ends the run

    def names(self) -> tuple[str, ...]:
        """Everything that a form may name now, sorted."""
        return tuple(sorted({*self._namespace.core, *self._namespace.bound_names()}))


def is_unfinished(source: str) -> bool:
    """Whether the text ends in the middle of a form, so that more of it may come."""
    try:
        read_source(source)
    except AleUnfinishedError:
        return True
    except RUNTIME_ERRORS:
        return False
    return False


def shown_value(meter: Meter, value: Value) -> str:
    """The text of a value as it would be read; of a lazy sequence, its first elements."""
    if type(value) is not Lazy:
        return render(value, meter.spend)
    found = list(islice(walk(meter, value), MAX_SHOWN + 1))
    texts = [render(item, meter.spend) for item in found[:MAX_SHOWN]]
    return f"({' '.join([*texts, '…'] if len(found) > MAX_SHOWN else texts)})"
