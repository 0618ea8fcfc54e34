# SPDX-License-Identifier: Apache-2.0
"""Trying a script out before a step has it; nothing is stored."""

from typing import Final

from flask import Blueprint, Response

from argyll_api.answers import json_answer
from argyll_api.body import read_object
from argyll_api.current import config, engine
from argyll_api.errors import SCRIPTS
from argyll_api.openapi import answers, examples
from argyll_api.openapi.operation import Answer, Body, describes
from argyll_api.schemas.script import TrialShape, load_trial
from argyll_engine.errors import InvalidRequestError, ScriptCompileError, ScriptRunError

blueprint: Final = Blueprint(SCRIPTS, __name__)


@blueprint.post("/engine/script/test")
@describes(
    {200: Answer(form=answers.Trial, example=examples.TRIAL_RESULT)},
    body=Body(shape=TrialShape, limit="max_trial_bytes", example=examples.TRIAL),
    errors=(InvalidRequestError, ScriptCompileError, ScriptRunError),
)
def test_script() -> Response:
    """What the script gives; 400, with the place of the fault, for one that fails."""
    tried = engine().try_script(load_trial(read_object(config().max_trial_bytes)))
    return json_answer({"result": tried.value} if tried.found else {"matched": False})
