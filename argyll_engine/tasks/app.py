# SPDX-License-Identifier: Apache-2.0
"""Makes the Celery app from the configuration. Called by wiring (to publish) and by the entry points (to consume).

JSON only. Messages are acknowledged after their task, so that a killed worker loses none it had recorded.
"""

from typing import Any, Final

from celery import Celery
from kombu import Queue

from argyll_engine.config import EngineConfig
from argyll_engine.dispatch import BEAT_QUEUE, CHECK_HEALTH, QUEUES, STEPS_QUEUE, SWEEP
from argyll_engine.transport import SCHEMES as STREAM_SCHEMES

APP_NAME: Final = "argyll"
MOST_READ: Final = 256
"""Messages that a worker reads at once, if they take little time."""


def make_celery(config: EngineConfig) -> Celery:
    """The app; it connects to nothing before it publishes or consumes."""
    app = Celery(APP_NAME, set_as_current=False)
    app.conf.update(
        broker_url=config.broker_url or config.flow_redis.streams_url(),
        broker_transport_options=_transport_options(config),
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        task_queues=[Queue(name, routing_key=name) for name in QUEUES],
        task_default_queue=STEPS_QUEUE,
        task_serializer="json",
        accept_content=["json"],
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        enable_utc=True,
        timezone="UTC",
        beat_schedule={
            SWEEP: _every(SWEEP, config.recovery_interval_seconds),
            CHECK_HEALTH: _every(CHECK_HEALTH, config.health_check_interval_seconds),
        },
    )
    return app


def queue_key_prefix(config: EngineConfig) -> str:
    """What a transport on the flow store's Redis puts before every key."""
    return config.queue_key_prefix


def shares_flow_redis(config: EngineConfig) -> bool:
    """Whether the queues of Celery's stock transport live on the flow store's Redis, so that a commit can put
    messages into them."""
    return config.broker_url == config.flow_redis.broker_url()


def _every(task: str, interval_seconds: float) -> dict[str, Any]:
    """A periodic task; what nobody has taken before the next one is due is dropped."""
    return {
        "task": task,
        "schedule": interval_seconds,
        "options": {"queue": BEAT_QUEUE, "expires": interval_seconds},
    }


def _transport_options(config: EngineConfig) -> dict[str, Any]:
    if config.broker_url == "" or config.broker_url.startswith(STREAM_SCHEMES):
        # Consumers show that they live as often as workers do; no time limit of a task depends on it.
        return {
            "visibility_timeout": config.worker_lease_seconds,
            "global_keyprefix": queue_key_prefix(config),
            "read_size": MOST_READ,
        }
    options: dict[str, Any] = {"visibility_timeout": config.visibility_timeout_seconds}
    if shares_flow_redis(config):
        options |= config.flow_redis.broker_options() | {"global_keyprefix": queue_key_prefix(config)}
    return options
