# SPDX-License-Identifier: Apache-2.0
"""The forms of all answers, as types; `document.py` makes JSON Schemas of them. Nothing is encoded by them.

What writes these forms is `argyll_engine/codec`. Tests hold the two against each other in both directions: no member
is served that is not here, and each one here is served. Long because it is one list, which refers to itself throughout.
Source: the contract, http §1.4 to §1.10 and §2.
"""

from typing import Annotated, Any, Literal, NotRequired, TypeAlias, TypedDict

from msgspec import Meta

from argyll_engine.model.cluster import HealthStatus
from argyll_engine.model.flow import FlowStatus, StepStatus, WorkStatus

# TypedDict is read at run time: a member that may be absent is NotRequired, the docstring is the description.
Time: TypeAlias = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Unset: TypeAlias = Annotated[
    str,
    Meta(description="The zero time `0001-01-01T00:00:00Z` while unset.", extra_json_schema={"format": "date-time"}),
]
Count: TypeAlias = Annotated[int, Meta(ge=0)]
Names: TypeAlias = list[str]
Values: TypeAlias = dict[str, Any]
Archived: TypeAlias = Annotated[Literal[True], Meta(description="There if the flow is in the archive.")]


class Error(TypedDict):
    """Every error that has a JSON body: its text, the HTTP status once more, and the place of a fault in a script."""

    error: str
    status: int
    line: NotRequired[int]
    column: NotRequired[int]


# ---- steps -----------------------------------------------------------------------------------


class Script(TypedDict):
    """A script and its language."""

    language: str
    script: str


class AttributeMapping(TypedDict):
    """The name towards the step, or a script that turns one value into another, or both."""

    name: NotRequired[str]
    script: NotRequired[Script]


class RequiredInput(TypedDict):
    """Settings of a required input."""

    collect: NotRequired[str]
    for_each: NotRequired[bool]
    match: NotRequired[Script]
    mapping: NotRequired[AttributeMapping]


class OptionalInput(TypedDict):
    """Settings of an optional input."""

    collect: NotRequired[str]
    for_each: NotRequired[bool]
    default: NotRequired[Annotated[str, Meta(description="JSON text.")]]
    deadline: NotRequired[Annotated[int, Meta(description="Milliseconds.")]]
    mapping: NotRequired[AttributeMapping]


class Const(TypedDict):
    """A fixed argument, as JSON text."""

    value: str


class Metadata(TypedDict):
    """Which fact of the execution fills the argument."""

    key: str


class Output(TypedDict):
    """Settings of an output."""

    mapping: NotRequired[AttributeMapping]


class Attribute(TypedDict):
    """What a step says of one of its inputs or outputs; only the settings named like the role can be there."""

    role: str
    type: NotRequired[str]
    required: NotRequired[RequiredInput]
    optional: NotRequired[OptionalInput]
    const: NotRequired[Const]
    meta: NotRequired[Metadata]
    output: NotRequired[Output]


class HttpSettings(TypedDict):
    """Where and how an HTTP step is called; `timeout` in milliseconds, 0 for the engine's."""

    endpoint: str
    timeout: int
    method: NotRequired[str]
    compensate: NotRequired[str]
    health_check: NotRequired[str]
    protocol: NotRequired[str]


class ChildFlow(TypedDict):
    """Goals of the flow that a flow step starts."""

    goals: Names


class WorkSettings(TypedDict):
    """Retries and parallelism; delays in milliseconds, negative `max_retries` means without end."""

    max_retries: NotRequired[int]
    init_backoff: NotRequired[int]
    max_backoff: NotRequired[int]
    backoff_type: NotRequired[str]
    parallelism: NotRequired[int]


class Step(TypedDict):
    """A step. Stored ones have all four retry settings, echoed ones only what was sent."""

    id: str
    name: str
    type: str
    attributes: dict[str, Attribute]
    labels: NotRequired[dict[str, str]]
    http: NotRequired[HttpSettings]
    script: NotRequired[Script]
    flow: NotRequired[ChildFlow]
    predicate: NotRequired[Script]
    work_config: NotRequired[WorkSettings]
    memoizable: NotRequired[bool]


class StepSaved(TypedDict):
    """A message, and the step as it was sent with its id cleaned."""

    message: str
    step: Step


class Message(TypedDict):
    """A message alone."""

    message: str


class StepList(TypedDict):
    """All steps, by id."""

    steps: list[Step]
    count: Count


# ---- plans -----------------------------------------------------------------------------------


class Edges(TypedDict):
    """The steps that provide an attribute and those that take it."""

    providers: Names
    consumers: Names


class Excluded(TypedDict):
    """Steps that planning left out, each with the attributes that are the reason."""

    satisfied: NotRequired[dict[str, Names]]
    blocked: NotRequired[dict[str, Names]]
    missing: NotRequired[dict[str, Names]]


class ExecutionPlan(TypedDict):
    """The steps that reach the goals; `required` names what a start must still give, `children` plans of flow steps."""

    goals: Names
    required: Names
    steps: dict[str, Step]
    attributes: dict[str, Edges]
    excluded: Excluded
    children: NotRequired[dict[str, "ExecutionPlan"]]


