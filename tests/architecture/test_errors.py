# SPDX-License-Identifier: Apache-2.0
"""Every error of the engine has its row in the table of the HTTP edge, and its line in the tree."""

import inspect

import pytest

from argyll_api.errors import BLUEPRINT_ROWS, ROWS, row_of
from argyll_api.routes import BLUEPRINTS
from argyll_engine import errors

CLASSES = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, errors.ArgyllError)]


def test_every_error_has_a_row():
    """And every row an error."""
    assert set(CLASSES) == set(ROWS)


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_is_in_the_tree_of_the_docstring(cls):
    """The tree is what people read."""
    assert f"{cls.__name__}" in errors.__doc__.split()


@pytest.mark.parametrize("cls", CLASSES)
def test_statuses_follow_the_consequence(cls):
    """Not found is 404, a conflict 409, a transient fault 503, a broken promise 500."""
    expected = {
        errors.NotFoundError: 404,
        errors.ConflictError: 409,
        errors.TransientError: 503,
        errors.BrokenError: 500,
        errors.ScriptError: 500,
    }
    for parent, status in expected.items():
        if issubclass(cls, parent):
            assert ROWS[cls].status == status


def test_a_group_of_routes_has_its_own_words_first():
    """The table of a blueprint beats the common one."""
    error = errors.FlowNotFoundError("f")
    assert (row_of(error, "webhooks").status, row_of(error, "flows").status, row_of(error).status) == (400, 404, 404)


def test_rows_of_blueprints_are_of_blueprints_that_exist():
    """A renamed blueprint would lose its words silently."""
    assert set(BLUEPRINT_ROWS) <= {blueprint.name for blueprint in BLUEPRINTS}
