# SPDX-License-Identifier: Apache-2.0
"""What can be set, and reading URLs."""

import pytest

from argyll_engine.transport.clients import open_client
from argyll_engine.transport.options import Options, redis_url, safe_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis-streams://host:1/2", "redis://host:1/2"),
        ("rediss-streams://:p@host/0", "rediss://:p@host/0"),
        ("redis-streams+unix:///tmp/x.sock?db=1", "unix:///tmp/x.sock?db=1"),
        ("unix:///tmp/x.sock", "unix:///tmp/x.sock"),
        ("redis-streams+socket:///tmp/x.sock", "unix:///tmp/x.sock"),
        ("redis-streams+sentinel://a:1,b:2/main/0", "sentinel://a:1,b:2/main/0"),
        ("redis-streams://", "redis://localhost:6379"),
        ("", "redis://localhost:6379"),
    ],
)
def test_urls_are_translated(url: str, expected: str) -> None:
    """Each form of the broker's URL becomes one that redis-py takes."""
    assert expected == redis_url(url)


def test_passwords_are_hidden() -> None:
    """What Celery prints when it starts has no password."""
    assert "redis-streams://:**@host:1/0" == safe_url("redis-streams://:secret@host:1/0", "**")
    assert "redis-streams://host:1/0" == safe_url("redis-streams://host:1/0", "**")


def test_clients_are_opened_without_connecting() -> None:
    """Each kind of URL gives a client, with its database and password."""
    tcp = open_client("redis-streams://:secret@nowhere:1/3", Options()).connection_pool.connection_kwargs
    assert ("nowhere", 1, 3, "secret") == (tcp["host"], tcp["port"], tcp["db"], tcp["password"])
    unix = open_client("redis-streams+unix:///none.sock?db=2", Options()).connection_pool.connection_kwargs
    assert ("/none.sock", 2) == (unix["path"], unix["db"])
    sentinel = open_client("redis-streams+sentinel://:pw@a:1,b/main/4", Options()).connection_pool
    assert ("main", 4, "pw") == (
        sentinel.service_name,
        sentinel.connection_kwargs["db"],
        sentinel.connection_kwargs["password"],
    )


def test_options_of_other_transports_are_left_alone() -> None:
    """Only what this transport knows is taken, the rest has its default."""
    options = Options.of({"visibility_timeout": 5, "fanout_patterns": True, "read_size": None})
    assert (5, 128, 5000) == (options.visibility_timeout, options.read_size, options.lease_ms)


@pytest.mark.parametrize(
    "options", [{"visibility_timeout": 0}, {"read_size": 0}, {"priority_steps": []}, {"priority_steps": [3, 0]}]
)
def test_options_out_of_range_are_refused(options: dict[str, object]) -> None:
    """A setting that cannot work is said to be wrong at start."""
    with pytest.raises(ValueError, match="broker_transport_options"):
        Options.of(options)


@pytest.mark.parametrize(("visibility", "tick"), [(3, 1), (15, 5), (3600, 5)])
def test_signs_of_life_are_frequent(visibility: float, tick: float) -> None:
    """Three in each lease, and one every five seconds at least."""
    assert tick == Options(visibility_timeout=visibility).tick_seconds
