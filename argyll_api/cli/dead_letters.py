# SPDX-License-Identifier: Apache-2.0
"""`argyll dead-letters`: messages that the broker gave up, on the redis-streams broker. Talks to its Redis itself."""

import dataclasses
from collections.abc import Sequence
from datetime import UTC

import click
from redis.exceptions import RedisError

from argyll_api.cli.output import print_json, print_line
from argyll_api.cli.shards import served_shards, shard_option
from argyll_api.cli.startup import Refusal, read_config
from argyll_engine.transport import DeadLetter, DeadLetters
from argyll_engine.transport.clients import open_client
from argyll_engine.transport.options import Options


class _Group(click.Group):
    """Commands whose fault, if the Redis does not answer, is one line."""

    def invoke(self, ctx: click.Context) -> object:
        """What the command gives."""
        try:
            return super().invoke(ctx)
        except RedisError as exc:
            raise click.ClickException(f"Redis of the broker: {exc}") from exc


@click.group("dead-letters", cls=_Group)
def dead_letters() -> None:
    """List, retry or drop messages that were given up."""


@dead_letters.command("list")
@click.argument("queue", required=False)
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="The oldest of each queue.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@shard_option
def list_letters(queue: str | None, limit: int, as_json: bool, shard: str) -> None:
    """Print the dead letters of QUEUE, or of all queues."""
    found = [
        (store, letter)
        for store, letters in _opened(shard).items()
        for name in ([queue] if queue is not None else letters.queues())
        for letter in letters.list(name, limit)
    ]
    if as_json:
        print_json([dataclasses.asdict(letter) | {"since": _time(letter)} | _of(store) for store, letter in found])
        return
    for store, letter in found:
        place = f"{store} {letter.queue} {letter.letter_id} {_time(letter)}".lstrip()
        print_line(f"{place} {letter.task}{letter.arguments} ({letter.reason}; {letter.deliveries} failed)")
    print_line(f"{len(found)} dead letters")


@dead_letters.command("retry")
@click.argument("queue")
@click.argument("letter_ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All of the queue.")
@shard_option
def retry_letters(queue: str, letter_ids: tuple[str, ...], everything: bool, shard: str) -> None:
    """Put dead letters back into QUEUE, as if they had never failed."""
    chosen, opened = _chosen(letter_ids, everything), _opened(shard)
    if chosen is not None and len(opened) > 1:
        raise click.UsageError("say by --shard on which shard these letters are")
    print_line(f"{sum(letters.retry(queue, chosen) for letters in opened.values())} put back")


@dead_letters.command("drop")
@click.argument("queue")
@click.argument("letter_ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All of the queue.")
@shard_option
def drop_letters(queue: str, letter_ids: tuple[str, ...], everything: bool, shard: str) -> None:
    """Delete dead letters of QUEUE."""
    chosen, opened = _chosen(letter_ids, everything), _opened(shard)
    if chosen is not None and len(opened) > 1:
        raise click.UsageError("say by --shard on which shard these letters are")
    print_line(f"{sum(letters.drop(queue, chosen) for letters in opened.values())} dropped")


def _chosen(letter_ids: Sequence[str], everything: bool) -> Sequence[str] | None:
    if bool(letter_ids) == everything:
        raise click.UsageError("name the letters, or say --all")
    return None if everything else letter_ids


def _opened(shard: str) -> dict[str, DeadLetters]:
    """Those of each shard by its name; the name is empty where there is one flow store only."""
    whole = read_config()
    if not whole.streams_url():
        raise Refusal("CELERY_BROKER_URL names a broker without dead letters of ours")
    return {
        served.name: DeadLetters(open_client(served.config.streams_url(), Options()), served.config.queue_key_prefix)
        for served in served_shards(whole, shard)
    }


def _of(store: str) -> dict[str, str]:
    return {"store": store} if store else {}


def _time(letter: DeadLetter) -> str:
    return letter.since.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
