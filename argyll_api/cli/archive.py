# SPDX-License-Identifier: Apache-2.0
"""`argyll archive …`: archived flows, for operators. Works on the flow store and the archive itself, without an API.

The variables are those of `argyll archiver`.
"""

import dataclasses
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from argyll_api.cli.archiver import read_archiver_config
from argyll_api.cli.output import print_events, print_flow, print_json, print_line, print_table
from argyll_api.cli.startup import Refusal, read_config
from argyll_archiver.wiring import Desk, Selection, build_desk
from argyll_engine.errors import ArgyllError, ConfigError
from argyll_engine.model.ids import FlowID

DAMAGED: Final = 1
"""Exit code of `verify` when an object is damaged or gone."""

LINES: Final = "lines"
OBJECTS: Final = "objects"
_AUDIT_PAGE: Final = 500


class _Group(click.Group):
    """Commands whose fault is one line."""

    def invoke(self, ctx: click.Context) -> object:
        """What the command gives."""
        try:
            return super().invoke(ctx)
        except ArgyllError as exc:
            raise click.ClickException(str(exc)) from exc


_DAY = click.DateTime(["%Y-%m-%d"])
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _selected(command: Any) -> Any:
    """The options that choose flows. (`Any`: click's decorators take and give commands of any form.)"""
    for option in (
        click.option("--prefix", "id_prefix", default="", help="Beginning of the ids."),
        click.option("--until", type=_DAY, help="Last day of deactivation, UTC, as 2026-01-31."),
        click.option("--since", type=_DAY, help="First day of deactivation, UTC, as 2026-01-31."),
    ):
        command = option(command)
    return command


@click.group("archive", cls=_Group)
def archive() -> None:
    """Look at archived flows, check them, bring them back, erase them."""


