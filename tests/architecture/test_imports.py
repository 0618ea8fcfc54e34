# SPDX-License-Identifier: Apache-2.0
"""Who may import whom, as a table: the rules of docs/architecture.md, held against every module of the packages."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

import pytest

from tests.architecture.sources import ROOT, Module, packages

PURE = ("model", "policy", "plan", "evolve", "decide", "react")
FORBIDDEN_IN_PURE = {"time", "random", "uuid", "os", "logging", "threading", "secrets", "socket", "subprocess"}
FORBIDDEN_CALLS = {"now", "utcnow", "today", "open", "print"}
FORBIDDEN_FILES = {"utils", "util", "helpers", "helper", "common", "misc", "base"}

SHELL = ("log", "errors", "ports", "model", "codec")
ADAPTER = ("model", "policy", "ports", "codec", "config", "log", "errors")


@dataclass(frozen=True, slots=True)
class Rule:
    """What the modules that `pattern` names may import of the engine, and of other distributions.

    A module belongs to the first rule that matches it. `inner` names are parts of `argyll_engine`; a module may
    always import its own package. `outer` names are top-level packages from outside the standard library.
    """

    pattern: str
    inner: tuple[str, ...] = ()
    outer: tuple[str, ...] = ()


# ---- the engine ------------------------------------------------------------------------------

ENGINE = (
    # pure
    Rule("model.digest", (), ("msgspec",)),
    Rule("model.start", ("errors",)),
    Rule("model.*"),
    # msgspec here is a pure function between text and values: a step's answer, an argument, what a key is made of
    Rule("policy.outcome", ("model", "errors"), ("msgspec",)),
    Rule("policy.arguments", ("model", "errors"), ("msgspec",)),
    Rule("policy.memo_key", ("model", "errors"), ("msgspec",)),
    Rule("policy.*", ("model", "errors")),
    Rule("evolve.*", ("model", "errors")),
    Rule("plan.*", ("model", "policy", "errors")),
    Rule("decide.*", ("model", "policy", "evolve", "errors")),
    Rule("react", ("model", "policy", "errors")),
    # what everybody may know
    Rule("errors"),
    Rule("ports", ("model",)),
    Rule("feed_port", ("model",)),
    Rule("address"),
    Rule("durations"),
    Rule("clock"),
    Rule("progress"),
    Rule("round_trip", (), ("hiredis", "redis")),
    Rule("metrics.processes"),
    Rule("metrics.signs", ("log",)),
    Rule("metrics.*", ("log", "model"), ("prometheus_client",)),
    Rule("variable", ("address",)),
    Rule("variables", ("address", "durations", "variable")),
    Rule("config", ("address", "durations", "errors", "log", "model", "variables")),
    Rule("redaction", ("address",)),
    Rule("flow_log", ("log", "model")),
    Rule("backup", ("aggregates", "codec", "errors", "model", "ports"), ("msgspec",)),
    Rule("tracing.otel", ("log",), ("opentelemetry",)),
    Rule("tracing.*", ("log", "model", "ports")),
    Rule("log", ("redaction",)),
    Rule("codec.*", ("model", "errors"), ("msgspec",)),
    # shell
    Rule("cache", ("model",)),
    Rule("aggregates", ("model", "decide", "evolve", "react", "ports", "codec", "errors")),
    Rule("projections", (*SHELL, "aggregates", "cache")),
    Rule("seeds", ("model",)),
    Rule("executor", (*SHELL, "projections", "seeds")),
    Rule("archived_flows", ("codec", "errors", "model", "ports")),
    Rule("archive_changes", (*SHELL, "archived_flows", "projections")),
    Rule("query", (*SHELL, "archived_flows", "plan", "policy", "projections")),
    Rule("recovery", (*SHELL, "metrics", "projections", "react")),
    Rule("memory_gate", ("errors", "model", "ports")),
    Rule("memo", ("errors", "log", "model", "policy", "ports")),
    Rule("health_view", (*SHELL, "projections")),
    Rule("health_checks", (*SHELL, "plan", "policy", "executor", "health_view", "projections")),
    Rule("held_work", (*SHELL, "policy", "executor", "health_view", "recovery")),
    Rule("script_health", (*SHELL, "executor", "health_view")),
    Rule("compensator", (*SHELL, "policy", "executor", "held_work", "projections")),
    Rule("child_flows", (*SHELL, "plan", "policy", "executor", "memo", "projections")),
    Rule("patience", ("errors", "log")),
    Rule("read_along", ()),
    Rule("work_order", ("model", "policy", "errors", "executor", "log")),
    Rule("wanted_states", ("model", "projections", "work_order")),
    Rule(
        "call_runner",
        (
            *("model", "policy", "ports", "errors", "log", "executor", "held_work", "memo", "patience", "projections"),
            *("script_runner", "wanted_states", "work_order"),
        ),
    ),
    Rule(
        "script_runner",
        (
            *("model", "policy", "ports", "errors", "log", "executor", "held_work", "memo", "patience", "projections"),
            *("read_along", "script_health", "wanted_states", "work_order"),
        ),
    ),
    Rule(
        "work_runner",
        (
            *("model", "policy", "ports", "errors", "log", "child_flows", "executor", "held_work", "memo", "patience"),
            *("projections", "read_along", "script_health", "script_runner", "work_order"),
        ),
    ),
    Rule("script_trial", ("model", "ports", "errors")),
    Rule("canary", (*SHELL, "executor", "plan", "projections")),
    Rule("plan_cache", ("model", "plan")),
    Rule(
        "flow_starts",
        (
            *("archived_flows", "errors", "executor", "log", "memory_gate", "model", "plan", "plan_cache"),
            *("ports", "projections", "query"),
        ),
    ),
    Rule(
        "engine",
        (
            *("archive_changes", "archived_flows", "errors", "executor", "flow_starts", "log", "memo", "model", "plan"),
            *("policy", "ports", "query", "script_trial"),
        ),
    ),
    # adapters: never one another
    Rule("hub", ("model", "feed_port", "errors", "log")),
    Rule("dispatch", (*ADAPTER, "transport"), ("celery", "kombu")),
    Rule("transport.wire", (), ("kombu", "msgspec")),
    Rule("transport.message", (), ("kombu", "msgspec")),
    Rule("transport*", ("round_trip",), ("kombu", "redis")),  # for any Celery application
    Rule("store.metered", (*ADAPTER, "metrics", "progress"), ("prometheus_client",)),
    Rule("store.redis", (*ADAPTER, "read_along"), ("redis",)),
    Rule("store.*", (*ADAPTER, "feed_port", "round_trip"), ("redis",)),
    Rule("scripting.ale.*"),  # a language of its own, which knows nothing of the engine
    Rule("scripting.lua", ADAPTER, ("lupa",)),
    Rule("scripting.jpath_regex", ADAPTER, ("re2",)),
    Rule("scripting.jpath*", ADAPTER, ("jsonpath",)),
    Rule("scripting.metered", (*ADAPTER, "metrics")),
    Rule("scripting.*", ADAPTER),
    Rule("invoke.exchange", (), ("httptools",)),
    Rule("invoke.metered", (*ADAPTER, "metrics", "progress")),
    Rule("invoke.*", ADAPTER, ("msgspec",)),
    # entry
    Rule("tasks.progress", ("log", "model", "progress"), ("celery", "kombu")),
    Rule(
        "tasks.calls",
        ("call_runner", "log", "read_along", "script_runner", "work_order"),
        ("celery",),
    ),
    Rule("tasks.batches", ("dispatch", "log", "model", "read_along", "script_runner", "work_order"), ("celery",)),
    Rule(
        "tasks.*",
        (
            "model",
            "errors",
            "ports",
            "config",
            "dispatch",
            "transport",
            "redaction",
            "tracing",
            "wiring",
            "log",
            "metrics",
            "progress",
            "diagnostics_wiring",
        ),
        ("celery", "kombu"),
    ),
    Rule("wiring", ("*",), ("celery", "redis")),
    Rule("diagnostics_wiring", ("*",)),
    Rule("", ()),  # the package itself
)

# ---- its two siblings: `inner` as above, own package always, never each other ------------------

API_EDGE = ("model", "errors", "codec", "ports", "log", "engine", "config", "query")
API = (
    Rule("wsgi", (*API_EDGE, "redaction", "tracing", "wiring", "diagnostics_wiring", "metrics", "progress")),
    # programs that use an engine do not load one
    Rule("client.*", (), ("urllib3", "websockets")),
    Rule("cli.client", (), ("click",)),
    Rule("cli.serve", ("config",), ("click", "uvicorn")),
    Rule("cli.startup", ("config", "errors", "log", "store"), ("click",)),
    Rule("cli.ale*", ("scripting",), ("click",)),
    Rule("cli.dead_letters", ("config", "transport"), ("click", "redis")),
    Rule("cli.patience", ("metrics",)),
    Rule("cli.metrics_folder", ("log", "metrics")),
    Rule("cli.probe_server", ("config", "diagnostics_wiring", "log", "metrics", "policy")),
    Rule("cli.up", ("config", "metrics", "variable"), ("click",)),
    Rule("cli.workers", ("config", "metrics"), ("click",)),
    Rule("cli.archiver", ("config", "errors", "metrics"), ("click",)),
    Rule("cli.config", ("address", "config", "errors", "variable", "variables"), ("click",)),
    Rule(
        "cli.doctor_facts",
        (
            "address",
            "config",
            "diagnostics_wiring",
            "dispatch",
            "errors",
            "policy",
            "recovery",
            "store",
            "tasks",
            "tracing",
        ),
    ),
    Rule("cli.doctor", ("config", "policy"), ("click",)),
    Rule("cli.shards", ("config", "variable"), ("click",)),
    Rule("cli.backup", ("backup", "config", "errors", "model", "ports", "store"), ("click",)),
    Rule("cli.migrate", ("config", "errors", "store"), ("click",)),
    Rule("cli.*", ("config", "errors", "log", "model"), ("click", "rich")),
    Rule("schemas.*", ("model", "errors", "codec"), ("marshmallow",)),
    Rule("openapi.*", API_EDGE, ("flask", "marshmallow", "msgspec", "werkzeug")),
    Rule("hooks", API_EDGE, ("flask", "werkzeug")),
    Rule("request_metrics", ("metrics",), ("flask",)),
    Rule("diagnostics", ("canary", "metrics", "model")),
    Rule("asgi", (*API_EDGE, "progress")),
    Rule("routes.metrics", (*API_EDGE, "metrics"), ("flask",)),
    Rule("routes.probes", (*API_EDGE, "policy"), ("flask",)),
    Rule("request_spans", ("model", "tracing"), ("flask",)),
    Rule("socket", API_EDGE, ("uvicorn", "websockets")),
    Rule("http_protocol", (), ("uvicorn",)),
    Rule("wait_request", (*API_EDGE, "durations"), ("flask",)),
    Rule("subscriptions", (*API_EDGE, "feed_port", "hub")),
    Rule("*", API_EDGE, ("flask",)),
)

ARCHIVER = (
    Rule("target"),
    Rule("config", ("address", "errors", "variables")),
    Rule("policy", ("model", "ports")),
    Rule("record", ("codec", "errors", "evolve", "model"), ("msgspec",)),
    Rule("sinks.s3", ("errors",), ("boto3", "botocore", "urllib3")),
    Rule("sinks.quick_put", (), ("botocore", "urllib3")),
    Rule("sinks.*", ("errors",)),
    Rule("archive", ("errors", "model")),
    Rule("reader", ("errors", "model")),
    Rule("inspection", ("errors", "model", "ports")),
    Rule("retention", ("archive_changes", "errors", "model", "ports")),
    Rule("meter", ("log", "metrics", "model")),
    Rule("batches", ("errors", "model", "ports")),
    Rule("archiver", ("errors", "model", "ports")),
    Rule("watch", ("errors", "log")),
    Rule("tasks", ("dispatch", "errors", "log", "model", "progress"), ("celery",)),
    Rule(
        "wiring",
        (
            *("aggregates", "archive_changes", "archived_flows", "cache", "clock", "config", "errors", "model"),
            *("ports", "projections", "store"),
        ),
    ),
    Rule("worker", ("config", "log", "tasks"), ("celery",)),
    Rule("beat", ("dispatch", "tasks"), ("celery",)),
    Rule("", ()),
)

RULES = {"argyll_engine": ENGINE, "argyll_api": API, "argyll_archiver": ARCHIVER}

COMPOSERS = ("argyll_api.wsgi", "argyll_api.cli.")
"""These put the packages together: they may import the wiring of the archiver."""

VALUES = {"msgspec.Struct", "msgspec.field", "msgspec.structs"}
"""What any module may make its values of; the rest of msgspec, which knows JSON, only those whose rule says so."""

LATE = {
    "argyll_archiver.sinks.opening": {"argyll_archiver.sinks.s3"},
    "argyll_api.cli.metrics_folder": {"argyll_engine.metrics.instruments", "argyll_engine.metrics.places"},
    "argyll_api.cli.probe_server": {"argyll_engine.diagnostics_wiring", "argyll_engine.metrics.page"},
    "argyll_api.cli.serve": {"uvicorn", "uvicorn.supervisors", "argyll_api.wsgi"},
    "argyll_engine.scripting.registry": {"argyll_engine.scripting.jpath"},
}
"""Imports inside functions, each with its reason beside it in the code: the server is loaded by the command that
serves, the application by the process that answers requests, metrics once their folder is known, boto3 by whoever
reaches for an S3 store, and jpath with its first script."""


# ---- reading modules -------------------------------------------------------------------------


def _imports(tree: ast.AST) -> Iterator[str]:
    """Dotted names of everything that is imported, at any depth."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from _imported_from(node)


