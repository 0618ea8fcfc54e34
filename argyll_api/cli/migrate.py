# SPDX-License-Identifier: Apache-2.0
"""`argyll migrate`: brings both stores to the form of this version. The steps are those of `store/migrations.py`."""

import click

from argyll_api.cli.output import print_line
from argyll_api.cli.startup import Refusal, named_stores, read_config
from argyll_engine.config import EngineConfig
from argyll_engine.errors import StoreLockedError, StoreUnavailableError
from argyll_engine.store.connect import connect
from argyll_engine.store.migrations import Migrated, Migrator
from argyll_engine.store.schema import SCHEMA, StoreSchema, Verdict


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@click.option("--again", is_flag=True, help="Repeat the last step, once the last process of the old version has ended.")
def migrate(dry_run: bool, again: bool) -> None:
    """Bring the stores to the form that this version works with; others may go on working meanwhile."""
    for line in migrate_stores(read_config(), dry_run=dry_run, again=again):
        print_line(line)


def migrate_stores(config: EngineConfig, *, dry_run: bool = False, again: bool = False) -> list[str]:
    """What was done to each store, in words.

    Raises:
        Refusal: Somebody else migrates a store, or a newer version of Argyll has migrated it.
        click.ClickException: A store does not answer (exit code 1); trying again goes on from there.
    """
    lines: list[str] = []
    for name, store in named_stores(config):
        try:
            with connect(store) as client:
                schema = StoreSchema(client, store.prefix, name)
                before = schema.read()
                if before is not None and before.verdict is Verdict.NEWER:
                    raise Refusal(f"{name} store: a newer version of Argyll has migrated it (schema {before.version})")
                done = Migrator(client, store.prefix, name).migrate(dry_run=dry_run, again=again)
        except StoreLockedError as exc:
            raise Refusal(str(exc)) from exc
        except StoreUnavailableError as exc:
            raise click.ClickException(f"Redis at {store.where()}: {exc.reason}") from exc
        lines += _told(name, before.version if before else SCHEMA, done, dry_run)
    return lines


def _told(name: str, version: int, done: tuple[Migrated, ...], dry_run: bool) -> list[str]:
    if not done:
        return [f"{name} store: schema {version}, nothing to do"]
    verb = "would change" if dry_run else "changed"
    return [f"{name} store: schema {step.to}: {step.title}: {verb} {step.changes}" for step in done]
