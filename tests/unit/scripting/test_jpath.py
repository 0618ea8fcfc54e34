# SPDX-License-Identifier: Apache-2.0
"""jpath: what texts select, and what is refused with a position. Source: the contract, scripts §4; RFC 9535."""

import json
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argyll_engine.errors import ScriptCompileError, ScriptRunError
from argyll_engine.model.attribute import ScriptConfig
from argyll_engine.scripting import ScriptRegistry
from argyll_engine.scripting.jpath import JpathLanguage
from argyll_engine.scripting.limits import ScriptLimits

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)

LANGUAGE = JpathLanguage(ScriptLimits(timeout_ms=5_000, memory_mb=64))
SCRIPTS = ScriptRegistry(timeout_ms=1_000, memory_mb=16)

NOT_FOUND = (False, None)


def jpath(text: str) -> ScriptConfig:
    """A jpath script."""
    return ScriptConfig(language="jpath", script=text)


def select(text: str, document: Any) -> Any:
    """The mapping of the document."""
    return LANGUAGE.compile(text).map(document)


def holds(text: str, document: Any) -> bool:
    """Whether the text matches in the document."""
    return LANGUAGE.compile(text).matches(document)


def refusal(text: str) -> str:
    """The error that the text is refused with."""
    with pytest.raises(ScriptCompileError) as caught:
        LANGUAGE.compile(text)
    return str(caught.value)


# ---- entry points ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "mapped"),
    [
        ("$.gone", NOT_FOUND),
        ("$.items[*]", (True, [1, {"a": 2}])),
        ("$.items[0]", (True, 1)),
        ("$.items[:1]", (True, 1)),
        ("$.items", (True, [1, {"a": 2}])),
        ("$.none", (True, None)),
        ("$.flag", (True, False)),
        ("$", (True, {"items": [1, {"a": 2}], "none": None, "flag": False})),
    ],
)
def test_a_mapping_collapses(text: str, mapped: object) -> None:
    """Nothing is not found, one match is itself, several are an array; null and false are matches."""
    assert mapped == select(text, {"items": [1, {"a": 2}], "none": None, "flag": False})


def test_all_entry_points_of_the_registry() -> None:
    """Each gives the program its own document, which for a predicate is the object of the arguments."""
    assert SCRIPTS.predicate(jpath("$.x == 1 && $.y"), ("x", "y", "z"), {"x": 1, "y": None})
    assert SCRIPTS.match(jpath("$[1] == 2"), [1, 2])
    assert (True, 3) == SCRIPTS.map_input(jpath("$.value"), ("value",), "value", {"value": 3})
    assert NOT_FOUND == SCRIPTS.map_input(jpath("$.gone"), ("a",), "a", {"value": 3})
    assert (True, {"value": 1, "b": 2}) == SCRIPTS.map_output(jpath("$.deep"), {"deep": {"value": 1, "b": 2}})
    assert NOT_FOUND == SCRIPTS.map_output(jpath("$.gone"), {"deep": 1})


def test_a_step_script_is_never_jpath() -> None:
    """What a step does needs a language with names."""
    with pytest.raises(ScriptCompileError, match=r"^script language not valid for a script step: jpath$"):
        SCRIPTS.run(jpath("$.x"), (), {})


def test_a_text_is_checked_whatever_the_names() -> None:
    """Names that no other language could take do not matter to jpath."""
    SCRIPTS.check(jpath("$.a"), ("user-id", "end"))
    with pytest.raises(ScriptCompileError, match=r"^jpath compile error: "):
        SCRIPTS.check(jpath("$["), ())


# ---- expressions at top level ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "document", "expected"),
    [
        ("$.order.total > 100", {"order": {"total": 101}}, True),
        ("$.order.total > 100", {"order": {"total": 100}}, False),
        ("@ > 10", {"a": 5, "b": 20}, True),
        ("@ > 10", {"a": 5}, False),
        ('@.status == "paid"', {"a": 1, "b": {"status": "paid"}}, True),
        ("!$.missing", {"a": 1}, True),
        ("!$.missing", {}, False),
        ("!$.missing", [], False),
        ('$ == "email"', "email", False),
        ("$", "email", True),
        ("length($.items) > 2", {"items": [1, 2, 3]}, True),
        ("match($.email, '.*@.*')", {"email": "a@b"}, True),
        ("$.a == 1 || $.b == 2 && $.c == 3", {"a": 1}, True),
        ("($.a == 1 || $.b == 2) && $.c == 3", {"a": 1}, False),
        ("!($.a == 1)", {"a": 1}, False),
    ],
)
def test_an_expression_filters_the_children_of_the_root(text: str, document: object, expected: bool) -> None:
    """It needs a child to hold for; `$` stays the root and `@` is each child."""
    assert expected == holds(text, document)