# ---- catalog and health ----------------------------------------------------------------------


class StepHealth(TypedDict):
    """Whether a step can run, and why not."""

    status: HealthStatus
    error: NotRequired[str]


class Node(TypedDict):
    """What one node says of the steps."""

    last_seen: Unset
    health: dict[str, StepHealth]


class Cluster(TypedDict):
    """What all nodes say."""

    last_updated: Unset
    nodes: dict[str, Node]


class Catalog(TypedDict):
    """The registered steps, and who provides and takes each attribute."""

    last_updated: Unset
    steps: dict[str, Step]
    attributes: dict[str, Edges]


class Engine(Catalog):
    """The catalog, and what each node says of its steps."""

    health: dict[str, Node]


class Sockets(TypedDict):
    """How many WebSockets this process serves."""

    clients: Count


class Backend(TypedDict):
    """What keeps the flows."""

    type: str


class Details(TypedDict):
    """Of a process."""

    websocket: Sockets
    backend: Backend


class Liveness(TypedDict):
    """A process that serves requests."""

    service: str
    details: Details
    status: Literal["healthy"]


class Aliveness(TypedDict):
    """A process that answers."""

    status: Literal["alive"]


class Check(TypedDict):
    """What one check found, for people in `detail`."""

    ok: bool
    detail: str


class Readiness(TypedDict):
    """All checks by name; `canary_seconds` is there when a canary flow was asked for and completed."""

    status: Literal["ready", "not ready"]
    checks: dict[str, Check]
    canary_seconds: NotRequired[float]


# ---- scripts ---------------------------------------------------------------------------------


class Trial(TypedDict):
    """What a script gave; `matched` is there instead, and false, where a mapping found nothing."""

    result: NotRequired[Any]
    matched: NotRequired[Literal[False]]


# ---- flows -----------------------------------------------------------------------------------


class FlowStart(TypedDict):
    """The id of the flow, as it was cleaned; the message is always empty."""

    message: str
    flow_id: str


class StartResult(TypedDict):
    """What became of one start: 201 and the id of its flow, or the error and status that it would get alone.

    The id is also there beside an error, if the start could be read.
    """

    status: int
    flow_id: NotRequired[str]
    message: NotRequired[str]
    error: NotRequired[str]


class FlowStarts(TypedDict):
    """The result of each start, in the order in which they were asked for, and how many of them went through."""

    flows: list[StartResult]
    count: Count
    started: Count


class FlowIndexStatus(TypedDict):
    """The status in the index: `active` until nothing of the flow runs any more."""

    id: str
    status: FlowStatus
    archived: NotRequired[Archived]


class FlowsRestored(TypedDict):
    """How many flows came back from the archive, children included; 0 if none was there."""

    flow_id: str
    restored: Count


class FlowsErased(TypedDict):
    """How many flows were erased, children included."""

    flow_id: str
    erased: Annotated[int, Meta(ge=1)]


class FlowRow(TypedDict):
    """A flow in a list, with the time when it got this status."""

    id: str
    status: FlowStatus
    timestamp: Time


class FlowRows(TypedDict):
    """A page of flows; `total` counts all that match and is absent when there is none."""

    flows: list[FlowRow]
    count: Count
    total: NotRequired[Annotated[int, Meta(ge=1)]]
    has_more: NotRequired[Literal[True]]
    next_cursor: NotRequired[str]


class Value(TypedDict):
    """One value of an attribute; without a step it came with the start."""

    value: Any
    set_at: Time
    step: NotRequired[str]


class WorkItem(TypedDict):
    """One invocation of a step; `inputs` are those that are its own."""

    status: WorkStatus
    started_at: Unset
    completed_at: Unset
    next_retry_at: Unset
    inputs: Values
    outputs: NotRequired[Values]
    error: NotRequired[str]
    retry_count: NotRequired[int]


class Execution(TypedDict):
    """A step inside a flow. The error of a skipped one is the reason; `duration` in milliseconds."""

    status: StepStatus
    started_at: Unset
    completed_at: Unset
    inputs: Values
    outputs: NotRequired[Values]
    work_items: NotRequired[Annotated[dict[str, WorkItem], Meta(description="By token.")]]
    error: NotRequired[str]
    unsatisfied: NotRequired[Names]
    duration: NotRequired[int]


class Parent(TypedDict):
    """The work item that started a child flow."""

    parent_flow_id: str
    parent_step_id: str
    parent_work_item_token: str


class FlowState(TypedDict):
    """Everything that the events of a flow amount to."""

    id: str
    status: FlowStatus
    created_at: Time
    completed_at: Unset
    last_updated: Time
    deactivated_at: Unset
    plan: ExecutionPlan
    attributes: Annotated[dict[str, list[Value]], Meta(description="The values of each, in the order they came in.")]
    executions: dict[str, Execution]
    metadata: NotRequired[Parent]
    labels: NotRequired[dict[str, str]]
    error: NotRequired[str]
    archived: NotRequired[Archived]
