# SPDX-License-Identifier: Apache-2.0
"""Step definitions as Python values, to JSON and back. What makes a definition valid is the engine's to say.

Source: the contract, http §2.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, TypeAlias

Json: TypeAlias = Mapping[str, Any]

_NONE: Final[Mapping[str, Any]] = MappingProxyType({})
_NO_DEFAULT: Final = object()


class Role(StrEnum):
    """What an attribute is to its step."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    CONST = "const"
    META = "meta"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Script:
    """A script and its language: `ale`, `lua` or `jpath`."""

    language: str
    script: str

    def to_json(self) -> dict[str, Any]:
        """As it is sent."""
        return {"language": self.language, "script": self.script}

    @classmethod
    def from_json(cls, value: Json | None) -> "Script | None":
        """A script as it is served; None for none."""
        return cls(value["language"], value["script"]) if value else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """What a step declares of an input or output; `required`, `optional`, `const`, `meta` and `output` make them.

    Args:
        role: What it is to the step.
        type: Such as `string`; empty for any.
        collect: Which values an input takes: `first` (also when empty), `last`, `all`, `some` or `none`.
        for_each: Whether each element of the value becomes a work item of its own.
        match: A gate on the values of a required input.
        default_json: Default of an optional input as JSON text; empty for none.
        deadline_ms: How long an optional input is waited for.
        value_json: Value of a constant as JSON text.
        key: Key of a meta input.
        inner_name: What the step itself calls it; empty for the same.
        mapping: A script that makes the step's value of the flow's, or the other way round.
    """

    role: Role
    type: str = ""
    collect: str = ""
    for_each: bool = False
    match: Script | None = None
    default_json: str = ""
    deadline_ms: int = 0
    value_json: str = ""
    key: str = ""
    inner_name: str = ""
    mapping: Script | None = None

    def named(self, inner_name: str) -> "Attribute":
        """The same, under another name towards the step."""
        return replace(self, inner_name=inner_name)

    def mapped(self, script: Script) -> "Attribute":
        """The same, with its value put through a script."""
        return replace(self, mapping=script)

    def to_json(self) -> dict[str, Any]:
        """As it is sent."""
        mapping = _present({"name": self.inner_name, "script": _sent(self.mapping)})
        config = {"collect": self.collect, "for_each": self.for_each, "match": _sent(self.match)}
        config |= {"default": self.default_json, "deadline": self.deadline_ms, "value": self.value_json}
        config |= {"key": self.key, "mapping": mapping}
        return {"role": str(self.role)} | _present({"type": self.type, str(self.role): _present(config)})

    @classmethod
    def from_json(cls, value: Json) -> "Attribute":
        """An attribute as it is served."""
        role = Role(value["role"])
        config = value.get(role) or _NONE
        mapping = config.get("mapping") or _NONE
        return cls(
            role=role,
            type=value.get("type") or "",
            collect=config.get("collect") or "",
            for_each=config.get("for_each") or False,
            match=Script.from_json(config.get("match")),
            default_json=config.get("default") or "",
            deadline_ms=config.get("deadline") or 0,
            value_json=config.get("value") or "",
            key=config.get("key") or "",
            inner_name=mapping.get("name") or "",
            mapping=Script.from_json(mapping.get("script")),
        )


def required(type: str = "", *, collect: str = "", for_each: bool = False, match: Script | None = None) -> Attribute:
    """An input without which the step does not start."""
    return Attribute(role=Role.REQUIRED, type=type, collect=collect, for_each=for_each, match=match)


def optional(
    type: str = "", *, default: Any = _NO_DEFAULT, deadline_ms: int = 0, collect: str = "", for_each: bool = False
) -> Attribute:
    """An input that the step can do without; `default` may be anything that JSON can say, None too."""
    text = "" if default is _NO_DEFAULT else json.dumps(default)
    return Attribute(
        role=Role.OPTIONAL, type=type, collect=collect, for_each=for_each, default_json=text, deadline_ms=deadline_ms
    )


def const(value: Any, type: str = "") -> Attribute:
    """An input that is always the same."""
    return Attribute(role=Role.CONST, type=type, value_json=json.dumps(value))


def meta(key: str, type: str = "") -> Attribute:
    """An input about the call itself, such as `flow_id` or `webhook_url`."""
    return Attribute(role=Role.META, type=type, key=key)