@pytest.mark.parametrize("text", ["$.a", "($.a)", "(($.a))", "( $.a )"])
def test_a_path_in_parentheses_is_the_path(text: str) -> None:
    """Redundant parentheses do not make it a filter."""
    assert (True, 7) == select(text, {"a": 7, "b": 8})


def test_a_mapping_by_an_expression() -> None:
    """It gives the children that the expression selects, in key order."""
    assert (True, ["x", 20]) == select("$.price > 10", {"price": 20, "name": "x"})


# ---- selection -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "document", "selected"),
    [
        ("$.*", {"b": 1, "é": 2, "B": 3, "\U0001f600": 4, "\uffff": 5}, [3, 1, 2, 5, 4]),
        ("$[?@ > 0]", {"b": 1, "a": 2}, [2, 1]),
        ("$..x", {"b": {"x": 1}, "a": {"x": {"x": 3}}, "x": 0}, [0, {"x": 3}, 3, 1]),
        ("$..*", {"b": [1], "a": {"d": 2, "c": 3}}, [{"d": 2, "c": 3}, [1], 3, 2, 1]),
        ("$..[0]", [[1, [2]], 3], [[1, [2]], 1, 2]),
        ("$['b','a','b']", {"a": 1, "b": 2}, [2, 1, 2]),
        ("$[1,:2]", [1, 2, 3], [2, 1, 2]),
        ("$[::-1]", [1, 2, 3], [3, 2, 1]),
        ("$[-2:]", [1, 2, 3], [2, 3]),
        ("$[?count($[?@ > 1, 0]) == 3]", [1, 2, 3], [1, 2, 3]),
        ("$..true", {"true": 1, "a": {"true": 2}}, [1, 2]),
        ("$[?@.a]", [{"a": None}, {"b": 1}, 1, {"a": False}], [{"a": None}, {"a": False}]),
        ("$[?@[?@ > 2]]", [[1], [3], [2, 4]], [[3], [2, 4]]),
        (
            "$[?value(@..id) == 2]",
            [{"id": 2}, {"id": 2, "a": {"id": 2}}, {"a": {"id": 2}}],
            [{"id": 2}, {"a": {"id": 2}}],
        ),
    ],
)
def test_order_of_matches(text: str, document: object, selected: list[object]) -> None:
    """Members come in ascending order of their keys' bytes, selectors as written, nodes before children."""
    assert (True, selected) == select(text, document)


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("$[::0]", [1, 2]),
        ("$[5]", [1]),
        ("$[-2]", [1]),
        ("$[0]", {"0": 1}),
        ("$['0']", [1]),
        ("$.a", "text"),
        ("$.*", "text"),
        ("$..*", 1),
    ],
)
def test_what_selects_nothing(text: str, document: object) -> None:
    """A selector that does not fit the value is no error."""
    assert NOT_FOUND == select(text, document)


@pytest.mark.parametrize("name", ["日本語", "😀", "naïve", "_x1", "true", "length"])
def test_names_after_a_dot(name: str) -> None:
    """Letters of all scripts are names, and no word is reserved."""
    assert (True, 1) == select(f"$.{name}", {name: 1})


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (r"$['it\'s']", "it's"),
        (r'$["\u00e9\n"]', "é\n"),
        (r"$['\ud83d\ude00']", "😀"),
        ("$['a\"b']", 'a"b'),
        (r"$['\u0000\'\u001F']", "\0'\x1f"),
        (r'$["\\u000a"]', r"\u000a"),
        (r'$["\\\u000a"]', "\\\n"),
    ],
)
def test_escapes_in_names(text: str, key: str) -> None:
    """Quoted names have the escapes of JSON."""
    assert (True, 1) == select(text, {key: 1})


def test_integers_stay_exact() -> None:
    """What a mapping passes on is the value itself, not a double."""
    assert (True, 2**63 + 1) == select("$.n", {"n": 2**63 + 1})


