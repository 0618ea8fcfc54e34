# SPDX-License-Identifier: Apache-2.0
"""A script to try out, as it is posted: shape alone. Used by `routes/scripts.py`."""

from collections.abc import Mapping
from typing import Any, Final

from marshmallow import fields, post_load

from argyll_api.schemas.fields import Text, Texts
from argyll_api.schemas.shape import Shape, load
from argyll_engine.errors import InvalidRequestError
from argyll_engine.model.attribute import ScriptConfig
from argyll_engine.model.ids import JSONValue
from argyll_engine.model.trial import ScriptTrial, TrialMode


class TrialShape(Shape):
    """A trial as it is posted."""

    language = Text(load_default="")
    script = Text(load_default="")
    mode = Text(load_default=str(TrialMode.SCRIPT))
    arguments = Texts(load_default=None)
    inputs = fields.Raw(load_default=None)

    @post_load
    def build(self, members: dict[str, Any], **_: object) -> ScriptTrial:
        """The trial."""
        script = ScriptConfig(language=members.pop("language"), script=members.pop("script"))
        return ScriptTrial(script=script, **members)


_trial: Final = TrialShape()


def load_trial(raw: Mapping[str, JSONValue]) -> ScriptTrial:
    """The trial that a body asks for.

    Raises:
        InvalidJSONError: A member is of the wrong kind.
        InvalidRequestError: There is no language or no script.
    """
    trial: ScriptTrial = load(_trial, raw)
    if not trial.script.language:
        raise InvalidRequestError("script language empty")
    if not trial.script.script:
        raise InvalidRequestError("script empty")
    return trial
