# SPDX-License-Identifier: Apache-2.0
"""Keys are built in one file, and every one of them is documented."""

import inspect
import re
from pathlib import Path

from argyll_engine.store.keys import Keys

ROOT = Path(__file__).parents[2]
STORE = ROOT / "argyll_engine" / "store"
ROW = re.compile(r"^\| `(?P<key>\{p\}:[^`]+)` \| `(?P<builder>\w+)` \|", re.MULTILINE)
QUOTED_KEY = re.compile(r"""["'][^"'\n]*(?:\{\{|:events|:snapshot|:claims|idx:|lease:)[^"'\n]*["']""")


def _documented() -> dict[str, str]:
    text = (ROOT / "docs" / "redis-keys.md").read_text("utf-8")
    return {row["builder"]: row["key"] for row in ROW.finditer(text)}


def _built(builder: str) -> str:
    """The key that a builder makes of placeholders, without the store's tag."""
    method = getattr(Keys("p"), builder)
    names = list(inspect.signature(method).parameters)
    values = {"stream_id": ("flow", "<id>")}
    return str(method(*(values.get(name, f"<{name}>") for name in names)))


def test_every_key_is_documented() -> None:
    """Each builder of keys has its row, and each row its builder."""
    builders = {name for name, _ in inspect.getmembers(Keys, inspect.isfunction) if not name.startswith("_")}
    assert builders == set(_documented())


def test_documented_keys_are_those_that_are_built() -> None:
    """The pattern on the page is what the builder makes of its arguments."""
    documented = {builder: key.replace("<aggregate>", "flow:<id>") for builder, key in _documented().items()}
    assert documented == {builder: _built(builder) for builder in documented}


def test_no_other_file_of_the_store_spells_a_key() -> None:
    """Keys come from `keys.py`; scripts get theirs as KEYS."""
    files = [path for path in (*STORE.glob("*.py"), *STORE.glob("lua/*.lua")) if path.name != "keys.py"]
    found = {path.name: QUOTED_KEY.findall(path.read_text("utf-8")) for path in files}
    assert {name: texts for name, texts in found.items() if texts} == {}
