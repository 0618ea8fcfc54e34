# SPDX-License-Identifier: Apache-2.0
"""Texts and values without secrets, for everything that people read. Pure. Called by `log.py` and `tracing.py`.

Three kinds of secrets are known: passwords inside URLs, values that stand behind a telling name (`password=…`,
`"iban": "…"`), and the passwords of the configuration wherever they turn up.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from argyll_engine.address import redact

HIDDEN: Final = "***"
SECRET_NAMES: Final = (
    "pwd", "authorization", "cookie", "access_key", "accesskey", "secret_key", "secretkey", "private_key", "privatekey",
    "accesstoken", "refreshtoken", "credentials",
)  # fmt: skip
"""What is always hidden behind, also as the last words of a longer name: `set-cookie`, `secret_access_key`."""

SECRET_ENDS: Final = ("password", "passwd", "passphrase", "secret", "api_key", "api-key", "apikey", "_token", "-token")
"""The same for any name that ends so; a work item's `token` is no secret, for every line about the item names it."""

MIN_SECRET_LENGTH: Final = 4
"""Shorter passwords would take ordinary words out of every line; they are still hidden inside URLs."""

_SCHEMES: Final = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}")


class Redactor:
    """Hides secrets.

    Args:
        secrets: Texts that are hidden wherever they stand.
        names: Names of attributes whose values are hidden, beside those of secrets; upper and lower case are the same.
    """

    def __init__(self, secrets: Iterable[str] = (), names: Iterable[str] = ()) -> None:
        self._secrets = sorted((text for text in secrets if len(text) >= MIN_SECRET_LENGTH), key=len, reverse=True)
        wanted = _names(name for name in names if name)
        self._name = re.compile(wanted, re.IGNORECASE)
        self._named = _named_values(wanted)

    def text(self, text: str) -> str:
        """The text with `***` in place of each secret."""
        shown = self._named.sub(r"\g<name>***", _SCHEMES.sub(r"\1 ***", redact(text)))
        for secret in self._secrets:
            shown = shown.replace(secret, HIDDEN)
        return shown

    def field(self, name: str, value: object) -> object:
        """The value that is called so, in any depth without secrets."""
        if self._name.fullmatch(name):
            return HIDDEN
        return self.value(value)

    def value(self, value: object) -> object:
        """The same for a value without a name."""
        match value:
            case str():
                return self.text(value)
            case Mapping():
                return {key: self.field(str(key), inner) for key, inner in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self.value(inner) for inner in value]
            case BaseException():
                return self.text(str(value))
            case None | bool() | int() | float():
                return value
        return self.text(str(value))  # as it would be written


def _names(configured: Iterable[str]) -> str:
    """A pattern for the names of secrets; configured ones stand alone. Each run of letters is looked at once."""
    known = rf"(?:[\w.-]*[_.-])?(?:{_one_of(SECRET_NAMES)})|[\w.-]*(?:{_one_of(SECRET_ENDS)})"
    others = _one_of(configured)
    return rf"(?<![\w.-])(?:{known})" + (rf"|(?<![\w-])(?:{others})" if others else "")


def _one_of(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def _named_values(names: str) -> re.Pattern[str]:
    """Matches `name=value`, `name: value` and `"name": "value"`, the latter also inside a JSON text in a JSON text.

    A value in quotes ends with them, a plain one with the word. What begins as an object or a list is hidden with all
    that follows, for where it ends only a parser could say.
    """
    name = rf"(?P<name>(?:{names})(?P<end>\\*['\"])?\s*[:=]\s*)"
    value = r"(?:(?P<quote>\\*['\"]).*?(?<!\\)(?P=quote)|[\[{].*|[^\s,;&)}\]'\"\\]+)"
    return re.compile(name + value, re.IGNORECASE | re.DOTALL)
