# SPDX-License-Identifier: Apache-2.0
"""Celery at the edge: the app, the tasks, the worker's entry point. Tasks carry ids and pass them on."""
