# SPDX-License-Identifier: Apache-2.0
"""Remembered results that all processes share, on Redis, and never more than `capacity` of them for long.

Called through `memo.py`, which has what this process used lately, and which takes a Redis that is away for a miss.
"""

from collections.abc import Mapping, Sequence

from redis import Redis

from argyll_engine.codec import decode, encode
from argyll_engine.model.invocation import Succeeded
from argyll_engine.store.keys import Keys
from argyll_engine.store.scripts import ScriptCall, ScriptRunner, read_script


class RedisMemo:
    """Implements `ports.Memo`; `prefix` is that of the engine store."""

    def __init__(self, client: Redis, prefix: str, *, capacity: int, store_name: str = "engine") -> None:
        keys = Keys(prefix)
        self._keys, self._capacity = (keys.memo(), keys.memo_order()), capacity
        self._scripts = ScriptRunner(client, store_name)
        self._find, self._keep = map(read_script, ("memo_find", "memo_keep"))

    def find(self, keys: Sequence[str]) -> Sequence[Succeeded | None]:
        """What is kept under each key, which counts as its use."""
        answers = self._scripts.run([ScriptCall(self._find, self._keys, (key,)) for key in keys])
        return tuple(None if raw is None else Succeeded(outputs=decode(raw)) for raw in answers)

    def keep(self, results: Mapping[str, Succeeded]) -> Mapping[str, Succeeded]:
        """What is kept under each key from now on."""
        calls = [
            ScriptCall(self._keep, self._keys, (key, encode(result.outputs), self._capacity))
            for key, result in results.items()
        ]
        answers = zip(results.items(), self._scripts.run(calls), strict=True)
        return {key: ours if raw is None else Succeeded(outputs=decode(raw)) for (key, ours), raw in answers}
