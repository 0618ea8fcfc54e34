# SPDX-License-Identifier: Apache-2.0
"""The work items of one execution: an immutable map in item order whose change costs the same for ten thousand items.

The items lie in pieces. A changed map shares all pieces but one with the map it came from. Made and changed by
`evolve/` and the codec; everybody else reads it as a mapping.
"""

from collections.abc import Iterator, Mapping
from typing import Final, Generic, TypeVar

from argyll_engine.model.ids import Token

V = TypeVar("V")

PIECE: Final = 128
"""Items that are copied for a change, beside one reference for each piece."""


class WorkItems(Mapping[Token, V], Generic[V]):
    """Work items by token, in item order. The tokens never change once a step has started."""

    __slots__ = ("_pieces", "_places", "_tokens")

    def __init__(self, items: Mapping[Token, V]) -> None:
        states = tuple(items.values())
        self._tokens = tuple(items)
        self._places = {token: place for place, token in enumerate(self._tokens)}
        self._pieces = tuple(states[first : first + PIECE] for first in range(0, len(states), PIECE))

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

    def items_from(self, place: int) -> Iterator[tuple[Token, V]]:
        """Tokens and items in item order, from a place on."""
        row, column = divmod(place, PIECE)
        for piece in self._pieces[row:]:
            end = place + PIECE - column
            yield from zip(self._tokens[place:end], piece[column:], strict=True)
            place, column = end, 0

    def with_item(self, token: Token, item: V) -> "WorkItems[V]":
        """The same items, but for the one of this token. Raises KeyError for an unknown token."""
        place = self._places[token]
        row, column = divmod(place, PIECE)
        piece = self._pieces[row]
        changed: WorkItems[V] = object.__new__(WorkItems)
        changed._tokens, changed._places = self._tokens, self._places
        changed._pieces = (
            *self._pieces[:row],
            (*piece[:column], item, *piece[column + 1 :]),
            *self._pieces[row + 1 :],
        )
        return changed
