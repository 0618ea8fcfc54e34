# SPDX-License-Identifier: Apache-2.0
"""What requests of each kind cost the API: processor time, rate and latency over kept connections.

`python -m bench.routes [--requests N]`, and part of `make bench`. One fresh product with some ended flows of five
steps; the load is `bench/load.py`. Workers take no part, but for the starts, whose flows run on the same cores.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from bench import product as products
from bench import usage
from bench.figures import percentile, rounded, short
from bench.load import HEAD_END, post, send
from bench.product import Product
from bench.rows import CONNECTIONS, CREATED, run_flows
from bench.workloads import chain

WARM_UP = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One kind of request."""

    request: str
    per_second: float
    p50_ms: float
    p99_ms: float
    api_cpu_ms: float
    redis_cpu_ms: float
    load_cpu_ms: float


def get(path: str) -> bytes:
    """A GET as bytes."""
    return f"GET {path} HTTP/1.1\r\nHost: bench".encode() + HEAD_END


def measure_routes(count: int) -> list[Cost]:
    """The cost of each kind, by so many requests of it. Raises Stuck, Refused."""
    with products.running() as product:
        workload = chain()
        product.register(workload.steps)
        flow_id = run_flows(product, workload, WARM_UP).ids[0]
        kinds: Mapping[str, Sequence[bytes]] = {
            "GET /health": [get("/health")] * count,
            "GET /engine/flow/{id}/status": [get(f"/engine/flow/{flow_id}/status")] * count,
            "GET /engine/flow/{id}": [get(f"/engine/flow/{flow_id}")] * count,
            "GET /engine/flow/{id}/events": [get(f"/engine/flow/{flow_id}/events")] * count,
            "POST /engine/plan": [post("/engine/plan", {"goals": [workload.goal], "init": {}})] * count,
            "POST /engine/flow": workload.requests(count)[1],
            "POST /engine/flow, repeated": [workload.requests(1)[1][0]] * count,
        }
        return [_cost(product, name, requests) for name, requests in kinds.items()]


def _cost(product: Product, name: str, requests: Sequence[bytes]) -> Cost:
    send(product.port, requests[:1])
    before = usage.cpu_by_name(product.processes())
    sent = send(product.port, requests[1:], CONNECTIONS).require(
        CREATED if name.startswith("POST /engine/flow") else 200
    )
    after = usage.cpu_by_name(product.processes())
    count = len(sent.latencies)
    spent = usage.cpu_ms_per_unit(before, after, count)
    return Cost(
        request=name,
        per_second=count / sent.elapsed_seconds,
        p50_ms=percentile(sent.latencies, 0.5) * 1000,
        p99_ms=percentile(sent.latencies, 0.99) * 1000,
        api_cpu_ms=spent["api"],
        redis_cpu_ms=spent["redis"],
        load_cpu_ms=sent.cpu_seconds * 1000 / count,
    )


def routes_table(costs: Sequence[Cost]) -> str:
    """The costs for people, in Markdown."""
    lines = [
        f"| request, {CONNECTIONS} at a time | a second | p50, ms | p99, ms | CPU ms of API | of Redis | of the load |",
        "|---|---|---|---|---|---|---|",
    ]
    for cost in costs:
        times = (cost.p50_ms, cost.p99_ms, cost.api_cpu_ms, cost.redis_cpu_ms, cost.load_cpu_ms)
        lines.append(
            f"| `{cost.request}` | {short(cost.per_second)} | " + " | ".join(f"{ms:.2f}" for ms in times) + " |"
        )
    return "\n".join(lines)


def routes_json(costs: Sequence[Cost]) -> list[str]:
    """One line for machines each."""
    return [json.dumps({"bench": "routes"} | rounded(asdict(cost))) for cost in costs]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.routes", description=__doc__)
    parser.add_argument("--requests", type=int, default=3_000)
    found = measure_routes(parser.parse_args().requests)
    print(routes_table(found), *routes_json(found), sep="\n")
