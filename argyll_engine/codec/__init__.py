# SPDX-License-Identifier: Apache-2.0
"""Model values to JSON and back: the only place with wire names. What is stored is what is served."""

from argyll_engine.codec.cursors import cursor_from_text, cursor_to_text
from argyll_engine.codec.digests import digest_from_text, digest_to_json, digest_to_text
from argyll_engine.codec.events import decode_recorded, encode_recorded, type_of
from argyll_engine.codec.plans import plan_from_json, plan_to_json
from argyll_engine.codec.snapshots import (
    catalog_from_snapshot,
    catalog_to_snapshot,
    cluster_from_snapshot,
    cluster_to_snapshot,
    flow_from_snapshot,
    flow_to_snapshot,
)
from argyll_engine.codec.states import catalog_to_json, cluster_to_json, flow_state_to_json, node_to_json
from argyll_engine.codec.steps import step_from_json, step_to_json
from argyll_engine.codec.wire import ZERO_TIME, decode, encode, time_from_json, time_to_json

__all__ = [
    "ZERO_TIME",
    "catalog_from_snapshot",
    "catalog_to_json",
    "catalog_to_snapshot",
    "cluster_from_snapshot",
    "cluster_to_json",
    "cluster_to_snapshot",
    "cursor_from_text",
    "cursor_to_text",
    "decode",
    "decode_recorded",
    "digest_from_text",
    "digest_to_json",
    "digest_to_text",
    "encode",
    "encode_recorded",
    "flow_from_snapshot",
    "flow_state_to_json",
    "flow_to_snapshot",
    "node_to_json",
    "plan_from_json",
    "plan_to_json",
    "step_from_json",
    "step_to_json",
    "time_from_json",
    "time_to_json",
    "type_of",
]
