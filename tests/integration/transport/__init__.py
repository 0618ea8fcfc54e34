# SPDX-License-Identifier: Apache-2.0
"""The transport with real Celery worker processes and a real Redis."""
