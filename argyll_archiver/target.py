# SPDX-License-Identifier: Apache-2.0
"""Where archives go, as a value: the text of ARCHIVE_BUCKET_URL, read and checked. Opens nothing.

Called by `config.py`; `sinks/` turns the values into connections. Whatever is not known is refused by its name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final, TypeAlias
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

_TEXTS: Final = ("region", "endpoint", "profile", "ssetype", "kmskeyid", "storage_class")
_SWITCHES: Final = ("use_path_style", "hostname_immutable", "disable_https", "anonymous", "dualstack", "fips")
_ALIASES: Final = MappingProxyType({"s3ForcePathStyle": "use_path_style"})
_BOOLEANS: Final = MappingProxyType({"true": True, "1": True, "false": False, "0": False})
_ENCRYPTIONS: Final = ("AES256", "aws:kms", "aws:kms:dsse")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTarget:
    """A directory of this machine, as an absolute path."""

    directory: str


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Target:
    """A bucket of any store that speaks S3. Credentials are those of the usual AWS chain, unless `anonymous`.

    Args:
        region, endpoint, profile, ssetype, kmskeyid, storage_class: Empty for the store's own default.
        use_path_style: The bucket stands in the path instead of the host name.
        hostname_immutable: The endpoint's host is used as it is; so the bucket stands in the path here too.
    """

    bucket: str
    region: str = ""
    endpoint: str = field(default="", repr=False)
    profile: str = ""
    ssetype: str = ""
    kmskeyid: str = ""
    storage_class: str = ""
    use_path_style: bool = False
    hostname_immutable: bool = False
    disable_https: bool = False
    anonymous: bool = False
    dualstack: bool = False
    fips: bool = False


Target: TypeAlias = FileTarget | S3Target


def parse_target(url: str) -> Target:
    """The place that a URL `s3://bucket?option=value` or `file:///directory` names.

    Raises:
        ValueError: Another scheme, an unknown option, or a value that its option does not take; the text says which.

    Source: the contract, ops §2.7.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        return _file_target(parts)
    if parts.scheme == "s3":
        return _s3_target(parts)
    raise ValueError(f"scheme {parts.scheme!r} is not supported, only s3:// and file:/// are")


def target_text(target: Target) -> str:
    """A URL that names the same place, with the options that are needed to reach it."""
    if isinstance(target, FileTarget):
        return f"file://{quote(target.directory)}"
    options = {name: getattr(target, name) for name in _TEXTS if getattr(target, name)}
    options |= {name: "true" for name in _SWITCHES if getattr(target, name)}
    return f"s3://{target.bucket}" + (f"?{urlencode(options)}" if options else "")


def is_same_place(one: Target, other: Target) -> bool:
    """Whether two targets hold the same objects, however they are reached."""
    if isinstance(one, S3Target) and isinstance(other, S3Target):
        return (one.bucket, one.endpoint) == (other.bucket, other.endpoint)
    return one == other


def _file_target(parts: SplitResult) -> FileTarget:
    if parts.netloc:
        raise ValueError(f"file:// takes no host, and {parts.netloc!r} is one: write file:///directory")
    if parts.query or parts.fragment:
        raise ValueError("file:/// takes no options")
    path = PurePosixPath(unquote(parts.path))
    if not path.is_absolute():
        raise ValueError("file:/// needs an absolute path")
    return FileTarget(directory=str(path))


def _s3_target(parts: SplitResult) -> S3Target:
    if not parts.netloc or "@" in parts.netloc or ":" in parts.netloc or parts.path.strip("/") or parts.fragment:
        raise ValueError("s3:// takes a bucket's name and options; ARCHIVE_PREFIX is for what comes before the keys")
    options = _options(parse_qsl(parts.query, keep_blank_values=True))
    texts = {name: value for name, value in options.items() if name in _TEXTS}
    switches = {name: _boolean(name, value) for name, value in options.items() if name in _SWITCHES}
    target = S3Target(bucket=parts.netloc, **texts, **switches)  # type: ignore[arg-type]
    _check(target)
    return target


def _options(pairs: list[tuple[str, str]]) -> Mapping[str, str]:
    options: dict[str, str] = {}
    for written, value in pairs:
        name = _ALIASES.get(written, written)
        if name not in _TEXTS + _SWITCHES:
            raise ValueError(f"option {written!r} is not known; known are {', '.join(sorted(_TEXTS + _SWITCHES))}")
        if name in options:
            raise ValueError(f"option {written!r} is given twice")
        options[name] = value
    return options


def _boolean(name: str, value: str) -> bool:
    if value.lower() not in _BOOLEANS:
        raise ValueError(f"option {name!r} must be true or false, not {value!r}")
    return _BOOLEANS[value.lower()]


def _check(target: S3Target) -> None:
    endpoint = urlsplit(target.endpoint)
    if target.endpoint and (endpoint.scheme not in ("http", "https") or not endpoint.hostname):
        raise ValueError("option 'endpoint' must be an http:// or https:// URL")
    if target.ssetype and target.ssetype not in _ENCRYPTIONS:
        raise ValueError(f"option 'ssetype' must be one of {', '.join(_ENCRYPTIONS)}, not {target.ssetype!r}")
    if target.kmskeyid and not target.ssetype.startswith("aws:kms"):
        raise ValueError("option 'kmskeyid' needs ssetype=aws:kms")
