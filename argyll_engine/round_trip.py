# SPDX-License-Identifier: Apache-2.0
"""Commands to one Redis, sent together and answered together, with little more than one write and one read.

It does what a pipeline of redis-py does at a third of its cost, for the few places that each step of a flow passes.
Connections, their pool, their health checks and their faults are redis-py's. Used by `store/` and `transport/`.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

from hiredis import pack_command
from redis import Redis
from redis.exceptions import ExecAbortError, ResponseError

Command: TypeAlias = tuple[str | bytes | int, ...]
"""The name of a command and its arguments."""

BUFFER_BYTES: Final = 65_536
_BEGIN: Final[Command] = ("MULTI",)
_END: Final[Command] = ("EXEC",)


def ask(client: Redis, commands: Sequence[Command]) -> list[Any]:
    """The answers, in order, as they came; that of a refused command is its `ResponseError`.

    No command is sent twice.

    Raises:
        RedisError: Redis does not answer. Nobody knows which of the commands it carried out.
    """
    if not commands:
        return []
    connection: Any = client.connection_pool.get_connection()  # redis-py types a few of its methods only
    try:
        connection.send_packed_command(list(_buffers(commands)))
        return [_answer(connection) for _ in commands]
    except BaseException:
        connection.disconnect()  # whatever else was to come on it is not for the next who has it
        raise
    finally:
        client.connection_pool.release(connection)


def ask_all(client: Redis, commands: Sequence[Command]) -> list[Any]:
    """The same where none may be refused. Raises RedisError, also for a refusal."""
    answers = ask(client, commands)
    for answer in answers:
        if isinstance(answer, ResponseError):
            raise answer
    return answers


def ask_at_once(client: Redis, commands: Sequence[Command]) -> list[Any]:
    """The same, and nobody else is served between the first and the last; one may fail without the rest.

    Raises:
        RedisError: As for `ask`; or Redis would not take one of them, and carried out none.
    """
    *taken, answers = ask(client, [_BEGIN, *commands, _END])
    if isinstance(answers, ExecAbortError):
        raise next((answer for answer in taken if isinstance(answer, ResponseError)), answers)
    if isinstance(answers, ResponseError):
        raise answers
    done: list[Any] = answers
    return done


def _buffers(commands: Sequence[Command]) -> Iterator[bytes]:
    """The packed commands in pieces, each of which has the time that a socket is given."""
    piece = bytearray()
    for command in commands:
        piece += pack_command(command)  # type: ignore[arg-type]  # hiredis says that it packs tuples of one
        if len(piece) >= BUFFER_BYTES:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)


def _answer(connection: Any) -> Any:
    try:
        return connection.read_response()
    except ResponseError as exc:
        return exc
