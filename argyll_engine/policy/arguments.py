# SPDX-License-Identifier: Apache-2.0
"""What a step is called with: its arguments, the metadata among them, and its URL with the placeholders filled.

Called when a work item is about to be invoked; collecting and mapping the inputs has happened before, when the
step started.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

import msgspec

from argyll_engine.model.attribute import Role
from argyll_engine.model.flow import FlowState
from argyll_engine.model.ids import JSONValue, Name, StepID, Token
from argyll_engine.model.invocation import Failed
from argyll_engine.model.step import Step

_PLACEHOLDER: Final = re.compile(r"\{([^{}]+)\}")
_KEPT_IN_PATH: Final = "$&+:=@"  # besides letters, digits and - _ . ~
_MAX_PLAIN_FLOAT: Final = 1e21  # from here on JSON texts use an exponent


def build_metadata(state: FlowState, step_id: StepID, token: Token, webhook_url: str = "") -> dict[str, JSONValue]:
    """The execution metadata of one work item: the flow's, overlaid with what the engine knows.

    Args:
        webhook_url: empty unless the step is asynchronous; then there is no such key.

    Source: the contract, execution §2.10.
    """
    metadata = {**state.metadata, "flow_id": state.id, "step_id": step_id, "receipt_token": token}
    return metadata | {"webhook_url": webhook_url} if webhook_url else metadata


def build_arguments(
    step: Step, inputs: Mapping[Name, JSONValue], metadata: Mapping[str, JSONValue]
) -> dict[Name, JSONValue]:
    """All arguments by inner name: the inputs, and meta attributes whose key the metadata has.

    Args:
        inputs: what was collected and mapped when the step started, constants included.

    Source: the contract, execution §2.10.
    """
    keys = {name: spec.meta.key for name, spec in step.attributes.items() if spec.role == Role.META and spec.meta}
    return {**inputs, **{name: metadata[key] for name, key in keys.items() if key in metadata}}


def resolve_url(endpoint: str, arguments: Mapping[Name, JSONValue]) -> str | Failed:
    """The URL with each `{name}` replaced by the escaped argument, or the failure that names a missing one.

    Source: the contract, http §3.1 and execution §3.5.
    """
    for name in _PLACEHOLDER.findall(endpoint):
        if name not in arguments:
            return Failed(error=f"missing endpoint argument: {name}")
    return _PLACEHOLDER.sub(lambda found: _escaped(arguments[Name(found[1])]), endpoint)


def _escaped(value: JSONValue) -> str:
    """A path segment: a string as it is, anything else as compact JSON."""
    return quote(value if isinstance(value, str) else _compact(value), safe=_KEPT_IN_PATH)


def _compact(value: JSONValue) -> str:
    """JSON text; a whole number has no fraction, however it was written."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _MAX_PLAIN_FLOAT:
        return str(int(value))
    return msgspec.json.encode(value, order="sorted").decode()