def _imported_from(node: ast.ImportFrom) -> list[str]:
    """`from argyll_engine import log` brings in the module `argyll_engine.log`, not only the package."""
    module = node.module or ""
    is_apart = module in RULES or module == "msgspec"
    return [f"{module}.{alias.name}" for alias in node.names] if is_apart else [module]


def _split(module: Module) -> tuple[str, str]:
    """(package, dotted name below it)."""
    package, _, rest = module.name.partition(".")
    return package, rest


def _rule_of(module: Module) -> Rule | None:
    package, rest = _split(module)
    return next((rule for rule in RULES[package] if _matches(rule.pattern, rest)), None)


def _matches(pattern: str, name: str) -> bool:
    return fnmatchcase(name, pattern) or pattern.removesuffix(".*") == name


def _faults(module: Module) -> Iterator[str]:
    rule = _rule_of(module)
    if rule is None:
        yield f"{module.path}: no rule says what it may import"
        return
    package, rest = _split(module)
    for name in _imports(module.tree):
        top, _, below = name.partition(".")
        if top in RULES:
            if name.startswith("argyll_archiver.wiring") and module.name.startswith(COMPOSERS):
                continue
            is_own = top == package and (package != "argyll_engine" or below.split(".")[0] == rest.split(".")[0])
            if not is_own and not _may(rule, top, below):
                yield f"{module.path}: {name}"
        elif top not in sys.stdlib_module_names and top not in rule.outer and name not in VALUES:
            yield f"{module.path}: {name}"