@given(JSON)
def test_values_pass_unchanged(value: object) -> None:
    """A value that a mapping selects is that value, of the same types, and equals itself."""
    found, mapped = select("$.v", {"v": value})
    assert (True, repr(value)) == (found, repr(mapped))
    assert holds("$.v == $.v", {"v": value})


# ---- comparison ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("1 == 1.0", True),
        ("1 == 1e0", True),
        ("-0 == 0", True),
        ("$.one == $.float", True),
        ("9007199254740993 == 9007199254740992", True),
        ("$.wide == 9007199254740992", True),
        ("$.huge > 1e308", True),
        ("true == 1", False),
        ("$.yes == 1", False),
        ("$.yes == true", True),
        ("false == 0", False),
        ("'1' == 1", False),
        ("null == false", False),
        ("$.gone == $.lost", True),
        ("$.gone != $.lost", False),
        ("$.gone == null", False),
        ("$.null == null", True),
        ("$.gone <= $.lost", True),
        ("$.gone < $.lost", False),
        ("'a' < 'b'", True),
        ("'\uffff' < '\U0001f600'", True),
        ("'a' < 1", False),
        ("false < true", False),
        ("null <= null", True),
        ("$.list == $.same", True),
        ("$.list == $.ones", False),
        ("$.object == $.turned", True),
        ("$.object != $.turned", False),
        ("2 >= 2 && 2 <= 2 && 2 > 1 && 1 < 2", True),
        ("length('é😀') == 2", True),
        ("length($.object) == 2", True),
        ("length($.one) == length($.gone)", True),
        ("count($.*) == 12", True),
        ("value($.list[*]) == 1", False),
        ("value($.same[:1]) == 1", True),
    ],
)
def test_comparisons(condition: str, expected: bool) -> None:
    """Numbers compare as doubles, all else only within its type, and what is absent equals only what is absent."""
    document = {
        "one": 1,
        "float": 1.0,
        "wide": 2**53 + 1,
        "huge": 10**400,
        "yes": True,
        "null": None,
        "list": [1, {"a": 2}],
        "same": [1.0, {"a": 2.0}],
        "ones": [True, {"a": 2}],
        "object": {"a": 1, "b": [None]},
        "turned": {"b": [None], "a": 1},
        "text": "x",
    }
    assert expected == holds(condition, document)


def test_deep_values_are_compared_without_recursion() -> None:
    """Nesting of documents does not use the stack."""
    deep: Any = 1
    for _ in range(50_000):
        deep = [deep]
    assert holds("$[0] == $[1]", [deep, deep])
    assert holds("count($..*) == 100002", [deep, deep])


# ---- regular expressions ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pattern", "matches", "found"),
    [
        ("abc", "b", False, True),
        ("abc", "a.c", True, True),
        ("abc", "a|abc", True, True),
        ("a\nb", "a.b", False, False),
        ("a\rb", "a.b", False, False),
        ("a\u2028b", "a.b", True, True),
        ("a\rb", "(?s)a.b", False, False),
        ("a\nb", "a[.\n]b", True, True),
        ("a.b", r"a\.b", True, True),
        ("axb", r"a\.b", False, False),
        ("a.b", r"a\Q.\Eb", True, True),
        ("axb", r"a\Q.\Eb", False, False),
        ("].", "[].]+", True, True),
        ("x", "[^].]", True, True),
        ("a.", "[[:alpha:].]+", True, True),
        ("é", r"\p{L}", True, True),
        ("", ".*", True, True),
        ("abc", "(", False, False),
        ("abc", "a(?=b)", False, False),
        ("aa", r"(a)\1", False, False),
        ("abc", "[", False, False),
        ("abc", "\\", False, False),
        ("\ud800", ".*", False, False),
    ],
)
def test_regular_expressions(text: str, pattern: str, matches: bool, found: bool) -> None:
    """RE2 syntax: `.` excludes CR and LF, `match` takes the whole text, an invalid pattern never matches."""
    document = {"t": text, "p": pattern}
    assert (matches, found) == (holds("match($.t, $.p)", document), holds("search($.t, $.p)", document))


def test_regular_expressions_of_what_is_no_string() -> None:
    """Only strings match, and only strings are patterns."""
    document = {"n": 1, "s": "1", "list": ["1"]}
    texts = ("match($.n, '1')", "match($.s, $.n)", "search($.gone, '1')", "search($.list, '1')")
    assert [False] * 4 == [holds(text, document) for text in texts]


