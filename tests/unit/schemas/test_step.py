# SPDX-License-Identifier: Apache-2.0
"""Steps from JSON: every member, absence against emptiness, and the seed-time spellings."""

import pytest

from argyll_api.schemas.step import load_step, load_update
from argyll_engine.codec import step_to_json
from argyll_engine.errors import InvalidJSONError, InvalidRequestError, InvalidStepError
from argyll_engine.model.attribute import UNDEFINED_ATTRIBUTE, AttributeSpec, InputConfig, OutputConfig
from argyll_engine.model.step import Step, WorkConfig

SCRIPT = {"language": "lua", "script": "return true"}
FULL = {
    "id": "order",
    "name": "Order",
    "type": "sync",
    "attributes": {
        "sku": {
            "role": "required",
            "type": "string",
            "required": {
                "collect": "last",
                "for_each": True,
                "mapping": {"name": "inner", "script": SCRIPT},
                "match": SCRIPT,
            },
        },
        "qty": {"role": "optional", "optional": {"for_each": True, "default": "1", "deadline": 5}},
        "kind": {"role": "const", "const": {"value": '"k"'}},
        "flow": {"role": "meta", "meta": {"key": "flow_id"}},
        "price": {"role": "output", "type": "number", "output": {"mapping": {"name": "p"}}},
    },
    "labels": {"team": "a"},
    "http": {
        "endpoint": "http://k/{inner}",
        "timeout": 700,
        "method": "PUT",
        "compensate": "http://k/undo",
        "health_check": "http://k/health",
        "protocol": "envelope",
    },
    "script": SCRIPT,
    "predicate": SCRIPT,
    "flow": {"goals": ["a", "b"]},
    "work_config": {
        "max_retries": -1,
        "init_backoff": 10,
        "max_backoff": 20,
        "backoff_type": "fixed",
        "parallelism": 4,
    },
    "memoizable": True,
}


def spec(raw):
    """The attribute `x` of a step that has it alone."""
    return load_step({"attributes": {"x": raw}}).attributes["x"]


def work(raw):
    """The work config of a step that has it alone."""
    return load_step({"work_config": raw}).work_config


def test_every_member_arrives():
    """What is written out again is what came in."""
    assert step_to_json(load_step(FULL)) == FULL


def test_nothing_is_mandatory():
    """An empty object is a step for the engine to refuse."""
    assert load_step({}) == Step(id="", name="", type="")


def test_null_members_are_absent():
    """On every level."""
    step = load_step(
        {**dict.fromkeys(FULL), "http": dict.fromkeys(FULL["http"]), "attributes": {"x": {"required": None}}}
    )
    assert step_to_json(step) == {
        "id": "",
        "name": "",
        "type": "",
        "attributes": {"x": {"role": ""}},
        "http": {"endpoint": "", "timeout": 0},
    }


def test_names_of_members_ignore_case_and_names_of_attributes_do_not():
    """On every level; the exact spelling wins."""
    step = load_step(
        {"NAME": "x", "name": "y", "Attributes": {"Sku": {"ROLE": "required", "Required": {"Collect": "all"}}}}
    )
    assert step.name == "y"
    assert step.attributes == {"Sku": AttributeSpec(role="required", required=InputConfig(collect="all"))}


def test_unknown_members_are_dropped():
    """On every level, known ones of another role included."""
    raw = {"nope": 1, "attributes": {"x": {"role": "required", "nope": 1, "required": {"default": 5, "deadline": "x"}}}}
    assert load_step(raw) == load_step({"attributes": {"x": {"role": "required", "required": {}}}})


def test_empty_settings_differ_from_absent_ones():
    """Both are kept as given."""
    assert spec({"role": "required"}).required is None
    assert spec({"role": "required", "required": {}}).required == InputConfig()
    assert spec({"role": "output", "output": {}}).output == OutputConfig()


def test_settings_of_another_role_are_kept_for_the_engine_to_refuse():
    """Their meaning is not judged here."""
    assert spec({"role": "required", "meta": {}}).meta is not None


def test_a_null_definition_is_told_apart():
    """The engine refuses it by the name of its attribute."""
    assert spec(None) is UNDEFINED_ATTRIBUTE


@pytest.mark.parametrize("raw,clean", [(" My  Step! ", "my--step"), ("a:b@c", "abc"), ("@", "")])
def test_the_id_is_sanitised(raw, clean):
    """And nothing else is."""
    step = load_step({"id": raw, "name": raw})
    assert (step.id, step.name) == (clean, raw)


def test_an_update_compares_sanitised_ids():
    """The path and the body may spell the id differently."""
    assert load_update({"id": "A b"}, "a B!").id == "a-b"


def test_an_update_of_another_id_is_refused():
    """Naming both."""
    with pytest.raises(InvalidRequestError, match=r"'a'.* does not match .*'b'"):
        load_update({"id": "a"}, "b")


