# SPDX-License-Identifier: Apache-2.0
"""What the Grafana dashboards show, as tables: rows of panels, a panel being a title, a unit and queries.

`build.py` makes the JSON files of them. Only the standard library is used, and nothing of Argyll. Long because it is
one table, to be read as one.
"""

from dataclasses import dataclass
from typing import Final

RATE: Final = "[$__rate_interval]"
NO_PROBES: Final = 'path!~"/(livez|readyz|healthz)"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A graph, or one number; `queries` maps expressions to the legends of their series."""

    title: str
    says: str
    queries: dict[str, str]
    unit: str = "short"
    kind: str = "timeseries"
    warns_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """A file of its own; `variables` maps names to the queries that give their values."""

    uid: str
    title: str
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]
    variables: tuple[tuple[str, str], ...] = ()


def _quantiles(metric: str, by: str = "", matcher: str = "") -> dict[str, str]:
    labels = f"le, {by}" if by else "le"
    legend = f"{{{{{by}}}}} " if by else ""
    return {
        f"histogram_quantile({share}, sum by ({labels}) (rate({metric}_bucket{matcher}{RATE})))": f"{legend}p{name}"
        for share, name in ((0.5, "50"), (0.99, "99"))
    }


def _rate(metric: str, by: str = "", matcher: str = "") -> dict[str, str]:
    if not by:
        return {f"sum(rate({metric}{matcher}{RATE}))": metric}
    return {f"sum by ({by}) (rate({metric}{matcher}{RATE}))": " ".join(f"{{{{{name}}}}}" for name in by.split(", "))}


def _largest(metric: str, by: str, matcher: str = "") -> dict[str, str]:
    return {f"max by ({by}) ({metric}{matcher})": f"{{{{{by}}}}}"}


OVERVIEW: Final = Dashboard(
    uid="argyll-overview",
    title="Argyll: overview",
    rows=(
        (
            "Now",
            (
                Panel(
                    title="Flows started",
                    says="Root flows a second.",
                    kind="stat",
                    unit="reqps",
                    queries={f'sum(rate(argyll_flows_started_total{{kind="root"}}{RATE}))': "started"},
                ),
                Panel(
                    title="Active flows",
                    says="Flows that have not ended. Flows that wait for a webhook count too.",
                    kind="stat",
                    queries={"max(argyll_flows_active)": "active"},
                ),
                Panel(
                    title="Failed",
                    says="Share of the flows that end by failing. Alert: HighErrorRate.",
                    kind="stat",
                    unit="percentunit",
                    warns_at=0.05,
                    queries={
                        f'sum(rate(workflow_executions_total{{status="error"}}{RATE}))'
                        f" / sum(rate(workflow_executions_total{RATE}))": "failed"
                    },
                ),
                Panel(
                    title="Workers",
                    says="Worker processes that show a sign of life. Alert: ArgyllNoWorker.",
                    kind="stat",
                    queries={"max(argyll_workers_alive)": "alive"},
                ),
                Panel(
                    title="Oldest message",
                    says="How long the oldest ready message of all queues waits. Alert: ArgyllBacklogOld.",
                    kind="stat",
                    unit="s",
                    warns_at=60,
                    queries={"max(argyll_queue_oldest_seconds)": "age"},
                ),
                Panel(
                    title="Version",
                    says="Processes by version; two of them during an upgrade.",
                    kind="stat",
                    queries={"count by (version) (argyll_build_info)": "{{version}}"},
                ),
            ),
        ),
        (
            "Flows",
            (
                Panel(
                    title="Executions",
                    says="Flows that end, by status.",
                    unit="reqps",
                    queries=_rate("workflow_executions_total", "workflow_type, status"),
                ),
                Panel(
                    title="Duration",
                    says="From start to completion or failure. Alert: SlowWorkflows.",
                    unit="s",
                    queries=_quantiles("workflow_duration_seconds"),
                ),
                Panel(
                    title="Started, completed, failed",
                    says="Root flows and the flows of flow steps.",
                    unit="reqps",
                    queries={
                        f"sum by (kind) (rate(argyll_flows_{what}_total{RATE}))": f"{what} {{{{kind}}}}"
                        for what in ("started", "completed", "failed")
                    },
                ),
                Panel(
                    title="Active",
                    says="Alert: QueueBacklog.",
                    queries=_largest("active_workflows", "workflow_type"),
                ),
            ),
        ),
        (
            "HTTP",
            (
                Panel(
                    title="Requests",
                    says="By status.",
                    unit="reqps",
                    queries=_rate("http_requests_total", "status_code", f"{{{NO_PROBES}}}"),
                ),
                Panel(
                    title="Latency",
                    says="Alert: HighHTTPLatency.",
                    unit="s",
                    queries=_quantiles("http_request_duration_seconds", matcher=f"{{{NO_PROBES}}}"),
                ),
                Panel(
                    title="By route",
                    says="Requests a second.",
                    unit="reqps",
                    queries=_rate("http_requests_total", "method, path"),
                ),
                Panel(
                    title="5xx by route",
                    says="Alert: HighHTTPErrorRate.",
                    unit="reqps",
                    queries=_rate("http_requests_total", "path, status_code", '{status_code=~"5.."}'),
                ),
            ),
        ),
        (
            "Resources",
            (
                Panel(
                    title="Memory",
                    says="Resident memory of each process, against that of its machine or container. "
                    "Alert: HighMemoryUsage.",
                    unit="bytes",
                    queries={
                        "sum by (job, instance, process) (process_resident_memory_bytes)": "{{instance}} {{process}}",
                        "max by (instance) (machine_memory_bytes)": "{{instance}} limit",
                    },
                ),
                Panel(
                    title="CPU",
                    says="Cores used.",
                    queries=_rate("process_cpu_seconds_total", "instance, process"),
                ),
                Panel(
                    title="Open files",
                    says="Sockets count too.",
                    queries={"sum by (instance, process) (process_open_fds)": "{{instance}} {{process}}"},
                ),
            ),
        ),
    ),
)

