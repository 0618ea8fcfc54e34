# SPDX-License-Identifier: Apache-2.0
"""Inbound JSON to model values, by shape alone; what a definition means is judged in the engine."""
