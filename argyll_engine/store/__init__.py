# SPDX-License-Identifier: Apache-2.0
"""Stores behind the ports: Redis and, with the same promises, memory. Made by wiring."""