@archive.command("list")
@_selected
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="The oldest of them.")
@_json_option
def list_flows(since: datetime | None, until: datetime | None, id_prefix: str, limit: int, as_json: bool) -> None:
    """Print archived flows, oldest first, each with its children."""
    digests = _desk().inspection.digests(_selection(since, until, id_prefix))
    rows = [
        {
            "id": digest.flow_id,
            "status": str(digest.status),
            "deactivated_at": digest.deactivated_at.isoformat(),
            "events": digest.event_count,
            "bytes": digest.object_bytes,
            "key": digest.object_key,
        }
        for digest, _ in zip(digests, range(limit), strict=False)
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(("flow", "status", "deactivated", "events", "bytes", "object"), (row.values() for row in rows))


@archive.command("get")
@click.argument("flow_id", metavar="ID")
@click.option("--events", "wants_events", is_flag=True, help="Show the events instead of the state.")
@_json_option
def get(flow_id: str, wants_events: bool, as_json: bool) -> None:
    """Show an archived flow."""
    desk = _desk()
    (digest,) = desk.store.digests([FlowID(flow_id)])
    if digest is None:
        raise click.ClickException(f"flow is not archived: {flow_id}")
    document = json.loads(desk.inspection.text(digest)[1])
    log = {"events": document["events"], "count": len(document["events"])}
    if as_json:
        print_json(log if wants_events else document["state"])
    elif wants_events:
        print_events(log)
    else:
        print_flow(document["state"])


@archive.command("verify")
@_selected
@_json_option
def verify(since: datetime | None, until: datetime | None, id_prefix: str, as_json: bool) -> None:
    """Read every object again and check it; exits with 1 if one is damaged or gone.

    Objects that no flow needs are read too, unless ids are chosen.
    """
    counts = {"whole": 0, "damaged": 0, "unused": 0}
    for found in _desk().inspection.verify(_selection(since, until, id_prefix)):
        counts["damaged" if found.fault else "whole"] += 1
        counts["unused"] += not found.is_used
        if found.fault and as_json:
            print_line(json.dumps(dataclasses.asdict(found)))
        elif found.fault:
            print_line(f"damaged: {found.key} {found.flow_id}: {found.fault}")
    if as_json:
        print_line(json.dumps(counts))
    else:
        print_line(
            f"{counts['whole']} objects are whole, {counts['damaged']} damaged; no flow needs {counts['unused']}"
        )
    raise SystemExit(DAMAGED if counts["damaged"] else 0)


@archive.command("export")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@_selected
@click.option(
    "--as",
    "form",
    type=click.Choice([OBJECTS, LINES]),
    default=OBJECTS,
    show_default=True,
    help="A file a flow, or one for all.",
)
def export(folder: Path, since: datetime | None, until: datetime | None, id_prefix: str, form: str) -> None:
    """Write archived flows as JSON into FOLDER, each checked first."""
    texts = _desk().inspection.texts(_selection(since, until, id_prefix))
    folder.mkdir(parents=True, exist_ok=True)
    count = _write_lines(folder / "flows.jsonl", texts) if form == LINES else _write_objects(folder, texts)
    print_line(f"{count} flows written to {folder}")


@archive.command("restore")
@click.argument("flow_ids", metavar="ID...", nargs=-1, required=True)
def restore(flow_ids: tuple[str, ...]) -> None:
    """Bring flows back to the live store, each with its children."""
    changes = _desk().changes
    for flow_id in flow_ids:
        print_line(f"{flow_id}: {len(changes.restore(FlowID(flow_id)))} flows restored")


@archive.command("erase")
@click.argument("flow_id", metavar="ID")
@click.option("--reason", default="", help="Why, for the audit log.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(flow_id: str, reason: str, yes: bool) -> None:
    """Erase a flow that has ended, archived or not, with its children, everywhere and for good."""
    if not yes:
        click.confirm(f"Erase {flow_id} and its children for good?", abort=True)
    print_line(f"{flow_id}: {len(_desk().changes.erase(FlowID(flow_id), reason))} flows erased")


@archive.command("expire")
@click.option("--dry-run", is_flag=True, help="Only print which flows would go.")
@click.option("--limit", type=click.IntRange(1), default=1_000, show_default=True, help="Flows that a dry run prints.")
def expire(dry_run: bool, limit: int) -> None:
    """Delete archived flows that are past ARCHIVE_RETENTION, as the archiver does by itself."""
    retentions = _desk().retentions
    if not all(retention.is_on for retention in retentions):
        raise Refusal("ARCHIVE_RETENTION is not set: nothing expires")
    if not dry_run:
        print_line(f"{sum(retention.sweep() for retention in retentions)} flows expired")
        return
    due = [flow_id for retention in retentions for flow_id in retention.due(limit)][:limit]
    for flow_id in due:
        print_line(flow_id)
    print_line(f"{len(due)} flows would expire" + (" at least" if len(due) == limit else ""))


@archive.command("audit")
@_json_option
def audit(as_json: bool) -> None:
    """Print what was erased and what has expired, oldest first."""
    for record in _audit_records():
        if as_json:
            print_line(json.dumps(record, ensure_ascii=False))
        else:
            numbers = f"{record['flows']} flows, {record['events']} events, {record['objects']} objects"
            words = (record["at"], record["action"], record.get("flow_ids", ""), f"({numbers})", record["reason"])
            print_line(" ".join(filter(None, words)))


def _audit_records() -> Iterator[dict[str, str]]:
    changes, after = _desk().changes, ""
    while page := changes.audit(after, _AUDIT_PAGE):
        yield from (dict(record.members) for record in page)
        after = page[-1].position


def _write_objects(folder: Path, texts: Iterator[tuple[str, bytes]]) -> int:
    """A file a flow, where its object is, below the folder."""
    count = 0
    for key, text in texts:
        path = folder / key.removesuffix(".gz")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
        count += 1
    return count


def _write_lines(path: Path, texts: Iterator[tuple[str, bytes]]) -> int:
    """One file, a flow a line."""
    count = 0
    with path.open("wb") as file:
        for _, text in texts:
            file.write(text + b"\n")
            count += 1
    return count


def _selection(since: datetime | None, until: datetime | None, id_prefix: str) -> Selection:
    return Selection(
        since=None if since is None else since.replace(tzinfo=UTC),
        until=None if until is None else until.replace(tzinfo=UTC) + timedelta(days=1),
        id_prefix=id_prefix,
    )


def _desk() -> Desk:
    config = read_config()
    try:
        return build_desk(config, read_archiver_config(os.environ))
    except ConfigError as exc:
        raise Refusal(str(exc)) from exc
