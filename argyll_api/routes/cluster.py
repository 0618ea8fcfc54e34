# SPDX-License-Identifier: Apache-2.0
"""Health as the nodes report it, without filling gaps. Source: the contract, http §1.5."""

from typing import Final

from flask import Blueprint, Response

from argyll_api.answers import events_answer, json_answer
from argyll_api.current import engine
from argyll_api.node_health import with_node
from argyll_api.openapi import answers, examples
from argyll_api.openapi.events import ClusterLog
from argyll_api.openapi.operation import Answer, describes
from argyll_engine.codec import cluster_to_json

blueprint: Final = Blueprint("cluster", __name__)


@blueprint.get("/engine/cluster")
@describes({200: Answer(form=answers.Cluster, example=examples.CLUSTER)})
def get_cluster() -> Response:
    """What every node reports; the configured node is there even when it has said nothing."""
    return json_answer(cluster_to_json(with_node(engine().queries.cluster(), engine().node_id)))


@blueprint.get("/engine/cluster/events")
@describes({200: Answer(form=ClusterLog, example=examples.CLUSTER_LOG)})
def get_cluster_events() -> Response:
    """The event log of the cluster, as far back as it is kept."""
    return events_answer(engine().queries.cluster_log())
