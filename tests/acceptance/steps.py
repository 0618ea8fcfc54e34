# SPDX-License-Identifier: Apache-2.0
"""Step definitions as a client would send them: short calls, full JSON bodies."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

Body = dict[str, Any]


def attributes(
    takes: Sequence[str] = (),
    gives: Sequence[str] = (),
    optional: Mapping[str, Any] | None = None,
    const: Mapping[str, Any] | None = None,
) -> Body:
    """Attribute specifications: required inputs, outputs, optional inputs with defaults, constants."""
    required: Body = {name: {"role": "required"} for name in takes}
    outputs: Body = {name: {"role": "output"} for name in gives}
    optionals: Body = {
        name: {"role": "optional", "optional": {"default": json.dumps(value)}}
        for name, value in (optional or {}).items()
    }
    constants: Body = {
        name: {"role": "const", "const": {"value": json.dumps(value)}} for name, value in (const or {}).items()
    }
    return required | outputs | optionals | constants


def script(step_id: str, text: str, specs: Body, **more: Any) -> Body:
    """A step whose work is a Lua script."""
    work = {"script": {"language": "lua", "script": text}}
    return {"id": step_id, "name": step_id, "type": "script", "attributes": specs} | work | more


def sync(step_id: str, url: str, specs: Body, **more: Any) -> Body:
    """A step whose work is one HTTP call."""
    return {"id": step_id, "name": step_id, "type": "sync", "attributes": specs, "http": {"endpoint": url}} | more


def asynchronous(step_id: str, url: str, specs: Body, **more: Any) -> Body:
    """A step whose HTTP call only begins the work; a webhook ends it."""
    return sync(step_id, url, specs, **more) | {"type": "async"}


def lua(text: str) -> Body:
    """A predicate."""
    return {"language": "lua", "script": text}


def retries(count: int, backoff_ms: int, kind: str = "fixed", most_ms: int = 60_000) -> Body:
    """The `work_config` of a step."""
    return {"max_retries": count, "init_backoff": backoff_ms, "max_backoff": most_ms, "backoff_type": kind}


# ---- attributes, one at a time ---------------------------------------------------------------


def required(**config: Any) -> Body:
    """A required input with these settings."""
    return {"role": "required", "required": config}


def optional(**config: Any) -> Body:
    """An optional input with these settings."""
    return {"role": "optional", "optional": config}


def output(**config: Any) -> Body:
    """An output with these settings."""
    return {"role": "output", "output": config}


def const(value: Any) -> Body:
    """A constant."""
    return {"role": "const", "const": {"value": json.dumps(value)}}


def meta(key: str) -> Body:
    """An argument that the engine fills from what it knows of the call."""
    return {"role": "meta", "meta": {"key": key}}


def jpath(text: str) -> Body:
    """A jpath."""
    return {"language": "jpath", "script": text}


def ale(text: str) -> Body:
    """An Ale script."""
    return {"language": "ale", "script": text}


def flow_step(step_id: str, goals: Sequence[str], specs: Body, **more: Any) -> Body:
    """A step whose work is a flow of its own."""
    return {"id": step_id, "name": step_id, "type": "flow", "attributes": specs, "flow": {"goals": [*goals]}} | more
