# SPDX-License-Identifier: Apache-2.0
"""`argyll doctor`: looks at a deployment from where it runs and says what to mend. Changes nothing.

Facts come from `doctor_facts.py`, what they mean from `policy/fitness.py`.
"""

import os
from dataclasses import asdict, replace
from typing import Final

import click

from argyll_api.cli.archiver import read_archiver_config
from argyll_api.cli.doctor_facts import gather
from argyll_api.cli.output import print_json, print_line, print_table
from argyll_api.cli.startup import read_config
from argyll_archiver.wiring import ArchiverConfig
from argyll_engine.config import EngineConfig
from argyll_engine.policy.fitness import Finding, Level, findings

UNWELL: Final = 1
_BAD: Final = (Level.FAULT,)
_STRICT: Final = (Level.FAULT, Level.WARNING)


@click.command()
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings too.")
@click.option("--patience", type=click.FloatRange(0.1), default=3.0, show_default=True, help="Seconds for workers.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(strict: bool, patience: float, as_json: bool) -> None:
    """Check the deployment of this environment; exits with 1 if something must be mended."""
    config, archive = read_config(), read_archiver_config(os.environ)
    found = _found(config, archive, patience)
    if as_json:
        print_json([asdict(finding) for finding in found])
    else:
        _print(found)
    if any(finding.level in (_STRICT if strict else _BAD) for finding in found):
        raise SystemExit(UNWELL)


def _found(config: EngineConfig, archive: ArchiverConfig, patience: float) -> tuple[Finding, ...]:
    """The findings. Each flow shard is looked at like a deployment of its own; what is found on all is said once."""
    if not config.is_sharded:
        return findings(gather(config, archive, os.environ, patience))
    numbers = range(1, len(config.shards) + 1)
    of_shards = {n: findings(gather(config.of_shard(n), archive, os.environ, patience)) for n in numbers}
    shared = set.intersection(*map(set, of_shards.values()))
    own = [
        replace(finding, check=f"{config.flow_store_name(n)}: {finding.check}")
        for n, found in of_shards.items()
        for finding in found
        if finding not in shared
    ]
    return (*(finding for finding in of_shards[1] if finding in shared), *own)


def _print(found: tuple[Finding, ...]) -> None:
    print_table(("check", "level", "finding", "to mend it"), ((f.check, f.level, f.text, f.fix) for f in found))
    faults, warnings = (sum(f.level is level for f in found) for level in (Level.FAULT, Level.WARNING))
    print_line(f"{faults} faults, {warnings} warnings")
