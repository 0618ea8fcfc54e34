# SPDX-License-Identifier: Apache-2.0
"""Every error of Argyll, named by its consequence. Imports nothing of ours; anybody may import it.

ArgyllError
├── RefusedError              the request is wrong and changes nothing; the caller must change it
│   ├── InvalidJSONError      the body is no JSON of the expected shape
│   ├── InvalidStepError      a step definition breaks a rule
│   ├── InvalidRequestError   a well-formed request breaks a rule (ids, limits, goals)
│   ├── MissingInputsError    required inputs of a plan are not provided
│   ├── BlockedGoalsError     an initial value blocks a goal
│   ├── PlanError             no plan can be made of these goals
│   ├── TooManyWorkItemsError a step fans out into more items than allowed
│   └── ConfigError           environment variables that do not parse or contradict each other
├── NotFoundError
│   ├── StepNotFoundError     step (or goals) not registered
│   ├── FlowNotFoundError     no such flow
│   ├── ExecutionNotFoundError  the flow's plan has no such step
│   └── WorkItemNotFoundError   the step has no such work item
├── ConflictError
│   ├── StepExistsError       another definition is registered under the id
│   ├── FlowExistsError       another start was recorded under the id
│   ├── FlowArchivedError     the flow is in the archive, so nothing is decided about it
│   ├── FlowNotEndedError     the flow is not deactivated, so it cannot be erased
│   ├── OutdatedDecisionError what a decision rests on has changed meanwhile; the engine decides again
│   └── StoreLockedError      somebody else migrates or restores the store
├── ScriptError               a script does not compile or fails when it runs
│   ├── ScriptCompileError
│   └── ScriptRunError
├── TransientError            nothing was decided; the same call may succeed later
│   ├── StoreUnavailableError the Redis behind a store does not answer
│   ├── StoreFullError        its memory is nearly used up
│   └── ArchiveUnavailableError the store of archived flows does not answer or refuses
└── BrokenError               a promise inside the engine does not hold; the log is the truth, never guess
    ├── DamagedArchiveError   an archived flow is not what was written
    ├── DamagedBackupError    a backup is not what was written
    ├── UndecodableEventError a stored event cannot be read
    └── InvalidTransitionError a status change outside the transition tables

HTTP statuses of these classes live in `argyll_api/errors.py`, nowhere else.
"""

from collections.abc import Sequence


class ArgyllError(Exception):
    """The root of every error that Argyll raises on purpose."""


# ---- refused ---------------------------------------------------------------------------------


class RefusedError(ArgyllError):
    """The request is wrong; nothing was changed."""


class InvalidJSONError(RefusedError):
    """The body is not JSON of the expected shape. `where` is a dotted path, or empty for the whole body."""

    def __init__(self, reason: str, where: str = "") -> None:
        self.reason, self.where = reason, where
        super().__init__(f"{where}: {reason}" if where else reason)


class InvalidStepError(RefusedError):
    """A step definition breaks a rule. The text starts with `invalid step` on a line of its own.

    Source: the contract, http §2.3.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"invalid step\n{reason}")


class InvalidRequestError(RefusedError):
    """A well-formed request breaks a rule: an id, a limit, a filter."""


class MissingInputsError(RefusedError):
    """Names that the plan requires were not given with the start. Source: the contract, execution §2.1."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        super().__init__(f"required inputs not provided: [{' '.join(self.names)}]")


class BlockedGoalsError(RefusedError):
    """An initial value blocks a goal that only runs while the value is absent (`collect: none`)."""

    def __init__(self, goals: Sequence[tuple[str, Sequence[str]]]) -> None:
        self.goals = tuple((goal, tuple(names)) for goal, names in goals)
        text = ", ".join(f"{goal} by [{' '.join(names)}]" for goal, names in self.goals)
        super().__init__(f"goal blocked by init: {text}")


class PlanError(RefusedError):
    """No plan can be made of these goals: none given, or sub-flows that contain themselves."""


class TooManyWorkItemsError(RefusedError):
    """A step fans out into more items than allowed. Source: the contract, execution §3.1."""

    def __init__(self, count: int, limit: int) -> None:
        self.count, self.limit = count, limit
        super().__init__(f"too many work items: {count} (max {limit})")


