# SPDX-License-Identifier: Apache-2.0
"""Traces: one a flow, with a span for each step, work item and call. Off unless OpenTelemetry's variables ask."""
