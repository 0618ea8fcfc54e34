# SPDX-License-Identifier: Apache-2.0
"""`Client`: an engine, with what it is asked for most, and its groups `steps`, `flows` and `webhooks`."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from argyll_api.client.answers import Catalog, Event, Node, Plan, StepHealth, events_of, nodes_of
from argyll_api.client.errors import ClientError
from argyll_api.client.flows import Flows, sent_init
from argyll_api.client.retries import Retries
from argyll_api.client.steps import Steps
from argyll_api.client.transport import Request, Transport
from argyll_api.client.webhooks import Webhooks

DEFAULT_URL: Final = "http://localhost:8080"

_RETRIES: Final = Retries()


class Client:
    """An engine at an address. Threads may share one client; close it, or use it as a context manager.

    Every method may raise a `ClientError`.

    Args:
        url: Of the engine.
        timeout_seconds: How long one answer may take.
        pool_size: Connections that are kept open.
        retries: When to try again after connection errors and 503.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        timeout_seconds: float = 60.0,
        pool_size: int = 16,
        retries: Retries = _RETRIES,
    ) -> None:
        self._transport = Transport(url, timeout_seconds=timeout_seconds, pool_size=pool_size, retries=retries)
        self.steps, self.flows = Steps(self._transport), Flows(self._transport)
        self.webhooks = Webhooks(self._transport)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The address, without what follows the host and the path before the API."""
        return self._transport.base

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def plan(self, goals: Sequence[str], init: Mapping[str, Any] | None = None) -> Plan:
        """What a start with these goals and initial values would run; nothing is started."""
        body = {"goals": list(goals), "init": sent_init(init)}
        return self._transport.read(Request(method="POST", path="/engine/plan", body=body), Plan.from_json)

    def catalog(self) -> Catalog:
        """All steps, and who gives and takes what."""
        return self._transport.read(Request(method="GET", path="/engine/catalog"), Catalog.from_json)

    def catalog_events(self) -> tuple[Event, ...]:
        """What has happened to the catalog, as far back as it is kept."""
        return self._transport.read(Request(method="GET", path="/engine/catalog/events"), events_of)

    def health(self) -> dict[str, Node]:
        """What every node says of every step."""
        return self._transport.read(Request(method="GET", path="/engine/health"), nodes_of)

    def step_health(self, step_id: str) -> StepHealth:
        """The worst that any node says of a step. Raises NotFoundError."""
        request = Request(method="GET", path="/engine/health/{}", ids=(step_id,))
        return self._transport.read(request, StepHealth.from_json)

    def is_alive(self) -> bool:
        """Whether the API answers at all, after the usual tries."""
        try:
            return bool(self.ask("GET", "/health")["status"] == "healthy")
        except ClientError:
            return False

    def ask(self, method: str, path: str, *ids: str, body: Any = None) -> Any:
        """The JSON answer of any route, for those without a method here; `{}` in the path are filled with the ids."""
        return self._transport.ask(Request(method=method, path=path, ids=ids, body=body)).json