def test_a_catastrophic_pattern_is_harmless() -> None:
    """What takes exponential time elsewhere is linear here."""
    assert not SCRIPTS.match(jpath("search($.t, '^(x+x+)+y')"), {"t": "x" * 100_000})


def test_a_pattern_that_needs_too_long_is_not_begun() -> None:
    """One search cannot be stopped, so its cost is estimated first."""
    language = JpathLanguage(ScriptLimits(timeout_ms=1, memory_mb=16))
    program = language.compile("search($.t, '(a|b)*a(a|b){900}c')")
    with pytest.raises(ScriptRunError, match=r"^script exceeded its time limit of 1 ms$"):
        program.matches({"t": "ab" * 100_000})


# ---- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("", 1),
        (" $.a", 1),
        ("\u00a0$.a", 1),
        ("$.a ", 4),
        ("$.a\n", 4),
        ("foo.bar", 1),
        ("not a path", 1),
        ("$[", 3),
        ("$..[", 5),
        ("$.", 3),
        ("$..", 4),
        ("$. a", 3),
        ("$.a-b", 4),
        ("$[a]", 3),
        ("$['a", 3),
        ("$[01]", 3),
        ("$[-0]", 3),
        ("$[9007199254740992]", 3),
        ("$[1:2:3:4]", 8),
        ("$.a]", 5),
        ("$.a > ", 6),
        ("$.a > 1 2", 9),
        ("$.a >", 6),
        ("$.a = 1", 5),
        ("$.a <> 1", 5),
        ("$.a + 1", 5),
        ("$.a == 01", 8),
        ("$.a == .5", 8),
        ("$.a == 1e999", 8),
        ("$.a == True", 8),
        ("$.a == -01", 8),
        ("$.a == 'x", 8),
        ("$.a == $.b[*]", 5),
        ("$.a && 1", 5),
        ("!true", 1),
        ("true", 1),
        ("1", 1),
        ("'a'", 1),
        ("length($.a)", 1),
        ("!length($.a)", 1),
        ("$.a || count($.b)", 5),
        ("match($.a, 'x') == true", 17),
        ("1 == 1 == true", 3),
        ("!$.a == 1", 6),
        ("keys($.a) == 1", 1),
        ("length($.a, $.b) == 1", 1),
        ("count(1) == 1", 1),
        ("$.a[(@.length-1)]", 5),
        ("$.a.^", 5),
        ("@.a] || $[?@.b", 6),
        ("(@.a", 1),
        ("@.a)", 4),
    ],
)
def test_texts_that_are_refused(text: str, column: int) -> None:
    """What is neither a query nor an expression is refused, with the place where that shows."""
    message = refusal(text)
    assert message.startswith("jpath compile error: ")
    assert message.endswith(f" at line 1, column {column}")
    assert "TOKEN" not in message


@pytest.mark.parametrize("text", ["@.a][?@.b", "@.a, @.b", "@.a, 0", "@.a]..[?@.b", "@.a, ?@.b", "@.a].b[?@.c"])
def test_an_expression_stays_in_its_brackets(text: str) -> None:
    """A text that closes the brackets put around it is no expression."""
    assert refusal(text).startswith("jpath compile error: ")


def test_a_position_on_a_later_line() -> None:
    """Lines count from one."""
    assert refusal("$.a == 1 &&\n  $.b == ?").endswith(" at line 2, column 10")


# ---- programs ---------------------------------------------------------------------------------


def test_a_program_is_shared_by_threads() -> None:
    """Runs of one program do not see each other."""
    program = LANGUAGE.compile("$[?@.n == $.only]..v")
    results: dict[int, object] = {}

    def work(number: int) -> None:
        document = {"only": number, "a": {"n": number, "v": number}, "b": {"n": -1, "v": -1}}
        results[number] = [program.map(document) for _ in range(200)]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {number: [(True, number)] * 200 for number in range(8)} == results


def test_the_document_is_left_as_it_was() -> None:
    """Key order is one of visits; the document keeps its own."""
    document = {"b": 1, "a": {"d": 1, "c": 2}}
    before = json.dumps(document)
    select("$..*", document)
    assert before == json.dumps(document)
