# SPDX-License-Identifier: Apache-2.0
"""Among which shards flows were placed so far, in the engine store. Asked where there are several flow stores.

It says where a flow may have come before a shard was added. Where it is not known, as when a second shard is added to
the first, every shard that has flows counts as one that once had all.
"""

from collections.abc import Callable, Collection
from typing import Any

from redis import Redis

from argyll_engine.codec import decode, encode
from argyll_engine.policy.placement import Layout
from argyll_engine.store.connect import translated
from argyll_engine.store.keys import Keys
from argyll_engine.store.scripts import ScriptCall, ScriptRunner, read_script


class RedisLayouts:
    """The layouts of one deployment; `client` and `prefix` are those of the engine store."""

    def __init__(self, client: Redis, prefix: str) -> None:
        self._client, self._keys = client, Keys(prefix)
        self._scripts, self._script = ScriptRunner(client, "engine"), read_script("layouts")

    def join(self, layout: Layout, in_use: Callable[[], Collection[str]]) -> frozenset[Layout]:
        """All layouts that there have been, this one among them from now on.

        Args:
            in_use: The names of the shards that have flows; asked only where no layout is known.

        Raises:
            StoreUnavailableError: This store is away, or a shard that had to be asked.
        """
        with translated("engine"):
            found: Any = self._client.smembers(self._keys.layouts())
        known: Collection[bytes] = found
        if _text(layout) not in known:
            assumed = () if known else [_text(frozenset({name})) for name in sorted(in_use())]
            # somebody may have been faster, and flows may have come since: then a layout is known, and none is assumed
            (known,) = self._scripts.run([ScriptCall(self._script, (self._keys.layouts(),), (_text(layout), *assumed))])
        return frozenset(frozenset(decode(text)) for text in known)


def _text(layout: Layout) -> bytes:
    return encode(sorted(layout))
