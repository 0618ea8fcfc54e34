# SPDX-License-Identifier: Apache-2.0
"""Flows a second that one archiver process moves to a target, each object verified.

`python -m bench.archive [--flows N] [--targets file,s3,moto]`. The flows are run by a product of its own beforehand and
are brought back between targets. `s3` is a server of a few lines that keeps objects in memory and answers as S3 does,
with the MD5 of what it got: so the archiver is what is measured. `moto` is a whole model of S3 in Python on the same
cores, and slower than any archiver. One JSON line a target follows the table.
"""

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from hashlib import md5
from importlib.util import find_spec
from urllib.error import URLError
from urllib.request import Request, urlopen

from redis import Redis

from argyll_archiver.archive import FlowArchive
from argyll_archiver.config import ArchiverConfig
from argyll_archiver.sinks.opening import open_sink
from argyll_archiver.target import parse_target
from argyll_archiver.wiring import build_archiver
from argyll_engine.config import EngineConfig
from argyll_engine.model.digest import ObjectPlace, RestoredFlow
from argyll_engine.model.ids import FlowID
from argyll_engine.store.archive import RedisArchiveStore
from argyll_engine.store.archive_jobs import RedisArchiveJobs
from bench.load import send
from bench.product import Product, Stuck, end, free_port, running
from bench.workloads import chain

