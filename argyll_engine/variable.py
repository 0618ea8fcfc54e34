# SPDX-License-Identifier: Apache-2.0
"""What an environment variable is: its spellings, its text or the file that holds it, its parser, its faults.

The table of all of them is `variables.py`. The environment is handed in; files are read only where a variable names
one, as secrets are mounted: `NAME_FILE` is the path of a file that holds the value of `NAME`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from argyll_engine.address import redact_url

FILE_SUFFIX: Final = "_FILE"
"""After the name of a variable: the path of a file that holds its value."""
HIDDEN: Final = "***"
"""What is shown in place of a secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable: its names (the documented one first), where it goes, and what it may hold.

    `field` is the path in `EngineConfig`, empty for a variable that is accepted and checked but has no
    effect. `parse` raises ValueError for a text it does not take; `default` is the text that stands for "not
    set".
    """

    names: tuple[str, ...]
    field: str
    parse: Callable[[str], object]
    default: str
    allowed: str
    meaning: str

    @property
    def name(self) -> str:
        """The documented name."""
        return self.names[0]

    @property
    def is_secret(self) -> bool:
        """Whether nobody may see its value."""
        return self.name.endswith("_PASSWORD")

    def read(self, environment: Mapping[str, str], faults: list[str]) -> object:
        """The value of the first spelling that is set, or the default's; adds each fault to `faults`."""
        found: dict[str, object] = {}
        for name, text in self.given(environment, faults):
            try:
                found[name] = self.parse(text)
            except ValueError:
                faults.append(f"{self._shown(name, environment)}: must be {self.allowed}")
        (first, value), *rest = found.items() or [(self.name, self.parse(self.default))]
        for other, differing in rest:
            if differing != value:
                left, right = (self._shown(name, environment) for name in (first, other))
                faults.append(f"{left} and {right} disagree: set one, or both to the same")
        return value

    def given(self, environment: Mapping[str, str], faults: list[str]) -> Iterator[tuple[str, str]]:
        """The name and text of every spelling that is set, as it is or as a file; adds unreadable files to `faults`.

        The last line break of a file is not part of its text. An empty one counts as not set.
        """
        for name in self.names:
            if environment.get(name):
                yield name, environment[name]
            path = environment.get(name + FILE_SUFFIX)
            text = _text_of(name + FILE_SUFFIX, path, faults) if path else ""
            if text:
                yield name + FILE_SUFFIX, text

    def shown(self, text: str) -> str:
        """A text of this variable for people: secrets are hidden."""
        return HIDDEN if self.is_secret and text else redact_url(text)

    def _shown(self, name: str, environment: Mapping[str, str]) -> str:
        """Name and text for a fault; of a file its path."""
        if name.endswith(FILE_SUFFIX):
            return f"{name}={environment[name]!r}"
        return f"{name}={self.shown(environment[name])!r}"


def _text_of(name: str, path: str, faults: list[str]) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
        faults.append(f"{name}={path!r}: cannot be read: {reason}")
        return ""
