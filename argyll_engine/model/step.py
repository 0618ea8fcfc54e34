# SPDX-License-Identifier: Apache-2.0
"""Step definitions as registered. What makes one valid is decided in `policy/definition.py`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from argyll_engine.model.attribute import AttributeSpec, Collect, Role, ScriptConfig
from argyll_engine.model.ids import Name, StepID

MAX_WORK_ITEMS: Final = 10_000
"""Items that one step may fan out into. Source: the contract, execution §3.1."""


class StepType(StrEnum):
    """How a step is invoked."""

    SYNC = "sync"
    ASYNC = "async"
    SCRIPT = "script"
    FLOW = "flow"


class BackoffType(StrEnum):
    """How the delay grows from retry to retry."""

    FIXED = "fixed"
    LINEAR = "linear"
    EXPONENTIAL = "exponential"


class HttpConfig(Struct, frozen=True, kw_only=True):
    """Where and how an HTTP step is called.

    `method` empty means POST; `timeout_ms` of zero or less means the engine's default; `protocol` empty means
    the deployment's.
    """

    endpoint: str = ""
    method: str = ""
    compensate: str = ""
    health_check: str = ""
    timeout_ms: int = 0
    protocol: str = ""


class FlowConfig(Struct, frozen=True, kw_only=True):
    """Goals of the child flow that a flow step starts."""

    goals: tuple[StepID, ...] = ()


class WorkDefaults(Struct, frozen=True, kw_only=True):
    """Retry settings that a step inherits where it gives none. Source: the contract, execution §3.6."""

    max_retries: int = 10
    init_backoff_ms: int = 1_000
    max_backoff_ms: int = 60_000
    backoff_type: str = BackoffType.EXPONENTIAL


class WorkConfig(Struct, frozen=True, kw_only=True):
    """Retry and parallelism settings of a step; zero and empty mean "not given".

    `max_retries` below zero means without limit; `parallelism` of zero means one at a time.
    """

    max_retries: int = 0
    init_backoff_ms: int = 0
    max_backoff_ms: int = 0
    backoff_type: str = ""
    parallelism: int = 0

    def filled(self, defaults: WorkDefaults) -> "WorkConfig":
        """The same with the engine's defaults in place of what was not given (parallelism stays)."""
        return replace(
            self,
            max_retries=self.max_retries or defaults.max_retries,
            init_backoff_ms=self.init_backoff_ms or defaults.init_backoff_ms,
            max_backoff_ms=self.max_backoff_ms or defaults.max_backoff_ms,
            backoff_type=self.backoff_type or defaults.backoff_type,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A registered definition: what it needs, what it gives, how it is invoked.

    Its inputs, outputs and arguments are sorted out once, for decisions ask for them all the time.
    """

    id: StepID
    name: str
    type: str
    attributes: Mapping[Name, AttributeSpec] = field(default_factory=lambda: MappingProxyType({}))
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    http: HttpConfig | None = None
    script: ScriptConfig | None = None
    flow: FlowConfig | None = None
    predicate: ScriptConfig | None = None
    work_config: WorkConfig | None = None
    memoizable: bool = False
    _inputs: tuple[tuple[Name, AttributeSpec], ...] = field(init=False, repr=False, compare=False)
    _plain_inputs: tuple[Name, ...] | None = field(init=False, repr=False, compare=False)
    _outputs: tuple[Name, ...] = field(init=False, repr=False, compare=False)
    _argument_names: tuple[Name, ...] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ordered = sorted(self.attributes.items())
        object.__setattr__(self, "_inputs", tuple(pair for pair in ordered if pair[1].is_input))
        object.__setattr__(self, "_plain_inputs", _plain(self._inputs))
        object.__setattr__(self, "_outputs", tuple(name for name, spec in ordered if spec.role == Role.OUTPUT))
        object.__setattr__(self, "_argument_names", None)

    def inputs(self) -> tuple[tuple[Name, AttributeSpec], ...]:
        """Required and optional attributes, by name in order."""
        return self._inputs

    @property
    def plain_inputs(self) -> tuple[Name, ...] | None:
        """The names of its inputs, if each is required and takes the first value that comes, whatever it is."""
        return self._plain_inputs

    def required_inputs(self) -> Iterator[tuple[Name, AttributeSpec]]:
        """Required attributes, by name in order."""
        return ((name, spec) for name, spec in self._inputs if spec.role == Role.REQUIRED)

    def outputs(self) -> tuple[Name, ...]:
        """Outer names of what the step produces, in order."""
        return self._outputs

    @property
    def is_compensated(self) -> bool:
        """Whether succeeded work of the step is undone when the step fails. Source: the contract, execution §4; X12."""
        is_call = self.type in (StepType.SYNC, StepType.ASYNC)
        return is_call and not self.memoizable and self.http is not None and bool(self.http.compensate)

    def argument_names(self) -> tuple[Name, ...]:
        """Inner names of everything the step sees, sorted as byte strings. Source: the contract, scripts §1.2."""
        if self._argument_names is None:
            names = {spec.inner_name(name) for name, spec in self.attributes.items() if spec.is_argument}
            ordered = tuple(sorted(names, key=lambda name: name.encode("utf-8", "surrogatepass")))
            object.__setattr__(self, "_argument_names", ordered)
            return ordered
        return self._argument_names


def _plain(inputs: tuple[tuple[Name, AttributeSpec], ...]) -> tuple[Name, ...] | None:
    is_plain = all(
        spec.role == Role.REQUIRED and spec.input_config.collect in ("", Collect.FIRST) and spec.match is None
        for _, spec in inputs
    )
    return tuple(name for name, _ in inputs) if is_plain else None
