# SPDX-License-Identifier: Apache-2.0
"""Which flow shard a flow goes to: rendezvous hashing on its root. Pure; `store/sharded/` asks it.

Each shard has a weight for each root flow, and the heaviest one has the flow. So where a shard is added, a flow either
has the same home as before or the new one, and the others need not know of each other.
"""

from collections.abc import Collection, Sequence
from hashlib import blake2b
from typing import TypeAlias

from argyll_engine.model.ids import FlowID, is_canary, root_of

Layout: TypeAlias = frozenset[str]
"""The names of the shards among which flows were placed for some time."""


def placement_key(flow_id: FlowID) -> str:
    """What decides on the place of a flow: the id of its root, for children live with their root."""
    return flow_id if is_canary(flow_id) else root_of(flow_id)


def home_of(key: str, names: Collection[str]) -> str:
    """The shard, of those with these names, that has the heaviest weight for a key; the order of the names is nothing.

    Source: Thaler and Ravishankar, "A Name-Based Mapping Scheme for Rendezvous", 1996.
    """
    return max(names, key=lambda name: (_weight(key, name), name))


def places_of(key: str, names: Sequence[str], layouts: Collection[Layout]) -> tuple[int, ...]:
    """Where a flow may be, as indexes of `names`: its home first, then where it may have come under earlier layouts.

    An earlier layout with a shard that is not among the names (it was renamed, or moved) says nothing: then every other
    shard is a place to look at.
    """
    home = home_of(key, names)
    if all(layout == frozenset(names) for layout in layouts):
        return (names.index(home),)
    is_unclear = any(not layout <= frozenset(names) for layout in layouts)
    former = set(names) if is_unclear else {home_of(key, layout) for layout in layouts}
    return (names.index(home), *sorted(names.index(name) for name in former - {home}))


def _weight(key: str, name: str) -> bytes:
    return blake2b(key.encode(), digest_size=8, key=blake2b(name.encode(), digest_size=32).digest()).digest()
