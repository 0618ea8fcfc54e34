# SPDX-License-Identifier: Apache-2.0
"""What the address of the WebSocket says to a request that is no upgrade. The socket is `argyll_api/socket.py`.

Source: the contract, http §4.1.
"""

from typing import Final

from flask import Blueprint, Response

from argyll_api.answers import text_answer
from argyll_api.openapi.operation import PLAIN, Answer, describes

blueprint: Final = Blueprint("sockets", __name__)

_REFUSAL: Final = "Bad Request: this address speaks WebSocket only"


@blueprint.get("/engine/ws")
@describes(
    {
        101: Answer(says="An upgrade: from here on it is a WebSocket."),
        400: Answer(form=str, says="No upgrade.", media=PLAIN, example=_REFUSAL),
    },
    asks_store=False,
)
def refuse_plain_request() -> Response:
    """400 in plain text for a request that is no upgrade to a WebSocket."""
    return text_answer(400, _REFUSAL)
