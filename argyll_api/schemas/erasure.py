# SPDX-License-Identifier: Apache-2.0
"""JSON of a request to erase a flow. Called by `routes/archive.py`."""

from collections.abc import Mapping
from typing import Final

from argyll_api.schemas.fields import Text
from argyll_api.schemas.shape import Shape, load
from argyll_engine.model.digest import MAX_REASON_CHARACTERS
from argyll_engine.model.ids import JSONValue


class EraseShape(Shape):
    """A request to erase, as it is posted; nothing is mandatory."""

    reason = Text(
        load_default="", metadata={"maxLength": MAX_REASON_CHARACTERS, "description": "Why, for the audit log."}
    )


_erase: Final = EraseShape()


def load_reason(raw: Mapping[str, JSONValue]) -> str:
    """Why a flow is to be erased; may be empty. Raises InvalidJSONError when it is no text."""
    return str(load(_erase, raw)["reason"])
