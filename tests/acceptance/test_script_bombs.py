# SPDX-License-Identifier: Apache-2.0
"""A worker that runs scripts without end or bounds, between honest ones: each fails its own step, and nothing else.

Source: the contract, scripts §1.8 and D6.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.client import Client, fresh_id
from tests.acceptance.part import processes_below
from tests.acceptance.stack import STEPS, Stack
from tests.acceptance.steps import attributes, script

TIME, MEMORY = "script exceeded its time limit of 1000 ms", "script exceeded its memory limit of 64 MB"
STEPS_TAKEN, RESULT = "script exceeded its limit of 100000000 steps", "script result is larger than 16777216 bytes"
GROW = "(define (grow n v step) (if (= n 0) v (grow (dec n) (step v) step)))"

BOMBS = (
    ("lua", "while true do pcall(function() while true do end end) end", (TIME, STEPS_TAKEN)),
    ("lua", "local t = {} while true do t[#t + 1] = {} end", (MEMORY,)),
    ("lua", "return string.rep('x', 2^31 - 1)", (MEMORY,)),
    ("lua", "return ('a'):rep(5000):find('.-.-.-.-.-.-b')", (TIME, STEPS_TAKEN)),
    ("lua", "local t = 'ha' for _ = 1, 12 do t = {t, t, t, t, t, t, t, t, t, t} end return t", (RESULT,)),
    ("ale", "(define (f) (f)) (f)", (TIME, STEPS_TAKEN)),
    ("ale", f'{GROW} (length (grow 1000000 () (lambda (kept) (cons (str (length kept) (grow 14 "abcdefgh" '
            "(lambda (s) (str s s)))) kept))))", (MEMORY,)),
    ("ale", f'{GROW} (grow 12 "ha" (lambda (v) [v v v v v v v v v v]))', (RESULT,)),
    ("ale", "(define (f n) (+ 1 (f n))) (f 1)", ("recursion is too deep",)),
)  # fmt: skip

MEGABYTE = 1_048_576
MAX_GROWTH_MB = 100
"""That a worker may hold after all bombs beyond what it held before; the limit of one run is 64."""


def resident_mb(stack: Stack) -> float:
    """Memory of the worker that runs scripts, with its supervisor."""
    pid = stack.workers[STEPS].pid
    status = [Path(f"/proc/{process}/statm") for process in (pid, *processes_below(pid))]
    return sum(int(path.read_text().split()[1]) * 4_096 for path in status if path.exists()) / MEGABYTE


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not say what a process holds")
def test_bombs_between_honest_scripts(stack: Stack, client: Client) -> None:
    """Every bomb fails its step with the limit in its error, every honest flow completes, and memory comes back."""
    client.register(
        script("honest", "(* 6 n)", attributes(takes=["n"], gives=["result"])) | {"script": ale("(* 6 n)")},
        *(bomb(number) for number in range(len(BOMBS))),
    )
    client.await_end(client.start(fresh_id("honest"), ["honest"], {"n": 0}))
    held_mb = resident_mb(stack)
    for number, (_, _, errors) in enumerate(BOMBS):
        name = f"bomb-{number}"
        bombed = client.start(fresh_id(name), [name])
        honest = [client.start(fresh_id("honest"), ["honest"], {"n": n}) for n in range(3)]
        assert ["completed"] * 3 == [client.await_end(flow_id)["status"] for flow_id in honest]
        state = client.await_end(bombed)
        assert "failed" == state["status"]
        error = state["executions"][name]["error"]
        assert any(wanted in error for wanted in errors), error
    assert resident_mb(stack) - held_mb < MAX_GROWTH_MB


def bomb(number: int) -> dict[str, Any]:
    """A step that is one of the bombs."""
    language, text, _ = BOMBS[number]
    step = script(f"bomb-{number}", text, attributes(gives=[f"never-{number}"]))
    return step | {"script": {"language": language, "script": text}}


def ale(text: str) -> dict[str, str]:
    """An Ale script."""
    return {"language": "ale", "script": text}
