# SPDX-License-Identifier: Apache-2.0
"""`Client.webhooks`: how an asynchronous step reports the end of a work item. Source: the contract, http §1.9."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from argyll_api.client.transport import JSON_TYPE, Request, Transport

WEBHOOK: Final = "/webhook/{}/{}/{}"
PROBLEM_TYPE: Final = "application/problem+json"
"""Source: RFC 9457 §3."""


@dataclass(frozen=True, slots=True)
class WorkAddress:
    """Which work item of which step of which flow."""

    flow_id: str
    step_id: str
    token: str

    @classmethod
    def of_url(cls, url: str) -> "WorkAddress":
        """That of a webhook URL as a step is given it.

        Raises:
            ValueError: It is none.
        """
        parts = urlsplit(url).path.split("/")
        if len(parts) < 4 or parts[-4] != "webhook":
            raise ValueError(f"no webhook URL: {url!r}")
        flow_id, step_id, token = map(unquote, parts[-3:])
        return cls(flow_id, step_id, token)


class Webhooks:
    """Reports on work items. A second report on one is ignored. Every method may raise a `ClientError`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def complete(self, item: WorkAddress, outputs: Mapping[str, Any] | None = None) -> None:
        """Report success. Raises InvalidError for an item that is not there."""
        self._report(item, dict(outputs or {}), JSON_TYPE)

    def fail(self, item: WorkAddress, detail: str, *, title: str = "", status: int = 500) -> None:
        """Report a failure, which is final. Raises InvalidError for an item that is not there."""
        self._report(item, {"detail": detail, "title": title, "status": status}, PROBLEM_TYPE)

    def _report(self, item: WorkAddress, body: Mapping[str, Any], content_type: str) -> None:
        ids = (item.flow_id, item.step_id, item.token)
        self._transport.ask(Request(method="POST", path=WEBHOOK, ids=ids, body=body, content_type=content_type))