@pytest.mark.parametrize(
    "raw,where",
    [
        ({"attributes": {"x": {"required": {"match": {"script": 1}}}}}, "attributes.x.required.match.script"),
        ({"attributes": {"x": {"optional": {"deadline": 1.5}}}}, "attributes.x.optional.deadline"),
        ({"attributes": {"x": {"for_each": "yes"}}}, "attributes.x.for_each"),
        ({"attributes": {"x": []}}, "attributes.x"),
        ({"work_config": {"backoff_ms": "5"}}, "work_config.backoff_ms"),
        ({"flow": {"input_map": {"a": 1}}}, "flow.input_map.a"),
        ({"predicate": "x"}, "predicate"),
    ],
)
def test_a_fault_names_its_place(raw, where):
    """By the path from the top."""
    with pytest.raises(InvalidJSONError) as caught:
        load_step(raw)
    assert caught.value.where == where


# ---- old spellings (A1 to A8)


@pytest.mark.parametrize("old", ["backoff_ms", "backoff"])
def test_old_names_of_the_first_backoff(old):
    """Taken where the new one is not given; a given zero is given."""
    assert work({old: 5}) == WorkConfig(init_backoff_ms=5)
    assert work({old: 5, "init_backoff": 6}) == WorkConfig(init_backoff_ms=6)
    assert work({old: 5, "init_backoff": 0}) == WorkConfig()


def test_old_name_of_the_greatest_backoff():
    """The same for the other one."""
    assert work({"max_backoff_ms": 5}) == WorkConfig(max_backoff_ms=5)
    assert work({"max_backoff_ms": 5, "max_backoff": 6}) == WorkConfig(max_backoff_ms=6)


@pytest.mark.parametrize(
    "old,new",
    [
        ({"role": "optional", "default": '"d"'}, {"role": "optional", "optional": {"default": '"d"'}}),
        ({"role": "const", "default": '"d"'}, {"role": "const", "const": {"value": '"d"'}}),
        ({"role": "required", "for_each": True}, {"role": "required", "required": {"for_each": True}}),
        ({"role": "optional", "for_each": True}, {"role": "optional", "optional": {"for_each": True}}),
        ({"role": "required", "mapping": {"name": "n"}}, {"role": "required", "required": {"mapping": {"name": "n"}}}),
        ({"role": "optional", "mapping": {"name": "n"}}, {"role": "optional", "optional": {"mapping": {"name": "n"}}}),
        ({"role": "output", "mapping": {"name": "n"}}, {"role": "output", "output": {"mapping": {"name": "n"}}}),
        ({"role": "optional", "timeout": 50}, {"role": "optional", "optional": {"deadline": 50}}),
        ({"role": "required", "for_each": False, "default": ""}, {"role": "required"}),
        ({"role": "required", "default": "1", "timeout": 5}, {"role": "required"}),
        (
            {"role": "optional", "default": "1", "timeout": 5, "optional": {"default": "2", "deadline": 0}},
            {"role": "optional", "optional": {"default": "2", "deadline": 0}},
        ),
        (
            {"role": "optional", "for_each": True, "optional": {"for_each": False}},
            {"role": "optional", "optional": {"for_each": False}},
        ),
    ],
)
def test_members_beside_the_role_move_into_its_settings(old, new):
    """Where the role knows them, and where the new place does not say otherwise."""
    assert spec(old) == spec(new)


def flow_step(flow):
    """A flow step with an input `i` and an output `o`."""
    attributes = {
        "i": {"role": "required", "required": {"collect": "last"}},
        "o": {"role": "output"},
        "p": {"role": "optional"},
    }
    return load_step({"type": "flow", "attributes": attributes, "flow": {"goals": ["g"], **flow}})


def test_maps_of_a_flow_step_become_inner_names():
    """Inputs by outer name, outputs by inner name; the maps themselves are gone."""
    step = step_to_json(flow_step({"input_map": {"i": "child_in", "p": "child_p"}, "output_map": {"child_out": "o"}}))
    assert step["flow"] == {"goals": ["g"]}
    assert step["attributes"] == {
        "i": {"role": "required", "required": {"collect": "last", "mapping": {"name": "child_in"}}},
        "o": {"role": "output", "output": {"mapping": {"name": "child_out"}}},
        "p": {"role": "optional", "optional": {"mapping": {"name": "child_p"}}},
    }


def test_an_inner_name_beats_the_map():
    """The new form wins."""
    attributes = {"i": {"role": "required", "required": {"mapping": {"name": "new"}}}}
    step = load_step({"attributes": attributes, "flow": {"input_map": {"i": "old"}}})
    assert step.attributes["i"].inner_name("i") == "new"


@pytest.mark.parametrize("flow", [{"input_map": {"gone": "x"}}, {"input_map": {"o": "x"}}, {"output_map": {"x": "i"}}])
def test_a_map_must_name_an_attribute_of_its_side(flow):
    """Dropping it silently would lose what was meant."""
    with pytest.raises(InvalidStepError, match=r"names no (input|output) attribute"):
        flow_step(flow)
