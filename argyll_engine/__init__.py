# SPDX-License-Identifier: Apache-2.0
"""Argyll's engine: plans flows from goals, decides what happens next, records it as events, runs the work."""
