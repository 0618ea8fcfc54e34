# SPDX-License-Identifier: Apache-2.0
"""Whether this process serves requests. Says nothing of the stores, so that a load balancer keeps it through a blip.

Source: the contract, http §1.4.
"""

from typing import Final

from flask import Blueprint, Response

from argyll_api.answers import json_answer
from argyll_api.current import open_sockets

blueprint: Final = Blueprint("liveness", __name__)


@blueprint.get("/health")
def get_liveness() -> Response:
    """200 with the header that load balancers choose a writable node by: every process is one."""
    details = {"websocket": {"clients": open_sockets()}, "backend": {"type": "redis"}}
    response = json_answer({"service": "argyll-engine", "details": details, "status": "healthy"})
    response.headers["X-Argyll-Raft-State"] = "leader"
    return response