def output(type: str = "") -> Attribute:
    """What the step gives."""
    return Attribute(role=Role.OUTPUT, type=type)


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """How a step is called; `timeout_ms` 0 is the engine's default, `{name}` in an address is an input."""

    endpoint: str
    method: str = ""
    timeout_ms: int = 0
    compensate: str = ""
    health_check: str = ""

    def to_json(self) -> dict[str, Any]:
        """As it is sent."""
        more = {"method": self.method, "compensate": self.compensate, "health_check": self.health_check}
        return {"endpoint": self.endpoint, "timeout": self.timeout_ms} | _present(more)

    @classmethod
    def from_json(cls, value: Json | None) -> "Http | None":
        """A call as it is served; None for none."""
        if not value:
            return None
        more = {name: value.get(name) or "" for name in ("method", "compensate", "health_check")}
        return cls(endpoint=value["endpoint"], timeout_ms=value.get("timeout") or 0, **more)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkConfig:
    """Retries and parallelism; zero and empty are the engine's defaults, negative `max_retries` are endless."""

    max_retries: int = 0
    init_backoff_ms: int = 0
    max_backoff_ms: int = 0
    backoff_type: str = ""
    parallelism: int = 0

    def to_json(self) -> dict[str, Any]:
        """As it is sent."""
        times = {"init_backoff": self.init_backoff_ms, "max_backoff": self.max_backoff_ms}
        rest = {"backoff_type": self.backoff_type, "parallelism": self.parallelism}
        return _present({"max_retries": self.max_retries, **times, **rest})

    @classmethod
    def from_json(cls, value: Json | None) -> "WorkConfig | None":
        """Retries as they are served; None for none."""
        if not value:
            return None
        return cls(
            max_retries=value.get("max_retries") or 0,
            init_backoff_ms=value.get("init_backoff") or 0,
            max_backoff_ms=value.get("max_backoff") or 0,
            backoff_type=value.get("backoff_type") or "",
            parallelism=value.get("parallelism") or 0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step definition.

    Args:
        id: Its id; the engine cleans it.
        name: For people; the id if empty.
        type: `sync`, `async`, `script` or `flow`; told from what there is if empty (`http` alone is `sync`).
        attributes: Inputs and outputs by name.
        http: How it is called.
        script: What it runs.
        goals: Of the flow it starts.
        predicate: Decides whether it is skipped.
        work_config: Retries and parallelism.
        memoizable: Whether results may be remembered.
        labels: Anything.
    """

    id: str
    name: str = ""
    type: str = ""
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    http: Http | None = None
    script: Script | None = None
    goals: tuple[str, ...] = ()
    predicate: Script | None = None
    work_config: WorkConfig | None = None
    memoizable: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As it is sent."""
        kind = self.type or ("script" if self.script else "flow" if self.goals else "sync")
        attributes = {name: attribute.to_json() for name, attribute in self.attributes.items()}
        body = {"id": self.id, "name": self.name or self.id, "type": kind, "attributes": attributes}
        parts = {"http": self.http, "script": self.script, "predicate": self.predicate, "work_config": self.work_config}
        flow = {"goals": list(self.goals)} if self.goals else None
        more = {"flow": flow, "memoizable": self.memoizable, "labels": dict(self.labels)}
        return body | _present({name: _sent(part) for name, part in parts.items()}) | _present(more)

    @classmethod
    def from_json(cls, value: Json) -> "Step":
        """A step as it is served."""
        attributes = value.get("attributes") or _NONE
        return cls(
            id=value["id"],
            name=value["name"],
            type=value["type"],
            attributes={name: Attribute.from_json(attribute) for name, attribute in attributes.items()},
            http=Http.from_json(value.get("http")),
            script=Script.from_json(value.get("script")),
            goals=tuple((value.get("flow") or _NONE).get("goals") or ()),
            predicate=Script.from_json(value.get("predicate")),
            work_config=WorkConfig.from_json(value.get("work_config")),
            memoizable=value.get("memoizable") or False,
            labels=value.get("labels") or {},
        )


def _sent(part: Script | Http | WorkConfig | None) -> dict[str, Any] | None:
    return part.to_json() if part else None


def _present(members: Json) -> dict[str, Any]:
    """The members that say something."""
    return {name: value for name, value in members.items() if value}
