# SPDX-License-Identifier: Apache-2.0
"""Every metric that code counts into, once; what is read from Redis at scrape time is in `gauges.py`.

docs/metrics.md has a row for each name. With PROMETHEUS_MULTIPROC_DIR set before the first import, values live in
files of each process (`places.py`), and whoever shows them adds the files up (`page.py`).

Source of the names without our prefix: the seed on deployment, chapter 8.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from argyll_engine.metrics.places import count_in_folder

REGISTRY: Final = CollectorRegistry()
"""Of this process: ours alone, not the library's own."""

LATENCY_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
REQUEST_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
STEP_BUCKETS: Final = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
FLOW_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
BATCH_BUCKETS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)
ARCHIVE_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)

count_in_folder()
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no type for it


def _counter(name: str, meaning: str, *labels: str) -> Counter:
    return Counter(name, meaning, labels, registry=REGISTRY)


def _histogram(name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
    return Histogram(name, meaning, labels, buckets=buckets, registry=REGISTRY)


def _gauge(name: str, meaning: str) -> Gauge:
    """A value that whoever has set it last knows best, for as long as that process lives."""
    return Gauge(name, meaning, registry=REGISTRY, multiprocess_mode="livemostrecent")


# ---- the names of the seed ---------------------------------------------------------------------

WORKFLOW_EXECUTIONS: Final = _counter(
    "workflow_executions_total", "Flows that ended.", "workflow_type", "action", "status"
)
WORKFLOW_DURATION: Final = _histogram(
    "workflow_duration_seconds", "From the start of a flow to its end.", FLOW_BUCKETS, "workflow_type", "action"
)
HTTP_REQUESTS: Final = _counter(
    "http_requests_total", "Requests answered, by the template of their route.", "method", "path", "status_code"
)
HTTP_REQUEST_DURATION: Final = _histogram(
    "http_request_duration_seconds", "From a request read whole to its answer.", REQUEST_BUCKETS, "method", "path"
)
MODULE_OPERATIONS: Final = _counter(
    "module_operations_total", "Attempts of work by the type of the step.", "module", "operation", "status"
)

# ---- flows, steps, work ------------------------------------------------------------------------

FLOWS_STARTED: Final = _counter("argyll_flows_started_total", "Flows started.", "kind")
FLOWS_COMPLETED: Final = _counter("argyll_flows_completed_total", "Flows that reached their goals.", "kind")
FLOWS_FAILED: Final = _counter("argyll_flows_failed_total", "Flows that cannot reach a goal.", "kind")

STEPS_ENDED: Final = _counter("argyll_steps_ended_total", "Steps of flows that ended.", "step_id", "status")
STEP_DURATION: Final = _histogram(
    "argyll_step_duration_seconds", "From the start of a step in a flow to its end.", STEP_BUCKETS, "step_id"
)
WORK_ITEMS: Final = _counter("argyll_work_items_total", "Attempts of work items that ended.", "step_id", "outcome")
WORK_DURATION: Final = _histogram(
    "argyll_work_duration_seconds", "One call of a step, or one run of its script.", STEP_BUCKETS, "step_id"
)
WORK_RETRIES: Final = _counter("argyll_work_retries_total", "Retries that were scheduled.", "step_id")
WORK_DEFERRED: Final = _counter(
    "argyll_work_deferred_total", "Work held back because its step is unhealthy.", "step_id"
)
COMPENSATIONS: Final = _counter("argyll_compensations_total", "Tries to undo work.", "step_id", "outcome")
SCRIPT_LIMITS: Final = _counter(
    "argyll_script_limits_total", "Runs of scripts that were stopped by a limit.", "language", "limit"
)

# ---- recovery, supervision ---------------------------------------------------------------------

RECOVERY_SWEEPS: Final = _counter("argyll_recovery_sweeps_total", "Sweeps for flows without a sign of life.")
RECOVERY_SWEEPS_WITH_WORK: Final = _counter(
    "argyll_recovery_sweeps_with_work_total", "Sweeps that found work to send again."
)
RECOVERY_ITEMS: Final = _counter("argyll_recovery_items_total", "Messages that sweeps have sent again.")
CHILD_RESTARTS: Final = _counter(
    "argyll_child_restarts_total", "Processes that their supervisor has started again.", "process", "cause"
)

# ---- store -------------------------------------------------------------------------------------

COMMITS: Final = _counter("argyll_commits_total", "Commits applied.", "store")
COMMIT_CONFLICTS: Final = _counter("argyll_commit_conflicts_total", "Commits that somebody else was ahead of.", "store")
COMMIT_BATCH: Final = _histogram(
    "argyll_commit_batch_size", "Streams committed in one round trip.", BATCH_BUCKETS, "store"
)
STORE_LATENCY: Final = _histogram(
    "argyll_store_latency_seconds", "One round trip to a store.", LATENCY_BUCKETS, "store", "operation"
)
STORE_ERRORS: Final = _counter("argyll_store_errors_total", "Round trips to a store that failed.", "store")

# ---- archive -----------------------------------------------------------------------------------

ARCHIVED_FLOWS: Final = _counter("argyll_archived_flows_total", "Flows moved to the archive.", "reason")
ARCHIVED_BYTES: Final = _counter("argyll_archived_bytes_total", "Bytes of objects that were written and verified.")
ARCHIVE_DURATION: Final = _histogram("argyll_archive_duration_seconds", "One batch of flows.", ARCHIVE_BUCKETS)
ARCHIVE_FAILURES: Final = _counter("argyll_archive_failures_total", "Flows that could not be archived.", "cause")
ARCHIVE_LEASE_CONFLICTS: Final = _counter(
    "argyll_archive_lease_conflicts_total", "Flows that another archiver was working on."
)
ARCHIVE_BACKLOG: Final = _gauge("argyll_archive_backlog", "Flows that are due for the archive.")
ARCHIVE_OLDEST: Final = _gauge("argyll_archive_oldest_seconds", "How long the oldest of them has been due.")


def begin_at_zero() -> None:
    """Shows the few series whose labels are known from the start, so that their first event is a change from 0."""
    for kind, workflow_type in (("root", "flow"), ("child", "sub_flow")):
        for started_or_ended in (FLOWS_STARTED, FLOWS_COMPLETED, FLOWS_FAILED):
            started_or_ended.labels(kind)
        for status in ("success", "error"):
            WORKFLOW_EXECUTIONS.labels(workflow_type, "run", status)
    for store in ("flow", "engine"):
        for counted in (COMMITS, COMMIT_CONFLICTS, STORE_ERRORS):
            counted.labels(store)
    for cause in ("target", "verify", "store", "other"):
        ARCHIVE_FAILURES.labels(cause)
    for reason in ("age", "pressure"):
        ARCHIVED_FLOWS.labels(reason)
