# SPDX-License-Identifier: Apache-2.0
"""Whether this process serves requests. Says nothing of the stores, so that a load balancer keeps it through a blip.

Source: the contract, http §1.4.
"""

from types import MappingProxyType
from typing import Final

from flask import Blueprint, Response

from argyll_api.answers import json_answer
from argyll_api.current import open_sockets
from argyll_api.openapi import answers, examples
from argyll_api.openapi.operation import Answer, describes

blueprint: Final = Blueprint("liveness", __name__)

_STATE: Final = "X-Argyll-Raft-State"
_HEADERS: Final = MappingProxyType({_STATE: "Always `leader`: load balancers choose a writable node by it."})


@blueprint.get("/health")
@describes({200: Answer(form=answers.Liveness, example=examples.LIVENESS, headers=_HEADERS)}, asks_store=False)
def get_liveness() -> Response:
    """200 with the header that load balancers choose a writable node by: every process is one."""
    details = {"websocket": {"clients": open_sockets()}, "backend": {"type": "redis"}}
    response = json_answer({"service": "argyll-engine", "details": details, "status": "healthy"})
    response.headers[_STATE] = "leader"
    return response