STEPS: Final = Dashboard(
    uid="argyll-steps",
    title="Argyll: steps",
    variables=(("step", "label_values(argyll_steps_ended_total, step_id)"),),
    rows=(
        (
            "Steps",
            (
                Panel(
                    title="Ended",
                    says="Executions that ended, by step and status.",
                    unit="reqps",
                    queries=_rate("argyll_steps_ended_total", "step_id, status", '{step_id=~"$step"}'),
                ),
                Panel(
                    title="Duration",
                    says="From the start of an execution to its end, waiting and retries included.",
                    unit="s",
                    queries=_quantiles("argyll_step_duration_seconds", "step_id", '{step_id=~"$step"}'),
                ),
            ),
        ),
        (
            "Work items",
            (
                Panel(
                    title="Outcomes",
                    says="Attempts by how they ended; not_completed is tried again.",
                    unit="reqps",
                    queries=_rate("argyll_work_items_total", "step_id, outcome", '{step_id=~"$step"}'),
                ),
                Panel(
                    title="Call duration",
                    says="One call of a service or one run of a script.",
                    unit="s",
                    queries=_quantiles("argyll_work_duration_seconds", "step_id", '{step_id=~"$step"}'),
                ),
                Panel(
                    title="Retries",
                    says="Attempts that were scheduled again.",
                    unit="reqps",
                    queries=_rate("argyll_work_retries_total", "step_id", '{step_id=~"$step"}'),
                ),
                Panel(
                    title="Held back",
                    says="Work that waits because its step is unhealthy.",
                    unit="reqps",
                    queries=_rate("argyll_work_deferred_total", "step_id", '{step_id=~"$step"}'),
                ),
                Panel(
                    title="Compensations",
                    says="Undoing work of steps that failed.",
                    unit="reqps",
                    queries=_rate("argyll_compensations_total", "step_id, outcome", '{step_id=~"$step"}'),
                ),
            ),
        ),
        (
            "Types and limits",
            (
                Panel(
                    title="Operations by step type",
                    says="Alert: ComponentTimeout.",
                    unit="reqps",
                    queries=_rate("module_operations_total", "module, operation, status"),
                ),
                Panel(
                    title="Script limits hit",
                    says="Scripts that were stopped.",
                    unit="reqps",
                    queries=_rate("argyll_script_limits_total", "language, limit"),
                ),
            ),
        ),
    ),
)

