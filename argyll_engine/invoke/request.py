# SPDX-License-Identifier: Apache-2.0
"""The HTTP requests that call a step, as values: method, URL, headers, body. Sending them is `http.py`.

Everything here is a pure function. Source: the contract, http §3.1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urljoin, urlsplit

import msgspec

from argyll_engine.model.ids import Name
from argyll_engine.model.invocation import Compensation, Failed, Invocation
from argyll_engine.policy.arguments import resolve_url

ENVELOPE: Final = "envelope"
"""The older protocol, which wraps the arguments and tells the metadata in the body. Source: the contract, http §7.2."""

USER_AGENT: Final = "Argyll-Engine/0.1"
TRACEPARENT: Final = "traceparent"
"""Source: W3C Trace Context, §3.2."""
_JSON: Final = "application/json"
_TURNED_INTO_GET: Final = frozenset({301, 302, 303})
_KEPT_AS_IS: Final = frozenset({307, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request, to be sent as it is; `body` is None for a request without one."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None


def build_request(invocation: Invocation, protocol: str) -> HttpRequest | Failed:
    """The request that calls the step, or the failure that its endpoint cannot be filled.

    Args:
        protocol: `bare` or `envelope`, for steps that do not say.
    """
    config = invocation.step.http
    if config is None:
        return Failed(error="step has no endpoint")
    url = resolve_url(config.endpoint, invocation.arguments)
    if isinstance(url, Failed):
        return url
    method = config.method or "POST"
    headers = {"Accept": _JSON, "User-Agent": USER_AGENT, **_context_headers(invocation)}
    if method == "GET":
        return HttpRequest(method=method, url=url, headers=headers, body=None)
    body = _body(invocation, config.protocol or protocol)
    return HttpRequest(method=method, url=url, headers={**headers, "Content-Type": _JSON}, body=body)


def build_compensation(compensation: Compensation) -> HttpRequest | Failed:
    """The request that undoes a work item. Placeholders are inputs and outputs, which win. Source: http §3.4; X13."""
    config = compensation.step.http
    if config is None:
        return Failed(error="step has no endpoint")
    outputs = compensation.outputs or {}
    url = resolve_url(config.compensate, {**compensation.inputs, **{Name(n): v for n, v in outputs.items()}})
    if isinstance(url, Failed):
        return url
    headers = {
        "Accept": _JSON,
        "User-Agent": USER_AGENT,
        "Argyll-Flow-ID": compensation.flow_id,
        "Argyll-Step-ID": compensation.step_id,
        "Argyll-Receipt-Token": compensation.token,
        "Content-Type": _JSON,
    }
    if compensation.traceparent:
        headers[TRACEPARENT] = compensation.traceparent
    output = None if compensation.outputs is None else dict(compensation.outputs)
    body = msgspec.json.encode({"input": dict(compensation.inputs), "output": output}, order="sorted")
    return HttpRequest(method="POST", url=url, headers=headers, body=body)


def redirected(request: HttpRequest, status: int, location: str | None) -> HttpRequest | None:
    """The request that follows a redirect, or None if the answer is none or leads nowhere.

    301, 302 and 303 turn any method into GET without a body; 307 and 308 repeat the request.
    """
    if status not in _TURNED_INTO_GET | _KEPT_AS_IS or not location:
        return None
    url = _joined(request.url, location)
    if url is None or status in _KEPT_AS_IS:
        return replace(request, url=url) if url else None
    headers = {name: value for name, value in request.headers.items() if name != "Content-Type"}
    return HttpRequest(method="GET", url=url, headers=headers, body=None)


def _joined(base: str, location: str) -> str | None:
    """The absolute URL of a location, or None if it is none that HTTP can reach."""
    try:
        url = urljoin(base, location)
        parts = urlsplit(url)
        return url if parts.scheme in ("http", "https") and parts.hostname else None
    except ValueError:
        return None


def _context_headers(invocation: Invocation) -> dict[str, str]:
    """What the call is about; empty ones are left out."""
    headers = {
        "Argyll-Flow-ID": invocation.flow_id,
        "Argyll-Step-ID": invocation.step_id,
        "Argyll-Receipt-Token": invocation.token,
        "Argyll-Webhook-URL": invocation.webhook_url,
        TRACEPARENT: invocation.traceparent,
    }
    return {name: value for name, value in headers.items() if value}


def _body(invocation: Invocation, protocol: str) -> bytes:
    """The arguments as JSON, keys in order, so that every attempt sends the same bytes."""
    arguments = dict(invocation.arguments)
    if protocol != ENVELOPE:
        return msgspec.json.encode(arguments, order="sorted")
    metadata = {
        "flow_id": invocation.flow_id,
        "step_id": invocation.step_id,
        "receipt_token": invocation.token,
        "webhook_url": invocation.webhook_url,
    }
    present = {name: value for name, value in metadata.items() if value}
    return msgspec.json.encode({"arguments": arguments, "metadata": present}, order="sorted")
