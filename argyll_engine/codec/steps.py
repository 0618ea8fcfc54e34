# SPDX-License-Identifier: Apache-2.0
"""Step definitions as JSON: empty members are left out, so that what was registered comes back as it was.

Source: the contract, http §2.1 and §2.2.
"""

from typing import Any

from argyll_engine.model.attribute import (
    AttributeSpec,
    ConstConfig,
    InputConfig,
    MappingConfig,
    MetaConfig,
    OutputConfig,
    ScriptConfig,
)
from argyll_engine.model.ids import Name, StepID
from argyll_engine.model.step import FlowConfig, HttpConfig, Step, WorkConfig

JSONObject = dict[str, Any]


def step_to_json(step: Step) -> JSONObject:
    """The wire form of a step."""
    out: JSONObject = {
        "id": step.id,
        "name": step.name,
        "type": step.type,
        "attributes": {name: attribute_to_json(spec) for name, spec in step.attributes.items()},
    }
    if step.labels:
        out["labels"] = dict(step.labels)
    if step.http is not None:
        out["http"] = _http_to_json(step.http)
    for name, script in (("script", step.script), ("predicate", step.predicate)):
        if script is not None:
            out[name] = _script_to_json(script)
    if step.flow is not None:
        out["flow"] = {"goals": list(step.flow.goals)}
    if step.work_config is not None:
        out["work_config"] = _work_config_to_json(step.work_config)
    if step.memoizable:
        out["memoizable"] = True
    return out


def attribute_to_json(spec: AttributeSpec) -> JSONObject:
    """The wire form of an attribute; a settings object that was given empty stays, an absent one stays away."""
    out: JSONObject = {"role": spec.role}
    if spec.type:
        out["type"] = spec.type
    for name, config in (("required", spec.required), ("optional", spec.optional)):
        if config is not None:
            out[name] = _input_to_json(config)
    if spec.const is not None:
        out["const"] = {"value": spec.const.value}
    if spec.meta is not None:
        out["meta"] = {"key": spec.meta.key}
    if spec.output is not None:
        mapping = spec.output.mapping
        out["output"] = {} if mapping is None else {"mapping": _mapping_to_json(mapping)}
    return out


def step_from_json(raw: JSONObject) -> Step:
    """The step of a stored wire form (trusted: requests go through the schemas of the API)."""
    http, flow, work = raw.get("http"), raw.get("flow"), raw.get("work_config")
    return Step(
        id=StepID(raw["id"]),
        name=raw["name"],
        type=raw["type"],
        attributes={Name(name): _attribute_from_json(spec) for name, spec in raw["attributes"].items()},
        labels=raw.get("labels", {}),
        http=None if http is None else _http_from_json(http),
        script=_script_from_json(raw.get("script")),
        flow=None if flow is None else FlowConfig(goals=tuple(flow["goals"])),
        predicate=_script_from_json(raw.get("predicate")),
        work_config=None if work is None else _work_config_from_json(work),
        memoizable=raw.get("memoizable", False),
    )


def _http_to_json(http: HttpConfig) -> JSONObject:
    out: JSONObject = {"endpoint": http.endpoint, "timeout": http.timeout_ms}
    rest = {
        "method": http.method,
        "compensate": http.compensate,
        "health_check": http.health_check,
        "protocol": http.protocol,
    }
    return out | {name: value for name, value in rest.items() if value}


def _http_from_json(raw: JSONObject) -> HttpConfig:
    return HttpConfig(
        endpoint=raw["endpoint"],
        timeout_ms=raw["timeout"],
        method=raw.get("method", ""),
        compensate=raw.get("compensate", ""),
        health_check=raw.get("health_check", ""),
        protocol=raw.get("protocol", ""),
    )


def _script_to_json(script: ScriptConfig) -> JSONObject:
    return {"language": script.language, "script": script.script}


def _script_from_json(raw: JSONObject | None) -> ScriptConfig | None:
    return None if raw is None else ScriptConfig(language=raw["language"], script=raw["script"])


def _work_config_to_json(work: WorkConfig) -> JSONObject:
    members = {
        "max_retries": work.max_retries,
        "init_backoff": work.init_backoff_ms,
        "max_backoff": work.max_backoff_ms,
        "backoff_type": work.backoff_type,
        "parallelism": work.parallelism,
    }
    return {name: value for name, value in members.items() if value}


def _work_config_from_json(raw: JSONObject) -> WorkConfig:
    return WorkConfig(
        max_retries=raw.get("max_retries", 0),
        init_backoff_ms=raw.get("init_backoff", 0),
        max_backoff_ms=raw.get("max_backoff", 0),
        backoff_type=raw.get("backoff_type", ""),
        parallelism=raw.get("parallelism", 0),
    )


def _mapping_to_json(mapping: MappingConfig) -> JSONObject:
    out: JSONObject = {"name": mapping.name} if mapping.name else {}
    if mapping.script is not None:
        out["script"] = _script_to_json(mapping.script)
    return out


def _mapping_from_json(raw: JSONObject | None) -> MappingConfig | None:
    if raw is None:
        return None
    return MappingConfig(name=raw.get("name", ""), script=_script_from_json(raw.get("script")))


def _input_to_json(config: InputConfig) -> JSONObject:
    members: JSONObject = {
        "collect": config.collect,
        "for_each": config.for_each,
        "mapping": None if config.mapping is None else _mapping_to_json(config.mapping),
        "match": None if config.match is None else _script_to_json(config.match),
        "default": config.default,
        "deadline": config.deadline_ms,
    }
    return {name: value for name, value in members.items() if value}


def _input_from_json(raw: JSONObject | None) -> InputConfig | None:
    if raw is None:
        return None
    return InputConfig(
        collect=raw.get("collect", ""),
        for_each=raw.get("for_each", False),
        mapping=_mapping_from_json(raw.get("mapping")),
        match=_script_from_json(raw.get("match")),
        default=raw.get("default", ""),
        deadline_ms=raw.get("deadline", 0),
    )


def _attribute_from_json(raw: JSONObject) -> AttributeSpec:
    const, meta, output = raw.get("const"), raw.get("meta"), raw.get("output")
    return AttributeSpec(
        role=raw["role"],
        type=raw.get("type", ""),
        required=_input_from_json(raw.get("required")),
        optional=_input_from_json(raw.get("optional")),
        const=None if const is None else ConstConfig(value=const["value"]),
        meta=None if meta is None else MetaConfig(key=meta["key"]),
        output=None if output is None else OutputConfig(mapping=_mapping_from_json(output.get("mapping"))),
    )
