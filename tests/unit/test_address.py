# SPDX-License-Identifier: Apache-2.0
"""One Redis address, as each library wants to hear it."""

import pytest

from argyll_engine.address import RedisConfig, Sentinels, redact


@pytest.mark.parametrize(
    ("config", "url", "broker_url"),
    [
        (RedisConfig(addr="h:1"), "redis://h:1/0", "redis://h:1/0"),
        (RedisConfig(addr="[::1]:1", db=2), "redis://[::1]:1/2", "redis://[::1]:1/2"),
        (RedisConfig(addr="h:1", password="p@/:", db=3), "redis://:p%40%2F%3A@h:1/3", "redis://:p%40%2F%3A@h:1/3"),
        (RedisConfig(addr="h:1", user="u@", password="p"), "redis://u%40:p@h:1/0", "redis://u%40:p@h:1/0"),
        (
            RedisConfig(addr="rediss://h:1", ca_path="/a b/ca.pem", cert_path="/c.pem", key_path="/k.pem"),
            "rediss://h:1/0?ssl_ca_certs=/a%20b/ca.pem&ssl_certfile=/c.pem&ssl_keyfile=/k.pem",
            "rediss://h:1/0?ssl_ca_certs=/a%20b/ca.pem&ssl_certfile=/c.pem&ssl_keyfile=/k.pem&ssl_cert_reqs=required",
        ),
        (
            RedisConfig(addr="redis+sentinel://a:1/main", user="u", password="p"),
            "redis+sentinel://a:1/main",
            "sentinel://u:p@a:1/0",
        ),
        (RedisConfig(addr="redis://u:q@h:1/5", password="p", db=3), "redis://u:q@h:1/5", "redis://u:q@h:1/5"),
        (RedisConfig(addr="redis://h:1", password="p", db=3), "redis://:p@h:1/3", "redis://:p@h:1/3"),
        (RedisConfig(addr="rediss://h:1"), "rediss://h:1/0", "rediss://h:1/0?ssl_cert_reqs=required"),
        (
            RedisConfig(addr="rediss://h:1?ssl_cert_reqs=none"),
            "rediss://h:1/0?ssl_cert_reqs=none",
            "rediss://h:1/0?ssl_cert_reqs=none",
        ),
        (RedisConfig(addr="unix:///a/r.sock"), "unix:///a/r.sock?db=0", "redis+socket:///a/r.sock?virtual_host=0"),
        (
            RedisConfig(addr="unix:///a/r.sock", password="p", db=4),
            "unix://:p@/a/r.sock?db=4",
            "redis+socket://:p@/a/r.sock?virtual_host=4",
        ),
        (
            RedisConfig(addr="unix:///a/r.sock?db=7"),
            "unix:///a/r.sock?db=7",
            "redis+socket:///a/r.sock?virtual_host=7",
        ),
        (
            RedisConfig(addr="redis+sentinel://:p@a:1,b/main/2"),
            "redis+sentinel://:p@a:1,b/main/2",
            "sentinel://:p@a:1/2;sentinel://:p@b:26379/2",
        ),
    ],
)
def test_an_address_is_rendered_for_redis_py_and_for_celery(config: RedisConfig, url: str, broker_url: str) -> None:
    """Password and database go where the address has none; each library gets its own notation."""
    assert (url, broker_url) == (config.url(), config.broker_url())


def test_a_sentinel_address_has_its_parts() -> None:
    """Hosts (with the default port), the primary's name, database and password are read from the URL."""
    config = RedisConfig(addr="redis+sentinel://:p%40@a:1,b/main", db=3)
    expected = Sentinels(hosts=(("a", 1), ("b", 26379)), primary="main", db=3, password="p@")
    assert (expected, {"master_name": "main"}) == (config.sentinels(), config.broker_options())


def test_other_addresses_have_no_sentinels() -> None:
    """A plain address needs no transport options."""
    assert (None, {}) == (RedisConfig(addr="h:1").sentinels(), RedisConfig(addr="h:1").broker_options())


@pytest.mark.parametrize("addr", ["redis://:s3cret@h:1", "unix://:s3cret@/a.sock", "redis+sentinel://:s3cret@a/m"])
def test_no_representation_shows_a_password(addr: str) -> None:
    """Neither the field's password nor one inside the address is printed."""
    config = RedisConfig(addr=addr, password="s3cret")
    assert [False] * 3 == ["s3cret" in text for text in (repr(config), str(config.sentinels()), config.where())]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://:p@h/0", "redis://:***@h/0"),
        ("two redis://u:p@h and amqp://u:q@g//", "two redis://u:***@h and amqp://u:***@g//"),
        ("redis+socket:///a?virtual_host=0&password=p&x=1", "redis+socket:///a?virtual_host=0&password=***&x=1"),
        ("http://h:80/a@b", "http://h:80/a@b"),
        ("mail a@b.c at 10:00", "mail a@b.c at 10:00"),
    ],
)
def test_passwords_are_removed_from_any_text(text: str, expected: str) -> None:
    """Only the password of a URL is replaced; everything else stays."""
    assert expected == redact(text)
