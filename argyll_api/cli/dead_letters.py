# SPDX-License-Identifier: Apache-2.0
"""`argyll dead-letters`: messages that the broker gave up, on the redis-streams broker. Talks to its Redis itself."""

import dataclasses
from collections.abc import Sequence
from datetime import UTC

import click
from redis.exceptions import RedisError

from argyll_api.cli.output import print_json, print_line
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
def list_letters(queue: str | None, limit: int, as_json: bool) -> None:
    """Print the dead letters of QUEUE, or of all queues."""
    letters = _open()
    queues = [queue] if queue is not None else list(letters.queues())
    found = [letter for name in queues for letter in letters.list(name, limit)]
    if as_json:
        print_json([dataclasses.asdict(letter) | {"since": _time(letter)} for letter in found])
        return
    for letter in found:
        place = f"{letter.queue} {letter.letter_id} {_time(letter)}"
        print_line(f"{place} {letter.task}{letter.arguments} ({letter.reason}; {letter.deliveries} failed)")
    print_line(f"{len(found)} dead letters")


@dead_letters.command("retry")
@click.argument("queue")
@click.argument("letter_ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All of the queue.")
def retry_letters(queue: str, letter_ids: tuple[str, ...], everything: bool) -> None:
    """Put dead letters back into QUEUE, as if they had never failed."""
    print_line(f"{_open().retry(queue, _chosen(letter_ids, everything))} put back")


@dead_letters.command("drop")
@click.argument("queue")
@click.argument("letter_ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All of the queue.")
def drop_letters(queue: str, letter_ids: tuple[str, ...], everything: bool) -> None:
    """Delete dead letters of QUEUE."""
    print_line(f"{_open().drop(queue, _chosen(letter_ids, everything))} dropped")


def _chosen(letter_ids: Sequence[str], everything: bool) -> Sequence[str] | None:
    if bool(letter_ids) == everything:
        raise click.UsageError("name the letters, or say --all")
    return None if everything else letter_ids


def _open() -> DeadLetters:
    config = read_config()
    url = config.streams_url()
    if not url:
        raise Refusal("CELERY_BROKER_URL names a broker without dead letters of ours")
    return DeadLetters(open_client(url, Options()), config.queue_key_prefix)


def _time(letter: DeadLetter) -> str:
    return letter.since.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
