# SPDX-License-Identifier: Apache-2.0
"""A Celery transport over Redis Streams, for any Celery application: `redis-streams://`, `rediss-streams://`.

Importing this package makes the two schemes known to kombu and opens nothing. It knows nothing of flows and imports
nothing of the engine but `round_trip.py`. docs/transport.md is its manual.
"""

from kombu.transport import TRANSPORT_ALIASES

from argyll_engine.transport.dead_letters import DeadLetter, DeadLetters
from argyll_engine.transport.transport import Transport

__all__ = ["DeadLetter", "DeadLetters", "Transport"]

SCHEMES = ("redis-streams", "rediss-streams")

TRANSPORT_ALIASES.update(dict.fromkeys(SCHEMES, "argyll_engine.transport.transport:Transport"))
