# SPDX-License-Identifier: Apache-2.0
"""Folding: what a projection becomes when an event is recorded. No decision and no check lives here."""