QUEUES: Final = Dashboard(
    uid="argyll-queues",
    title="Argyll: queues and workers",
    rows=(
        (
            "Queues",
            (
                Panel(
                    title="Ready", says="Messages nobody has taken.", queries=_largest("argyll_queue_depth", "queue")
                ),
                Panel(
                    title="Age of the oldest",
                    says="Alert: ArgyllBacklogOld.",
                    unit="s",
                    warns_at=60,
                    queries=_largest("argyll_queue_oldest_seconds", "queue"),
                ),
                Panel(
                    title="In progress",
                    says="Taken by a worker and not settled.",
                    queries=_largest("argyll_queue_in_progress", "queue"),
                ),
                Panel(
                    title="Delayed",
                    says="Retries and deadlines that wait for their time.",
                    queries=_largest("argyll_queue_delayed", "queue"),
                ),
                Panel(
                    title="Dead letters",
                    says="Given up. Alert: ArgyllDeadLetters.",
                    queries=_largest("argyll_queue_dead_letters", "queue"),
                ),
            ),
        ),
        (
            "Workers",
            (
                Panel(
                    title="Alive",
                    says="Alert: ArgyllNoWorker.",
                    queries={"max(argyll_workers_alive)": "workers"},
                ),
                Panel(
                    title="Restarts",
                    says="Children that a supervisor started again. Alert: ArgyllProcessesRestart.",
                    queries={
                        f"sum by (process, cause) (increase(argyll_child_restarts_total{RATE}))": (
                            "{{process}} {{cause}}"
                        )
                    },
                ),
                Panel(
                    title="Targets",
                    says="Processes that answer Prometheus. Alerts: ArgyllApiDown, ArgyllTargetDown.",
                    queries={'sum by (job) (up{job=~"argyll-.+"})': "{{job}}"},
                ),
            ),
        ),
        (
            "Recovery",
            (
                Panel(
                    title="Sweeps",
                    says="All of them, and those that found work. Alerts: ArgyllNobodySweeps, ArgyllRecoveryFindsWork.",
                    queries=_rate("argyll_recovery_sweeps_total") | _rate("argyll_recovery_sweeps_with_work_total"),
                ),
                Panel(
                    title="Work sent again",
                    says="Work items that recovery found.",
                    queries=_rate("argyll_recovery_items_total"),
                ),
            ),
        ),
    ),
)

STORE: Final = Dashboard(
    uid="argyll-store",
    title="Argyll: store and archive",
    rows=(
        (
            "Redis",
            (
                Panel(
                    title="Reachable",
                    says="Alert: ArgyllRedisDown.",
                    queries=_largest("argyll_redis_up", "store"),
                ),
                Panel(
                    title="Persistence",
                    says="1: the append-only file is on and its last writes went well. Alert: ArgyllRedisUnsafe.",
                    queries=_largest("argyll_redis_persistence_ok", "store"),
                ),
                Panel(
                    title="Memory",
                    says="Used, and the limit if there is one. Alert: ArgyllRedisMemory.",
                    unit="bytes",
                    queries={
                        "max by (store) (argyll_redis_memory_used_bytes)": "{{store}} used",
                        "max by (store) (argyll_redis_memory_limit_bytes)": "{{store}} limit",
                    },
                ),
            ),
        ),
        (
            "Commits",
            (
                Panel(
                    title="Commits and conflicts",
                    says="A conflict is a lost race: the decision is made again.",
                    unit="ops",
                    queries={
                        f"sum by (store) (rate(argyll_commits_total{RATE}))": "{{store}} commits",
                        f"sum by (store) (rate(argyll_commit_conflicts_total{RATE}))": "{{store}} conflicts",
                    },
                ),
                Panel(
                    title="Streams of one commit",
                    says="How many flows are written in one round trip.",
                    queries=_quantiles("argyll_commit_batch_size", "store"),
                ),
                Panel(
                    title="Latency",
                    says="One round trip.",
                    unit="s",
                    queries=_quantiles("argyll_store_latency_seconds", "operation"),
                ),
                Panel(
                    title="Errors",
                    says="Round trips that failed.",
                    unit="ops",
                    queries=_rate("argyll_store_errors_total", "store"),
                ),
            ),
        ),
        (
            "Archive",
            (
                Panel(
                    title="Archived",
                    says="Flows a second, by why.",
                    unit="ops",
                    queries=_rate("argyll_archived_flows_total", "reason"),
                ),
                Panel(title="Written", says="Verified.", unit="Bps", queries=_rate("argyll_archived_bytes_total")),
                Panel(
                    title="Batch duration",
                    says="One batch from choice to deletion.",
                    unit="s",
                    queries=_quantiles("argyll_archive_duration_seconds"),
                ),
                Panel(
                    title="Failures",
                    says="Alert: ArgyllArchiveFailing.",
                    unit="ops",
                    queries=_rate("argyll_archive_failures_total", "cause"),
                ),
                Panel(
                    title="Due",
                    says="Flows that should be archived and are not.",
                    queries={"max(argyll_archive_backlog)": "flows"},
                ),
                Panel(
                    title="Oldest due",
                    says="Alert: ArgyllArchiveBehind.",
                    unit="s",
                    queries={"max(argyll_archive_oldest_seconds)": "age"},
                ),
                Panel(
                    title="Lease conflicts",
                    says="Flows that another archiver held.",
                    unit="ops",
                    queries=_rate("argyll_archive_lease_conflicts_total"),
                ),
            ),
        ),
    ),
)

DASHBOARDS: Final = {
    "workflow-overview.json": OVERVIEW,
    "steps.json": STEPS,
    "queues-and-workers.json": QUEUES,
    "store-and-archive.json": STORE,
}
