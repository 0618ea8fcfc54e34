# SPDX-License-Identifier: Apache-2.0
"""Files, functions and classes keep within the sizes of docs/architecture.md."""

import ast
from collections.abc import Iterator

from tests.architecture.sources import Module, modules, packages

MAX_MODULE_LINES = 500
SAYS_WHY_LINES = 350
MAX_FUNCTION_LINES = 60
MAX_VIEW_LINES = 12
MAX_TASK_LINES = 15
MAX_METHODS = 20
REASON = "Long because"
"""How the docstring of a module above SAYS_WHY_LINES says why it is one file."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def _lines(function: Function) -> int:
    """Lines from `def` to the last; the docstring counts as what it is, the decorators do not."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def _body_lines(function: Function) -> int:
    """Lines from `def` to the last without the docstring: what a view or a task does."""
    has_docstring = ast.get_docstring(function) is not None
    first = function.body[0]
    return _lines(function) - ((first.end_lineno or first.lineno) - first.lineno + 1 if has_docstring else 0)


def _long_functions(module: Module, limit: int) -> dict[str, int]:
    return {f"{module.path}:{f.name}": _lines(f) for f in _functions(module.tree) if _lines(f) > limit}


def _long_bodies(path_prefix: str, decorator: str, limit: int) -> dict[str, int]:
    return {
        f"{module.path}:{function.name}": _body_lines(function)
        for module in packages()
        if module.path.startswith(path_prefix)
        for function in _functions(module.tree)
        if any(decorator in ast.unparse(d) for d in function.decorator_list) and _body_lines(function) > limit
    }


def test_no_module_is_longer_than_the_limit() -> None:
    """A module that reaches the limit is split."""
    long = {module.path: module.line_count for module in packages() if module.line_count > MAX_MODULE_LINES}
    assert {} == long


def test_a_long_module_says_why() -> None:
    """Its docstring has the reason in words that can be searched for."""
    long = [module for module in packages() if module.line_count > SAYS_WHY_LINES]
    assert [] == [module.path for module in long if REASON not in module.docstring]


def test_no_function_is_longer_than_the_limit() -> None:
    """In the packages and in the tests alike."""
    long = [_long_functions(module, MAX_FUNCTION_LINES) for module in modules("argyll_engine", "argyll_api", "tests")]
    assert [] == [found for found in long if found]


def test_views_only_pass_the_parcel_on() -> None:
    """A view parses, asks the engine once and encodes."""
    assert {} == _long_bodies("argyll_api/routes/", "blueprint.", MAX_VIEW_LINES)


def test_tasks_only_pass_the_parcel_on() -> None:
    """A Celery task hands its ids to the part that knows what to do."""
    assert {} == _long_bodies("argyll_engine/tasks/", "app.task", MAX_TASK_LINES)


def test_views_and_tasks_are_found() -> None:
    """The two tests above look at something."""
    assert "argyll_api/routes/flows.py:start_flow" in _long_bodies("argyll_api/routes/", "blueprint.", 0)
    assert "argyll_engine/tasks/work.py:run_work" in _long_bodies("argyll_engine/tasks/", "app.task", 0)


def test_no_class_has_too_many_methods() -> None:
    """A class with more than these does more than one thing."""
    counts = {
        f"{module.path}:{node.name}": sum(isinstance(member, Function) for member in node.body)
        for module in packages()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
    }
    assert {} == {name: count for name, count in counts.items() if count > MAX_METHODS}
