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
DEFAULT_PORT: Final = 6379

_HOST_PORT: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s\[\]:/@,;]+):(?P<port>[0-9]{1,5})")
_USERINFO: Final = re.compile(r"(?<=://)(?P<user>[^\s:@/'\"]*):[^\s/'\"]+@")
_RAW_USERINFO: Final = re.compile(r"(?<=://)(?P<user>[^:@]*):.*@", re.DOTALL)
_SECRET_QUERY: Final = re.compile(r"(?i)([?&](?:password|secret|token)=)[^&\s'\"]+")


def redact(text: str) -> str:
    """The text with every password inside a URL replaced by `***`."""
    return _SECRET_QUERY.sub(r"\1***", _USERINFO.sub(r"\g<user>:***@", text))


def redact_url(url: str) -> str:
    """A text that is a URL as a whole, without its password, whatever signs that has and whether it is a sound URL."""
    return redact(_RAW_USERINFO.sub(r"\g<user>:***@", url))


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


def parse_addresses(text: str) -> str:
    """The text itself, once every address in it is known to be one; see `split_addresses`. Raises ValueError."""
    for address in split_addresses(text):
        parse_address(address)
    return text


def split_addresses(text: str) -> tuple[str, ...]:
    """The addresses of a text that has several, separated by commas.

    A comma may also be part of an address: between the hosts of sentinels, in a path, in a password. So it separates
    only where an address begins after it, and the one before it is not a list of sentinels that goes on.
    """
    addresses: list[str] = []
    for piece in text.split(","):
        if addresses and not (_begins_address(piece.strip()) and _is_whole(addresses[-1])):
            addresses[-1] += f",{piece}"
        else:
            addresses.append(piece)
    return tuple(address.strip() for address in addresses)


def _begins_address(piece: str) -> bool:
    return "://" in piece or _HOST_PORT.fullmatch(piece) is not None


def _is_whole(address: str) -> bool:
    scheme, _, rest = address.strip().partition("://")
    return scheme != "redis+sentinel" or "/" in rest


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
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def userinfo(self) -> str:
        """User and password as they stand in a URL, with the `@` after them; empty without a password."""
        return f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@" if self.password else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisConfig:
    """One Redis: `addr` is `host:port` or a URL of `SCHEMES`, which wins over `user`, `password` and `db`.

    The paths are those of PEM files for TLS, which `rediss://` asks for; empty ones are left to the libraries.
    """

    addr: str = "localhost:6379"
    user: str = ""
    password: str = field(default="", repr=False)
    db: int = 0
    prefix: str = "argyll"
    ca_path: str = ""
    cert_path: str = ""
    key_path: str = ""

    def __repr__(self) -> str:
        """The address without its passwords."""
        return f"RedisConfig(addr={self.where()!r}, db={self.db}, prefix={self.prefix!r})"

    def url(self) -> str:
        """The URL for redis-py. A `redis+sentinel` address stays as it is: see `sentinels()`."""
        parts = self._split()
        if parts.scheme == "redis+sentinel":
            return self.addr
        netloc = self._netloc(parts)
        if parts.scheme == "unix":
            return f"unix://{netloc}{parts.path}?{_with_query(parts.query, 'db', self.db)}"
        return f"{parts.scheme}://{netloc}{self._db_path(parts)}{_question(self._tls_query(parts))}"

    def broker_url(self) -> str:
        """The URL by which Celery's Redis transport reaches the same Redis.

        Source: kombu, `kombu/transport/redis.py` ("Connection String" in its module docstring).
        """
        parts = self._split()
        sentinels = self.sentinels()
        if sentinels is not None:
            user = sentinels.userinfo
            return ";".join(f"sentinel://{user}{host}:{port}/{sentinels.db}" for host, port in sentinels.hosts)
        if parts.scheme == "unix":
            return f"redis+socket://{self._netloc(parts)}{parts.path}?virtual_host={self._socket_db(parts)}"
        if parts.scheme == "rediss":
            # Kombu would not look at the certificate unless told to; redis-py does by default.
            query = _with_query(self._tls_query(parts), "ssl_cert_reqs", "required")
            return f"rediss://{self._netloc(parts)}{self._db_path(parts)}?{query}"
        return self.url()

    def streams_url(self) -> str:
        """The URL by which our own transport reaches the same Redis."""
        sentinels = self.sentinels()
        if sentinels is not None:
            hosts = ",".join(f"{host}:{port}" for host, port in sentinels.hosts)
            return f"redis-streams+sentinel://{sentinels.userinfo}{hosts}/{sentinels.primary}/{sentinels.db}"
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
        userinfo, _, hosts = parts.netloc.rpartition("@")
        user, _, password = userinfo.partition(":")
        primary, _, db = parts.path.strip("/").partition("/")
        return Sentinels(
            hosts=tuple(_host_and_port(host) for host in hosts.split(",")),
            primary=primary,
            db=int(db) if db.isdecimal() else self.db,
            user=unquote(user) or self.user,
            password=unquote(password) or self.password,
        )

    def where(self) -> str:
        """The address for people and logs: no password."""
        return redact_url(self.addr)

    def identity(self) -> str:
        """What stays the same while it is the same Redis: host, port and database, however they are spelled."""
        parts, sentinels = self._split(), self.sentinels()
        if sentinels is not None:
            hosts = ",".join(sorted(f"{host}:{port}" for host, port in sentinels.hosts))
            return f"{hosts}/{sentinels.primary}/{sentinels.db}"
        if parts.scheme == "unix":
            return f"{parts.path}?db={self._socket_db(parts)}"
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{host}:{parts.port or DEFAULT_PORT}/{parts.path.strip('/') or self.db}"

    def _split(self) -> SplitResult:
        return urlsplit(self.addr if "://" in self.addr else f"redis://{self.addr}")

    @property
    def is_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self._split().scheme == "rediss"

    @property
    def secrets(self) -> tuple[str, ...]:
        """The passwords, as they are and as they stand in the address."""
        written = self._split().netloc.rpartition("@")[0].partition(":")[2]
        return tuple(filter(None, {self.password, written, unquote(written)}))

    def _netloc(self, parts: SplitResult) -> str:
        if "@" in parts.netloc or not (self.user or self.password):
            return parts.netloc
        return f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@{parts.netloc}"

    def _tls_query(self, parts: SplitResult) -> str:
        """The query, with the files for TLS as redis-py and kombu both read them."""
        query = parts.query
        if parts.scheme == "rediss":
            files = {"ssl_ca_certs": self.ca_path, "ssl_certfile": self.cert_path, "ssl_keyfile": self.key_path}
            for name, path in files.items():
                query = _with_query(query, name, quote(path)) if path else query
        return query

    def _socket_db(self, parts: SplitResult) -> str:
        return dict(pair.partition("=")[::2] for pair in parts.query.split("&")).get("db", str(self.db))

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
