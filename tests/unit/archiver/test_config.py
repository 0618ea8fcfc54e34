# SPDX-License-Identifier: Apache-2.0
"""The variables of archiving: defaults, forms, refusals. Source: the contract, ops §1.4."""

from typing import Any

import pytest

from argyll_archiver.config import ArchiverConfig
from argyll_archiver.target import FileTarget, S3Target
from argyll_engine.errors import ConfigError

DOCUMENTED = {
    "ARCHIVE_BUCKET_URL": "s3://bucket-name",
    "ARCHIVE_PREFIX": "archived/",
    "ARCHIVE_MEMORY_PERCENT": "80",
    "ARCHIVE_MAX_AGE": "24h",
    "ARCHIVE_MEMORY_CHECK_INTERVAL": "5s",
    "ARCHIVE_SWEEP_INTERVAL": "1h",
    "ARCHIVE_LEASE_TIMEOUT": "15m",
    "ARCHIVE_PRESSURE_BATCH": "10",
    "ARCHIVE_SWEEP_BATCH": "100",
    "ARCHIVE_POLL_INTERVAL": "500ms",
}


def test_without_variables_nothing_is_archived() -> None:
    """Every default of the class is the default of its variable."""
    assert ArchiverConfig() == ArchiverConfig.from_env({})


def test_the_documented_settings_are_the_defaults() -> None:
    """But for the place, which has none."""
    expected = ArchiverConfig(target=S3Target(bucket="bucket-name"), prefix="archived/")
    assert expected == ArchiverConfig.from_env(DOCUMENTED)


@pytest.mark.parametrize(
    ("name", "text", "field", "expected"),
    [
        ("ARCHIVE_BUCKET_URL", "file:///srv", "target", FileTarget(directory="/srv")),
        ("ARCHIVE_PREFIX", "a/b", "prefix", "a/b/"),
        ("ARCHIVE_PREFIX", "/a/b/", "prefix", "a/b/"),
        ("ARCHIVE_PREFIX", "/", "prefix", ""),
        ("ARCHIVE_MEMORY_PERCENT", "72.5", "memory_percent", 72.5),
        ("ARCHIVE_MEMORY_PERCENT", "-1", "memory_percent", -1.0),
        ("ARCHIVE_MAX_AGE", "-1h", "max_age_seconds", -3_600.0),
        ("ARCHIVE_MAX_AGE", "1500h", "max_age_seconds", 5_400_000.0),
        ("ARCHIVE_MEMORY_CHECK_INTERVAL", "250ms", "memory_check_interval_seconds", 0.25),
        ("ARCHIVE_SWEEP_INTERVAL", "10m", "sweep_interval_seconds", 600.0),
        ("ARCHIVE_LEASE_TIMEOUT", "1m", "lease_timeout_seconds", 60.0),
        ("ARCHIVE_PRESSURE_BATCH", "7", "pressure_batch", 7),
        ("ARCHIVE_SWEEP_BATCH", "7", "sweep_batch", 7),
        ("ARCHIVE_POLL_INTERVAL", "1s", "poll_interval_seconds", 1.0),
        ("ARCHIVE_RETENTION", "8760h", "retention_seconds", 31_536_000.0),
        ("ARCHIVE_RETENTION", "-1h", "retention_seconds", -3_600.0),
    ],
)
def test_each_variable_reaches_its_field(name: str, text: str, field: str, expected: Any) -> None:
    """In the unit that the field's name says."""
    assert expected == getattr(ArchiverConfig.from_env({name: text}), field)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ARCHIVE_MEMORY_PERCENT", "much"),
        ("ARCHIVE_MEMORY_PERCENT", "nan"),
        ("ARCHIVE_MAX_AGE", "1d"),
        ("ARCHIVE_MEMORY_CHECK_INTERVAL", "0"),
        ("ARCHIVE_SWEEP_INTERVAL", "-1h"),
        ("ARCHIVE_LEASE_TIMEOUT", "15"),
        ("ARCHIVE_PRESSURE_BATCH", "0"),
        ("ARCHIVE_SWEEP_BATCH", "1.5"),
        ("ARCHIVE_POLL_INTERVAL", "0s"),
        ("ARCHIVE_RETENTION", "365d"),
        ("ARCHIVE_BUCKET_URL", "gs://b"),
    ],
)
def test_a_fault_names_variable_and_value(name: str, text: str) -> None:
    """One line each, whatever else is wrong."""
    with pytest.raises(ConfigError) as caught:
        ArchiverConfig.from_env({name: text, "ARCHIVE_PREFIX": "x"})
    assert [True] == [fault.startswith(f"{name}={text!r}: ") for fault in caught.value.faults]


def test_all_faults_are_told_at_once() -> None:
    """So that one start is enough to see them."""
    with pytest.raises(ConfigError) as caught:
        ArchiverConfig.from_env({"ARCHIVE_BUCKET_URL": "s3://b?x=1", "ARCHIVE_MAX_AGE": "old"})
    assert 2 == len(caught.value.faults)
