# SPDX-License-Identifier: Apache-2.0
"""Where tokens come from: a seed for each request, and tokens that follow from it. Called by the executor."""

import hashlib
import itertools
import os
import secrets
from typing import Final

from argyll_engine.model.facts import NewToken
from argyll_engine.model.ids import StepID, Token


class _Seeds:
    """Seeds that nobody can guess, without asking the system for each: hashes of a count, keyed once a process."""

    def __init__(self) -> None:
        self.renew()
        os.register_at_fork(after_in_child=self.renew)

    def renew(self) -> None:
        """Begin with another key."""
        self._key, self._numbers = secrets.token_bytes(32), itertools.count()

    def next(self) -> bytes:
        """A seed that was never given before."""
        return hashlib.blake2b(next(self._numbers).to_bytes(8), key=self._key, digest_size=16).digest()


_seeds: Final[_Seeds] = _Seeds()


def new_seed() -> bytes:
    """A seed that nobody can guess and that was never given before."""
    return _seeds.next()


def token_source(seed: bytes) -> NewToken:
    """Tokens that follow from a seed, in the form of a UUID version 4: unguessable, yet the same if asked again."""

    def new_token(step_id: StepID, index: int) -> Token:
        digest = hashlib.blake2b(f"{step_id}\0{index}".encode(), key=seed, digest_size=16).digest()
        text = digest.hex()
        variant = "89ab"[digest[8] & 3]
        return Token(f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}")

    return new_token