def _may(rule: Rule, top: str, below: str) -> bool:
    return top == "argyll_engine" and ("*" in rule.inner or below.split(".")[0] in rule.inner)


def _pure() -> list[Module]:
    return [module for module in packages() if module.name.split(".")[1:2] and module.name.split(".")[1] in PURE]


# ---- the tests -------------------------------------------------------------------------------


def test_every_module_imports_only_what_its_rule_allows() -> None:
    """Arrows point inward only; each foreign library is met in its own place."""
    assert [] == [fault for module in packages() for fault in _faults(module)]


@pytest.mark.parametrize(
    ("path", "name", "source"),
    [
        ("argyll_engine/decide/x.py", "argyll_engine.decide.x", "from argyll_engine.store.keys import Keys"),
        ("argyll_engine/store/x.py", "argyll_engine.store.x", "from argyll_engine import dispatch"),
        ("argyll_engine/model/x.py", "argyll_engine.model.x", "import redis"),
        ("argyll_engine/model/x.py", "argyll_engine.model.x", "from msgspec import Struct, json"),
        ("argyll_engine/engine.py", "argyll_engine.engine", "def f():\n    import argyll_api.app"),
        ("argyll_api/routes/x.py", "argyll_api.routes.x", "from argyll_engine.store.redis import RedisEventStore"),
        ("argyll_archiver/x.py", "argyll_archiver.x", "import argyll_api"),
        ("argyll_engine/newcomer.py", "argyll_engine.newcomer", ""),
    ],
)
def test_the_check_finds_what_is_forbidden(path: str, name: str, source: str) -> None:
    """A rule that cannot be broken would hold nothing."""
    module = Module(path=path, name=name, text=source, tree=ast.parse(source))
    assert 1 == len(list(_faults(module)))


