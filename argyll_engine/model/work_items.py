# SPDX-License-Identifier: Apache-2.0
"""The work items of one execution: an immutable map in item order whose change costs the same for ten thousand items.

The items lie in pieces. A changed map shares all pieces but one with the map it came from. Made and changed by
`evolve/` and the codec; everybody else reads it as a mapping.
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Final, Generic, Protocol, TypeVar

from argyll_engine.model.ids import Token


class Item(Protocol):
    """What the map holds."""

    @property
    def is_fresh(self) -> bool:
        """Whether it waits to be started for the first time."""


V = TypeVar("V", bound=Item)

PIECE: Final = 128
"""Items that are copied for a change, beside one reference for each piece."""


class WorkItems(Mapping[Token, V], Generic[V]):
    """Work items by token, in item order. The tokens never change once a step has started."""

    __slots__ = ("_fresh", "_pieces", "_places", "_tokens")

    def __init__(self, items: Mapping[Token, V]) -> None:
        states = tuple(items.values())
        self._tokens = tuple(items)
        self._places = {token: place for place, token in enumerate(self._tokens)}
        self._pieces = tuple(states[first : first + PIECE] for first in range(0, len(states), PIECE))
        self._fresh = tuple(sum(item.is_fresh for item in piece) for piece in self._pieces)  # of each piece

    def __getitem__(self, token: Token) -> V:
        place = self._places[token]
        return self._pieces[place // PIECE][place % PIECE]

    def __iter__(self) -> Iterator[Token]:
        return iter(self._tokens)

    def __len__(self) -> int:
        return len(self._tokens)

    def __contains__(self, token: object) -> bool:
        return token in self._places

    def __repr__(self) -> str:
        return f"WorkItems({dict(self)})"

    def states(self) -> Iterator[V]:
        """The items without their tokens, in item order."""
        return chain.from_iterable(self._pieces)

    def fresh_items(self, place: int) -> Iterator[tuple[Token, V]]:
        """Tokens and items of those that are fresh, in item order, from a place on.

        Pieces without any are passed over at once: one item that is started late does not make all that were
        started after it be looked at again and again.
        """
        row, column = divmod(place, PIECE)
        for number in range(row, len(self._pieces)):
            if self._fresh[number]:
                first, piece = number * PIECE, self._pieces[number]
                for offset in range(column, len(piece)):
                    if piece[offset].is_fresh:
                        yield self._tokens[first + offset], piece[offset]
            column = 0

    def with_item(self, token: Token, item: V) -> "WorkItems[V]":
        """The same items, but for the one of this token. Raises KeyError for an unknown token."""
        place = self._places[token]
        changed: WorkItems[V] = object.__new__(WorkItems)
        changed._tokens, changed._places = self._tokens, self._places
        if len(self._tokens) == 1:  # most steps
            changed._pieces, changed._fresh = ((item,),), (int(item.is_fresh),)
            return changed
        row, column = divmod(place, PIECE)
        piece = self._pieces[row]
        more = item.is_fresh - piece[column].is_fresh
        fresh = self._fresh
        changed._fresh = (*fresh[:row], fresh[row] + more, *fresh[row + 1 :]) if more else fresh
        changed._pieces = (
            *self._pieces[:row],
            (*piece[:column], item, *piece[column + 1 :]),
            *self._pieces[row + 1 :],
        )
        return changed
