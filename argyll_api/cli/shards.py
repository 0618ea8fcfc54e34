# SPDX-License-Identifier: Apache-2.0
"""Which flow shards a command serves, and the environment of its processes: each serves one and knows no other.

Called by the commands that run workers, beat and archivers.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import click

from argyll_api.cli.startup import Refusal
from argyll_engine.config import EngineConfig
from argyll_engine.variable import FILE_SUFFIX

ALL: Final = "all"
ADDRESS: Final = "FLOW_REDIS_ADDR"
_OTHER_SPELLINGS: Final = (ADDRESS + FILE_SUFFIX, "PARTITION_REDIS_ADDR", "PARTITION_REDIS_ADDR" + FILE_SUFFIX)

shard_option = click.option(
    "--shard", default=ALL, show_default=True, help="Number of the flow shard to serve, from 1, or all."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A shard that is served: how its processes are configured, what is added to their names, and its own name.

    Where there is one flow store only, it has none, and nothing is added.
    """

    config: EngineConfig
    environment: Mapping[str, str]
    suffix: str = ""
    name: str = ""


def serving(config: EngineConfig, shard: str) -> EngineConfig:
    """The configuration of a command that serves one shard or all. Raises Refusal for a shard that is not there."""
    if shard == ALL:
        return config
    if not shard.isdecimal() or not 1 <= int(shard) <= len(config.shards):
        raise Refusal(f"--shard {shard}: must be `{ALL}` or a number from 1 to {len(config.shards)}, as {ADDRESS} says")
    return config.of_shard(int(shard))


def served_shards(
    whole: EngineConfig, shard: str = ALL, environment: Mapping[str, str] | None = None
) -> tuple[Served, ...]:
    """Each shard that `shard` names, of those of the whole configuration. Raises Refusal as `serving` does."""
    environment = os.environ if environment is None else environment
    if not whole.is_sharded:
        return (Served(config=serving(whole, shard), environment=environment),)
    numbers = range(1, len(whole.shards) + 1) if serving(whole, shard).is_sharded else (int(shard),)
    return tuple(
        Served(
            config=whole.of_shard(number),
            environment={**environment, **dict.fromkeys(_OTHER_SPELLINGS, ""), ADDRESS: whole.shards[number - 1].addr},
            suffix=f"-s{number}",
            name=whole.flow_store_name(number),
        )
        for number in numbers
    )
