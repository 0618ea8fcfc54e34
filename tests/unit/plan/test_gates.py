# SPDX-License-Identifier: Apache-2.0
"""What gates change in a plan (the contract, execution §1.4). A gate here accepts the text it names."""

from typing import Final

import pytest

from argyll_engine.errors import ScriptRunError
from argyll_engine.model.attribute import AttributeSpec, ScriptConfig
from argyll_engine.model.ids import JSONValue, StepID
from argyll_engine.model.plan import ExecutionPlan
from argyll_engine.plan.build import build
from tests.definitions import a_catalog, a_step, equals, match_text, output, required
from tests.unit.plan.test_build import plan

POSTAL: Final = required(match=equals("postal"))

LETTER = [
    a_step("s", {"kind": POSTAL, "cust": required()}),
    a_step("lookup", {"cid": required(), "cust": output()}),
]
ASKED = a_step("ask", {"kind": output()})


def test_closed_gate_demands_nothing_else() -> None:
    """A gate that init closes for good: the step stays planned, its other inputs are not asked for."""
    made = plan(LETTER, ["s"], {"kind": ["email"]}, preview=True)
    assert (tuple(made.steps), made.required) == (("s",), ())


def test_matched_gate_demands_the_rest() -> None:
    """A gate that init opens: the other inputs are followed and required."""
    made = plan(LETTER, ["s"], {"kind": ["postal"]}, preview=True)
    assert (tuple(made.steps), made.required) == (("lookup", "s"), ("cid",))


def test_any_candidate_opens_the_gate() -> None:
    """One matching candidate among several is enough for the first value."""
    assert plan(LETTER, ["s"], {"kind": ["email", "postal"]}).required == ("cust",)


def test_undecided_gate_reports_only_itself() -> None:
    """Without a value and a provider, only the gated input is required."""
    assert plan(LETTER, ["s"]).required == ("kind",)


def test_undecided_gate_follows_the_rest() -> None:
    """While another provider may open the gate, other inputs are followed, but not required."""
    made = plan([*LETTER, ASKED], ["s"], {"cid": [1]})
    assert (tuple(made.steps), made.required) == (("ask", "lookup", "s"), ())
    assert plan([*LETTER, ASKED], ["s"]).required == ()


def test_refused_candidate_leaves_the_provider_in() -> None:
    """A candidate that does not match prunes no provider and keeps the gate undecided."""
    made = plan([*LETTER, ASKED], ["s"], {"kind": ["email"], "cid": [1]})
    assert (tuple(made.steps), made.required) == (("ask", "lookup", "s"), ())


def test_matching_candidate_prunes_the_provider() -> None:
    """A candidate that matches settles the gated input."""
    made = plan([*LETTER, ASKED], ["s"], {"kind": ["postal"], "cid": [1]})
    assert tuple(made.steps) == ("lookup", "s")
    assert made.excluded.satisfied == {"ask": ("kind",)}


def test_one_closed_gate_closes_the_step() -> None:
    """A closed gate leaves the other gate's providers followed and nothing required."""
    step = a_step("s", {"kind": POSTAL, "land": required(match=equals("fr")), "cust": required()})
    made = plan([step, a_step("where", {"land": output()}), LETTER[1]], ["s"], {"kind": ["email"], "cid": [1]})
    assert (tuple(made.steps), made.required) == (("where", "s"), ())


@pytest.mark.parametrize(
    ("collect", "values", "required_names"),
    [
        ("last", ["email", "postal"], ("cust",)),  # final candidates, one matches
        ("last", ["email"], ()),  # closed
        ("some", ["email", "postal"], ("cust",)),
        ("all", ["postal", "postal"], ("cust",)),
        ("all", ["postal", "email"], ()),  # one mismatch closes it
    ],
)
def test_gates_of_other_collections(collect: str, values: list[JSONValue], required_names: tuple[str, ...]) -> None:
    """Init values of a name without providers are final."""
    steps = [a_step("s", {"kind": required(collect=collect, match=equals("postal")), "cust": required()})]
    assert plan(steps, ["s"], {"kind": values}).required == required_names


def test_gated_none_is_blocked_by_any_value() -> None:
    """An init value blocks an input that must stay empty, whether its gate matches or not."""
    steps = [a_step("s", {"kind": required(collect="none", match=equals("postal"))})]
    assert plan(steps, ["s"], {"kind": ["email"]}).excluded.blocked == {"s": ("kind",)}


def _plan_with_broken_gate(kind: AttributeSpec) -> ExecutionPlan:
    def fail(script: ScriptConfig, candidate: JSONValue) -> bool:
        raise ScriptRunError("boom")

    catalog = a_catalog(a_step("s", {"kind": kind, "x": required()}))
    return build(catalog, [StepID("s")], {"kind": (1,)}, fail)  # type: ignore[dict-item]  # a name


def test_failing_gate_is_undecided() -> None:
    """A gate that raises is no error: its step is planned and its other inputs are not required."""
    made = _plan_with_broken_gate(POSTAL)
    assert (tuple(made.steps), made.required) == (("s",), ())


def test_empty_gate_is_none() -> None:
    """An empty script text is no gate."""
    made = _plan_with_broken_gate(required(match=ScriptConfig(language="lua")))
    assert made.required == ("x",)


def test_failing_gate_leaves_other_gates_to_decide() -> None:
    """A gate that raises does not keep another one from closing the step."""

    def fail_on_kind(script: ScriptConfig, candidate: JSONValue) -> bool:
        if script.script == "postal":
            raise ScriptRunError("boom")
        return match_text(script, candidate)

    step = a_step("s", {"kind": POSTAL, "land": required(match=equals("fr")), "x": required()})
    init = {"kind": ("postal",), "land": ("de",)}
    made = build(a_catalog(step), [StepID("s")], init, fail_on_kind)  # type: ignore[arg-type]  # names
    assert made.required == ()
