# SPDX-License-Identifier: Apache-2.0
"""Digests come back from their text as they were."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from argyll_engine.codec import digest_from_text, digest_to_text
from argyll_engine.errors import BrokenError
from argyll_engine.model.digest import FlowDigest
from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import FlowID

DIGEST = FlowDigest(
    flow_id=FlowID("order:ship:t+1"),
    status=FlowStatus.FAILED,
    created_at=datetime(2026, 1, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    completed_at=datetime(2026, 2, 1, tzinfo=UTC),
    deactivated_at=datetime(2026, 2, 1, 0, 0, 0, 1, tzinfo=UTC),
    labels={"team": "rot & blau", "größe": "\u2028"},
    error='step "x" failed',
    event_count=12,
    goals_sha256="0f" * 32,
    init_sha256="a1" * 32,
    object_key="archived/v1/2026-02-01/order:ship:t+1.json.gz",
    object_bytes=1_234,
)


@pytest.mark.parametrize(
    "digest",
    [DIGEST, replace(DIGEST, completed_at=None, labels={}, error="", object_key="", object_bytes=0)],
    ids=["full", "bare"],
)
def test_a_digest_comes_back_as_it_was(digest: FlowDigest) -> None:
    """To the microsecond, with every character."""
    assert digest == digest_from_text(digest_to_text(digest))


def test_a_digest_is_small() -> None:
    """There may be millions of them; most of this one is its key, its hashes and its labels."""
    assert len(digest_to_text(DIGEST)) < 350


@pytest.mark.parametrize("raw", [b"", b"{}", b"[2]", b"[1]", b"not", digest_to_text(DIGEST).replace(b"[1,", b"[2,", 1)])
def test_what_is_no_digest_is_broken(raw: bytes) -> None:
    """Never guessed at."""
    with pytest.raises(BrokenError, match="digest"):
        digest_from_text(raw)
