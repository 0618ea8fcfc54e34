# SPDX-License-Identifier: Apache-2.0
"""Where a Redis is and how each library wants to hear it: for redis-py, for Celery's transport, for people.

Nothing is connected here; `store/connect.py` does that. Called by `config.py`, the composition roots and
`log.py`.
"""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, quote, unquote, urlsplit

SCHEMES: Final = ("redis", "rediss", "unix", "redis+sentinel")
DEFAULT_SENTINEL_PORT: Final = 26379

_HOST_PORT: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s\[\]:/@,;]+):(?P<port>[0-9]{1,5})")
_USERINFO: Final = re.compile(r"(?<=://)(?P<user>[^\s:@/'\"]*):[^\s@/'\"]+@")
_SECRET_QUERY: Final = re.compile(r"(?i)([?&](?:password|secret|token)=)[^&\s'\"]+")


def redact(text: str) -> str:
    """The text with every password inside a URL replaced by `***`."""
    return _SECRET_QUERY.sub(r"\1***", _USERINFO.sub(r"\g<user>:***@", text))


def parse_address(text: str) -> str:
    """The address itself, once it is known to be one.

    Raises:
        ValueError: It is neither `host:port` nor a URL of `SCHEMES`, or it is several addresses.
    """
    if "://" not in text:
        return _checked_host_port(text)
    parts = urlsplit(text)
    if parts.scheme not in SCHEMES:
        raise ValueError(f"unknown scheme {parts.scheme!r}")
    if parts.scheme == "unix":
        if not parts.path.startswith("/"):
            raise ValueError("a unix address needs an absolute path")
        return text
    hosts = parts.netloc.rpartition("@")[2].split(",")
    if parts.scheme == "redis+sentinel":
        if not parts.path.strip("/"):
            raise ValueError("a sentinel address needs the name of its primary")
    elif len(hosts) > 1:
        raise ValueError("one address only")
    for host in hosts:
        _checked_host_port(host if _has_port(host) else f"{host}:6379")
    return text


def _has_port(host: str) -> bool:
    return ":" in host.rpartition("]")[2]


def _checked_host_port(text: str) -> str:
    match = _HOST_PORT.fullmatch(text)
    if match is None or not 1 <= int(match["port"]) <= 65_535:
        raise ValueError("neither host:port nor a Redis URL")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentinels:
    """The watchers of a replicated Redis, and the name under which they know its primary."""

    hosts: tuple[tuple[str, int], ...]
    primary: str
    db: int
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisConfig:
    """One Redis: `addr` is `host:port` or a URL of `SCHEMES`, which wins over `password` and `db`."""

    addr: str = "localhost:6379"
    password: str = field(default="", repr=False)
    db: int = 0
    prefix: str = "argyll"

    def __repr__(self) -> str:
        """The address without its passwords."""
        return f"RedisConfig(addr={redact(self.addr)!r}, db={self.db}, prefix={self.prefix!r})"

    def url(self) -> str:
        """The URL for redis-py. A `redis+sentinel` address stays as it is: see `sentinels()`."""
        parts = self._split()
        if parts.scheme == "redis+sentinel":
            return self.addr
        netloc = self._netloc(parts)
        if parts.scheme == "unix":
            return f"unix://{netloc}{parts.path}?{_with_query(parts.query, 'db', self.db)}"
        return f"{parts.scheme}://{netloc}{self._db_path(parts)}{_question(parts.query)}"

    def broker_url(self) -> str:
        """The URL by which Celery's Redis transport reaches the same Redis.

        Source: kombu, `kombu/transport/redis.py` ("Connection String" in its module docstring).
        """
        parts = self._split()
        sentinels = self.sentinels()
        if sentinels is not None:
            user = f":{quote(sentinels.password, safe='')}@" if sentinels.password else ""
            return ";".join(f"sentinel://{user}{host}:{port}/{sentinels.db}" for host, port in sentinels.hosts)
        if parts.scheme == "unix":
            db = dict(pair.partition("=")[::2] for pair in parts.query.split("&")).get("db", self.db)
            return f"redis+socket://{self._netloc(parts)}{parts.path}?virtual_host={db}"
        if parts.scheme == "rediss":
            # Kombu would not look at the certificate unless told to; redis-py does by default.
            query = _with_query(parts.query, "ssl_cert_reqs", "required")
            return f"rediss://{self._netloc(parts)}{self._db_path(parts)}?{query}"
        return self.url()

    def streams_url(self) -> str:
        """The URL by which our own transport reaches the same Redis."""
        sentinels = self.sentinels()
        if sentinels is not None:
            user = f":{quote(sentinels.password, safe='')}@" if sentinels.password else ""
            hosts = ",".join(f"{host}:{port}" for host, port in sentinels.hosts)
            return f"redis-streams+sentinel://{user}{hosts}/{sentinels.primary}/{sentinels.db}"
        scheme, _, rest = self.url().partition("://")
        return f"redis-streams+unix://{rest}" if scheme == "unix" else f"{scheme}-streams://{rest}"

    def broker_options(self) -> dict[str, str]:
        """What Celery's `broker_transport_options` need beside `broker_url()`: a primary's name."""
        sentinels = self.sentinels()
        return {} if sentinels is None else {"master_name": sentinels.primary}

    def sentinels(self) -> Sentinels | None:
        """The parts of `redis+sentinel://[:password@]host:port,host:port/primary[/db]`, else None."""
        parts = self._split()
        if parts.scheme != "redis+sentinel":
            return None
        user, _, hosts = parts.netloc.rpartition("@")
        primary, _, db = parts.path.strip("/").partition("/")
        return Sentinels(
            hosts=tuple(_host_and_port(host) for host in hosts.split(",")),
            primary=primary,
            db=int(db) if db.isdecimal() else self.db,
            password=unquote(user.partition(":")[2]) or self.password,
        )

    def where(self) -> str:
        """The address for people and logs: no password."""
        return redact(self.addr)

    def _split(self) -> SplitResult:
        return urlsplit(self.addr if "://" in self.addr else f"redis://{self.addr}")

    def _netloc(self, parts: SplitResult) -> str:
        if "@" in parts.netloc or not self.password:
            return parts.netloc
        return f":{quote(self.password, safe='')}@{parts.netloc}"

    def _db_path(self, parts: SplitResult) -> str:
        return parts.path if parts.path.strip("/") else f"/{self.db}"


def _host_and_port(text: str) -> tuple[str, int]:
    if not _has_port(text):
        return text, DEFAULT_SENTINEL_PORT
    host, _, port = text.rpartition(":")
    return host, int(port)


def _question(query: str) -> str:
    return f"?{query}" if query else ""


def _with_query(query: str, name: str, value: object) -> str:
    if any(pair.startswith(f"{name}=") for pair in query.split("&")):
        return query
    return "&".join(filter(None, (query, f"{name}={value}")))
