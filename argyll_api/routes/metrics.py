# SPDX-License-Identifier: Apache-2.0
"""The page that Prometheus reads. With several server processes it is the sum of all."""

from typing import Final

from flask import Blueprint, Response

from argyll_api.current import diagnostics
from argyll_api.openapi import examples
from argyll_api.openapi.operation import PLAIN, Answer, describes
from argyll_engine.metrics.page import CONTENT_TYPE

blueprint: Final = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
@describes(
    {200: Answer(form=str, says="Metrics in the text format of Prometheus.", media=PLAIN, example=examples.METRICS)},
    asks_store=False,
)
def get_metrics() -> Response:
    """Everything that is counted; what the store knows is missing while it is away."""
    return Response(diagnostics().metrics(), content_type=CONTENT_TYPE)
