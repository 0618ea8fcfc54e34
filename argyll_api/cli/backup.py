# SPDX-License-Identifier: Apache-2.0
"""`argyll backup`: copies of catalog and flows. What a backup is stands in `argyll_engine/backup.py`."""

import importlib.metadata
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from argyll_api.cli.output import print_json, print_line
from argyll_api.cli.startup import Refusal, named_stores, read_config
from argyll_archiver.wiring import Sink, open_place
from argyll_engine import backup as backups
from argyll_engine.backup import MANIFEST, Contents, Manifest
from argyll_engine.config import EngineConfig
from argyll_engine.errors import ArchiveUnavailableError, DamagedBackupError, StoreUnavailableError
from argyll_engine.model.digest import AuditRecord
from argyll_engine.store.archive import RedisArchiveStore
from argyll_engine.store.connect import connect
from argyll_engine.store.dump import RedisDump
from argyll_engine.store.schema import NEEDS, RESTORING, SCHEMA, StoreSchema
from argyll_engine.store.sharded.dump import ShardedDump, merged_audit
from argyll_engine.store.sharded.opening import open_flow_stores, open_plain_shards

DAMAGED: Final = 1
AUDIT_PAGE: Final = 1_000
NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
"""A backup is one folder, right below its place."""
TIMEOUT_SECONDS: Final = 60.0
"""A round trip here brings or takes hundreds of flows."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def backup() -> None:
    """Copy catalog and flows to files or S3, check copies, bring one back.

    PLACE is a directory, or a URL as ARCHIVE_BUCKET_URL takes it: file:///directory or s3://bucket?options.
    """


@backup.command()
@click.argument("place")
@click.option("--name", help="Name of the backup; the time if left out.")
@json_option
def create(place: str, name: str | None, as_json: bool) -> None:
    """Write a backup to PLACE; everything may go on working meanwhile."""
    config, now = read_config(), datetime.now(UTC)
    name = f"backup-{now:%Y%m%dT%H%M%SZ}" if name is None else name
    if not NAME.fullmatch(name):
        raise Refusal(f"--name {name!r}: letters, digits, `.`, `_` and `-`, and no `.` at its beginning")
    with _told_faults():
        objects = _open(place)
        _refuse_half_restored(config)
        if objects.get(f"{name}/{MANIFEST}") is not None:
            raise Refusal(f"{place}: there is a backup {name} already")
        engine, flows = _dumps(config)
        manifest = backups.create(
            engine, flows, _audit(config), objects, name=name, at=now,
            written_by=importlib.metadata.version("argyll"),
        )  # fmt: skip
    _print(name, manifest, as_json, "written")


@backup.command("list")
@click.argument("place")
def list_backups(place: str) -> None:
    """Print the names of the backups in PLACE, oldest first."""
    with _told_faults():
        for name in _names(_open(place)):
            print_line(name)


@backup.command()
@click.argument("place")
@click.argument("name", required=False)
@json_option
def verify(place: str, name: str | None, as_json: bool) -> None:
    """Read all of a backup (the latest, if NAME is left out) and check it; exits with 1 if it is damaged."""
    with _told_faults():
        objects = _open(place)
        name = name or _latest(objects, place)
        manifest = backups.verify(objects, name)
    _print(name, manifest, as_json, "sound")


@backup.command()
@click.argument("place")
@click.argument("name", required=False)
@json_option
def restore(place: str, name: str | None, as_json: bool) -> None:
    """Put a backup (the latest, if NAME is left out) into empty stores. Start processes only afterwards."""
    config = read_config()
    with _told_faults():
        objects = _open(place)
        name = name or _latest(objects, place)
        backups.verify(objects, name)
        with _marked(config):
            engine, flows = _dumps(config)
            store = open_flow_stores(config, TIMEOUT_SECONDS).flows
            manifest = backups.restore(objects, name, engine, flows, store, datetime.now(UTC))
    _print(name, manifest, as_json, "restored")


def _refuse_half_restored(config: EngineConfig) -> None:
    """Raises Refusal for a store that a restore has not filled: a copy of it would look whole."""
    for name, store in named_stores(config):
        with connect(store) as client:
            form = StoreSchema(client, store.prefix, name).read()
        if form is not None and form.needs == RESTORING:
            raise Refusal(f"{name} store at {store.where()}: it holds part of a restore that did not end")


@contextmanager
def _marked(config: EngineConfig) -> Iterator[None]:
    """Within the block the stores, which must be empty, are marked as half restored; no process starts on them then.

    Raises:
        Refusal: A store is not empty.
    """
    schemas: list[StoreSchema] = []
    for name, store in named_stores(config):
        schema = StoreSchema(connect(store), store.prefix, name)
        form = schema.read()
        if form is not None:
            half = " of a restore that did not end" if form.needs == RESTORING else ""
            raise Refusal(
                f"{name} store at {store.where()}: it holds something{half}: empty it, or name another prefix"
            )
        schemas.append(schema)
    for schema in schemas:
        schema.mark(SCHEMA, RESTORING)
    yield
    for schema in schemas:
        schema.mark(SCHEMA, NEEDS)


def _dumps(config: EngineConfig) -> tuple[Contents, Contents]:
    engine, *flows = (
        RedisDump(connect(store, TIMEOUT_SECONDS), store.prefix, name) for name, store in named_stores(config)
    )
    return engine, flows[0] if len(flows) == 1 else ShardedDump(open_plain_shards(config, TIMEOUT_SECONDS), flows)


def _audit(config: EngineConfig) -> Iterator[AuditRecord]:
    """The records of all flow stores, as if they had been written to one."""
    _, *flows = named_stores(config)
    return merged_audit(
        _audit_of(RedisArchiveStore(connect(store, TIMEOUT_SECONDS), store.prefix, store_name=name))
        for name, store in flows
    )


def _audit_of(store: RedisArchiveStore) -> Iterator[AuditRecord]:
    position = ""
    while records := store.audit(position, AUDIT_PAGE):
        yield from records
        position = records[-1].position


def _open(place: str) -> Sink:
    try:
        return open_place(place if "://" in place else f"file://{Path(place).absolute()}")
    except ValueError as exc:
        raise Refusal(f"{place}: {exc}") from exc


def _names(objects: Sink) -> list[str]:
    """The finished backups of a place; the names that we choose are in the order of their times."""
    suffix = f"/{MANIFEST}"
    return [entry.key.removesuffix(suffix) for entry in objects.list("") if entry.key.endswith(suffix)]


def _latest(objects: Sink, place: str) -> str:
    names = _names(objects)
    if not names:
        raise Refusal(f"{place}: there is no backup")
    return max(names)


@contextmanager
def _told_faults() -> Iterator[None]:
    """What goes wrong in the block as one line and exit code 1."""
    try:
        yield
    except (ArchiveUnavailableError, DamagedBackupError, StoreUnavailableError) as exc:
        raise click.ClickException(str(exc)) from exc


def _print(name: str, manifest: Manifest, as_json: bool, word: str) -> None:
    if as_json:
        print_json({"name": name} | asdict(manifest))
        return
    size = sum(part.size_bytes for part in manifest.parts)
    what = f"{manifest.flows} flows, {manifest.archived} archived ones, {manifest.events} events, {size} bytes"
    print_line(f"{name}: {word}: {what}")
