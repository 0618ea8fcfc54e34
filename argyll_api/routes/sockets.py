# SPDX-License-Identifier: Apache-2.0
"""What the address of the WebSocket says to a request that is no upgrade. The socket is `argyll_api/socket.py`.

Source: the contract, http §4.1.
"""

from typing import Final

from flask import Blueprint, Response

from argyll_api.answers import text_answer

blueprint: Final = Blueprint("sockets", __name__)


@blueprint.get("/engine/ws")
def refuse_plain_request() -> Response:
    """400 in plain text for a request that is no upgrade to a WebSocket."""
    return text_answer(400, "Bad Request: this address speaks WebSocket only")
