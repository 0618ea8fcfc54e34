# SPDX-License-Identifier: Apache-2.0
"""Which flows wait for the health of which step, on Redis. Called by the workers that hold work back."""

from typing import Any

from redis import Redis

from argyll_engine.model.ids import FlowID, StepID
from argyll_engine.store.connect import translated
from argyll_engine.store.keys import Keys


class RedisHeldFlows:
    """Implements `ports.HeldFlows`; `prefix` is that of the flow store."""

    def __init__(self, client: Redis, prefix: str, *, store_name: str = "flow") -> None:
        self._client, self._name, self._keys = client, store_name, Keys(prefix)

    def add(self, step_id: StepID, flow_id: FlowID) -> None:
        """Note that a flow waits for a step."""
        with translated(self._name):
            pipeline = self._client.pipeline(transaction=True)
            pipeline.sadd(self._keys.held(step_id), flow_id)
            pipeline.sadd(self._keys.held_steps(), step_id)
            pipeline.execute()

    def take(self, step_id: StepID, limit: int) -> tuple[FlowID, ...]:
        """Some of the flows that wait for a step, which wait no longer."""
        with translated(self._name):
            taken: Any = self._client.spop(self._keys.held(step_id), limit)
        return tuple(FlowID(flow_id.decode()) for flow_id in taken)

    def steps(self) -> tuple[StepID, ...]:
        """The steps that flows wait for; forgets those that none waits for any more."""
        with translated(self._name):
            found: Any = self._client.smembers(self._keys.held_steps())
            steps = tuple(sorted(StepID(step_id.decode()) for step_id in found))
            return tuple(step_id for step_id in steps if self._is_waited_for(step_id))

    def _is_waited_for(self, step_id: StepID) -> bool:
        """Whether flows wait; a step that was forgotten is looked at again, for a flow may have come meanwhile."""
        key = self._keys.held(step_id)
        if self._client.exists(key):
            return True
        self._client.srem(self._keys.held_steps(), step_id)
        if not self._client.exists(key):
            return False
        self._client.sadd(self._keys.held_steps(), step_id)
        return True