def test_the_pure_zone_is_there() -> None:
    """The tests on purity look at every part of it."""
    assert set(PURE) == {module.name.split(".")[1] for module in _pure()}


def test_the_pure_zone_imports_no_world() -> None:
    """Time, chance, the environment and logs come in as facts or not at all."""
    found = {
        module.path: FORBIDDEN_IN_PURE & {name.split(".")[0] for name in _imports(module.tree)} for module in _pure()
    }
    assert {} == {path: names for path, names in found.items() if names}


def test_the_pure_zone_calls_no_clock_and_opens_nothing() -> None:
    """`datetime` is a value there, `datetime.now()` is not asked."""
    calls = [
        f"{module.path}:{node.lineno}"
        for module in _pure()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in FORBIDDEN_CALLS
    ]
    assert [] == calls


def test_imports_stand_at_the_top() -> None:
    """An import inside a function hides an arrow; the exceptions are named in this file."""
    late = {
        module.name: {name for f in ast.walk(module.tree) if isinstance(f, ast.FunctionDef) for name in _imports(f)}
        for module in packages()
    }
    assert {name: found for name, found in late.items() if found} == LATE


def test_no_rule_is_idle() -> None:
    """A rule that no module needs any more goes with the last one that did."""
    used = {(_split(module)[0], _rule_of(module)) for module in packages()}
    assert [] == [rule.pattern for package, rules in RULES.items() for rule in rules if (package, rule) not in used]


def test_the_page_has_the_same_table() -> None:
    """The rules of docs/architecture.md are those of this file, row for row."""
    section = (ROOT / "docs" / "architecture.md").read_text("utf-8").partition("\n## Who may import whom\n")[2]
    documented = [line for line in section.partition("\n## ")[0].split("\n") if line.startswith("| `argyll")]
    assert [row_of(package, rule) for package, rules in RULES.items() for rule in rules] == documented


def row_of(package: str, rule: Rule) -> str:
    """The line of the page for a rule."""
    name = ".".join(filter(None, (package, rule.pattern)))
    inner, outer = (" ".join(f"`{word}`" for word in sorted(words)) or "–" for words in (rule.inner, rule.outer))
    return f"| `{name}` | {inner.replace('`*`', 'everything')} | {outer} |"


def test_no_file_has_a_name_that_says_nothing() -> None:
    """What is in a file can be told from its name."""
    assert [] == [module.path for module in packages() if module.name.split(".")[-1] in FORBIDDEN_FILES]