TARGETS = ("file", "s3", "moto")
CONNECTIONS = 32
AT_ONCE = 500
BATCH = 500
PATIENCE_SECONDS = 30.0
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What one target came to; memory is that of Redis, less what it had before the flows."""

    target: str
    flows: int
    events_per_flow: float
    object_bytes: float
    flows_per_second: float
    cpu_ms_per_flow: float
    live_bytes_per_flow: float
    digest_bytes_per_flow: float


# ---- targets ---------------------------------------------------------------------------------


async def _serve(port: int) -> None:
    """Objects by path, in memory; no more of S3 than an archiver needs."""
    objects: dict[bytes, bytes] = {}

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                method, path, _ = head.split(b" ", 2)
                lengths = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                body = await reader.readexactly(int(lengths[0])) if lengths else b""
                if method == b"PUT":
                    objects[path] = body
                found = objects.get(path, b"") if method == b"GET" else b""
                tag = md5(body, usedforsecurity=False).hexdigest().encode()
                writer.write(
                    b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\nETag: "%b"\r\n\r\n%b' % (len(found), tag, found)
                )
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", port)
    await server.serve_forever()


@contextmanager
def _target(name: str) -> Iterator[str]:
    """The URL of a target that is there for the length of the block."""
    if name == "file":
        with tempfile.TemporaryDirectory(prefix="argyll-bench-archive-") as folder:
            yield f"file://{folder}"
        return
    port = free_port()
    own = [sys.executable, "-m", "bench.archive", "--serve", str(port)]
    moto = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(
        moto if name == "moto" else own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ
    )
    try:
        endpoint = f"http://127.0.0.1:{port}"
        _make_bucket(endpoint)
        yield f"s3://flows?region=us-east-1&endpoint={endpoint}&use_path_style=true"
    finally:
        end(process)


def _make_bucket(endpoint: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with urlopen(Request(f"{endpoint}/flows", method="PUT", data=b"")):
                return
        except (URLError, ConnectionError) as exc:
            if time.monotonic() > deadline:
                raise Stuck(f"no answer from {endpoint}: {exc}") from exc
        time.sleep(0.05)


# ---- measuring -------------------------------------------------------------------------------


def _run_flows(product: Product, count: int) -> list[FlowID]:
    workload = chain(2)
    product.register(workload.steps)
    ids, requests = workload.requests(count)
    send(product.port, requests, CONNECTIONS).require(201)
    product.await_ended(count)
    return [FlowID(flow_id) for flow_id in ids]


def measure(product: Product, name: str, flow_ids: list[FlowID], empty_bytes: int) -> Figure:
    """The figure of one target. The flows are live before and after. Raises Stuck when one is not archived well."""
    engine = EngineConfig.from_env(_variables(product))
    store = RedisArchiveStore(product.redis, engine.flow_redis.prefix)
    jobs = RedisArchiveJobs(product.redis, engine.flow_redis.prefix)
    logs = {flow_id: events for at in _parts(flow_ids) for flow_id, events in zip(at, jobs.logs(at), strict=True)}
    live = _used(product.redis) - empty_bytes
    with _target(name) as url:
        config = replace(ArchiverConfig(max_age_seconds=0.0, sweep_batch=BATCH), target=parse_target(url))
        archiver = build_archiver(engine, config)
        started, cpu = time.perf_counter(), _cpu_seconds()
        archived = archiver.sweep()
        seconds, cpu = time.perf_counter() - started, _cpu_seconds() - cpu
        digests = [digest for at in _parts(flow_ids) for digest in store.digests(at) if digest]
        if (archived, len(digests)) != (len(flow_ids), len(flow_ids)):
            raise Stuck(f"{archived} of {len(flow_ids)} flows were archived, {len(digests)} have a digest")
        kept = _used(product.redis) - empty_bytes
        archive = FlowArchive(open_sink(parse_target(url)), "")
        for digest in digests:
            found = archive.read(digest)
            if found is None or found.events != logs[digest.flow_id]:
                raise Stuck(f"{digest.flow_id}: its object does not have its events")
            place = ObjectPlace(target="", key="")
            if not store.restore([RestoredFlow(digest=digest, events=found.events, place=place)], 0):
                raise Stuck(f"{digest.flow_id}: was not restored")
    count = len(flow_ids)
    return Figure(
        target=name,
        flows=count,
        events_per_flow=sum(map(len, logs.values())) / count,
        object_bytes=sum(digest.object_bytes for digest in digests) / count,
        flows_per_second=count / seconds,
        cpu_ms_per_flow=cpu * 1_000 / count,
        live_bytes_per_flow=live / count,
        digest_bytes_per_flow=kept / count,
    )


def _parts(flow_ids: list[FlowID]) -> Iterator[list[FlowID]]:
    return (flow_ids[first : first + AT_ONCE] for first in range(0, len(flow_ids), AT_ONCE))


def _variables(product: Product) -> Mapping[str, str]:
    return {"FLOW_REDIS_ADDR": f"unix://{product.folder / 'redis.sock'}"}


def _used(redis: Redis) -> int:
    return int(redis.info("memory")["used_memory"])


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Prints a table and JSON lines."""
    parser = argparse.ArgumentParser(prog="python -m bench.archive", description=__doc__.split("\n")[0])
    parser.add_argument("--flows", type=int, default=5_000)
    parser.add_argument("--targets", default=",".join(TARGETS))
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        asyncio.run(_serve(arguments.serve))
        return
    os.environ.update(CREDENTIALS)
    wanted = [name for name in arguments.targets.split(",") if name != "moto" or find_spec("moto")]
    with running(variables={"FEED_MAX_LENGTH": "1000"}) as product:
        empty_bytes = _used(product.redis)
        flow_ids = _run_flows(product, arguments.flows)
        figures = [measure(product, name, flow_ids, empty_bytes) for name in wanted]
    print(f"{'target':<8}{'flows/s':>10}{'CPU ms/flow':>13}{'object':>9}{'live':>9}{'digest':>9}")
    for each in figures:
        sizes = (each.object_bytes, each.live_bytes_per_flow, each.digest_bytes_per_flow)
        shown = "".join(f"{size:9.0f}" for size in sizes)
        print(f"{each.target:<8}{each.flows_per_second:10.0f}{each.cpu_ms_per_flow:13.2f}{shown}")
    for each in figures:
        print(json.dumps({"row": "archive", **asdict(each)}))


if __name__ == "__main__":
    main()