class ConfigError(RefusedError):
    """Environment variables that do not parse, are out of range or contradict each other.

    `faults` holds one line per fault: variable, value, and what would be right.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


# ---- not found -------------------------------------------------------------------------------


class NotFoundError(ArgyllError):
    """What the request names does not exist."""


class StepNotFoundError(NotFoundError):
    """A step, or one of several goals, is not registered."""

    def __init__(self, step_id: str) -> None:
        self.step_id = step_id
        super().__init__(f"step not found: {step_id}")

    @classmethod
    def goals(cls, goals: Sequence[str]) -> "StepNotFoundError":
        """An error that lists every requested goal, known ones included. Source: the contract, http §1.7."""
        return cls(f"[{' '.join(goals)}]")


class FlowNotFoundError(NotFoundError):
    """No flow with this id was ever started here."""

    def __init__(self, flow_id: str) -> None:
        self.flow_id = flow_id
        super().__init__(f"flow not found: {flow_id}")


class ExecutionNotFoundError(NotFoundError):
    """The plan of the flow has no such step."""

    def __init__(self, flow_id: str, step_id: str) -> None:
        self.flow_id, self.step_id = flow_id, step_id
        super().__init__(f"step execution not found: {step_id} in {flow_id}")


class WorkItemNotFoundError(NotFoundError):
    """The execution has no work item with this token."""

    def __init__(self, flow_id: str, step_id: str, token: str) -> None:
        self.flow_id, self.step_id, self.token = flow_id, step_id, token
        super().__init__(f"work item not found for token: {token} of {step_id} in {flow_id}")


# ---- conflict --------------------------------------------------------------------------------


class ConflictError(ArgyllError):
    """The id is taken by something different."""


class StepExistsError(ConflictError):
    """Another definition is registered under this step id; an update (PUT) replaces it."""

    def __init__(self, step_id: str) -> None:
        self.step_id = step_id
        super().__init__(f"step exists: {step_id}")


class FlowExistsError(ConflictError):
    """A start with other goals or other initial values is recorded under this flow id."""

    def __init__(self, flow_id: str) -> None:
        self.flow_id = flow_id
        super().__init__(f"flow exists with different plan or init: {flow_id}")


class FlowArchivedError(ConflictError):
    """The flow is in the archive: its log is not in the live store, so nothing is decided about it."""

    def __init__(self, flow_id: str) -> None:
        self.flow_id = flow_id
        super().__init__(f"flow is archived: {flow_id}")


class FlowNotEndedError(ConflictError):
    """The flow, or one that it belongs to, is not deactivated, so it cannot be erased."""

    def __init__(self, flow_id: str, reason: str = "") -> None:
        self.flow_id, self.reason = flow_id, reason
        super().__init__(f"flow is not deactivated: {flow_id}" + (f" ({reason})" if reason else ""))


class OutdatedDecisionError(ConflictError):
    """What a decision rests on has changed meanwhile: decide again. Nobody outside of the engine sees it."""


class StoreLockedError(ConflictError):
    """Somebody else migrates or restores the store now."""


# ---- scripts ---------------------------------------------------------------------------------


class ScriptError(ArgyllError):
    """A script does not compile or fails when it runs; the text is for people, and says where, if that is known.

    `line` and `column` count from 1, in the text of the script; None where the language cannot say.
    """

    def __init__(self, reason: str, *, line: int | None = None, column: int | None = None) -> None:
        self.reason, self.line, self.column = reason, line, column
        super().__init__(reason)


class ScriptCompileError(ScriptError):
    """The script text is not a program of its language, or its language is unknown."""


class ScriptRunError(ScriptError):
    """The script failed while running, or hit one of its limits, which the text then names."""


# ---- transient -------------------------------------------------------------------------------


class TransientError(ArgyllError):
    """Nothing was decided; the same call may succeed later."""


class StoreUnavailableError(TransientError):
    """The Redis behind a store does not answer, is loading, or refuses writes."""

    def __init__(self, store: str, reason: str) -> None:
        self.store, self.reason = store, reason
        super().__init__(f"{store} store unavailable: {reason}")


class StoreFullError(TransientError):
    """The memory of the flow store is nearly used up, so no flow is started; those that run go on."""

    def __init__(self, used_bytes: int, limit_bytes: int) -> None:
        self.used_bytes, self.limit_bytes = used_bytes, limit_bytes
        percent = used_bytes * 100 // limit_bytes
        super().__init__(f"flow store is full: {percent} % of its memory is used, so no flow is started")


class ArchiveUnavailableError(TransientError):
    """The store of archived flows does not answer, or refuses; `key` is the object that it was about."""

    def __init__(self, key: str, reason: str) -> None:
        self.key, self.reason = key, reason
        super().__init__(f"archive unavailable for {key}: {reason}")


# ---- broken ----------------------------------------------------------------------------------


class BrokenError(ArgyllError):
    """A promise inside the engine does not hold. Never caught to carry on with a guess."""


class DamagedBackupError(BrokenError):
    """A backup is not whole; `key` names the object at fault."""

    def __init__(self, key: str, reason: str) -> None:
        self.key, self.reason = key, reason
        super().__init__(f"damaged backup {key}: {reason}")


class DamagedArchiveError(BrokenError):
    """The object of an archived flow is not what was written, or of a form that this version does not read."""

    def __init__(self, key: str, reason: str) -> None:
        self.key, self.reason = key, reason
        super().__init__(f"archived object {key} is damaged: {reason}")


class UndecodableEventError(BrokenError):
    """A stored event cannot be read. The log is the truth, so reading stops here."""

    def __init__(self, stream: str, sequence: int, reason: str) -> None:
        self.stream, self.sequence, self.reason = stream, sequence, reason
        super().__init__(f"event {sequence} of {stream} cannot be read: {reason}")


class InvalidTransitionError(BrokenError):
    """A status change that the transition tables do not have."""

    def __init__(self, entity: str, before: str, after: str) -> None:
        self.entity, self.before, self.after = entity, before, after
        super().__init__(f"invalid {entity} transition: {before} to {after}")
