# SPDX-License-Identifier: Apache-2.0
"""Runnable examples, each in a folder of its own. Nothing in the packages imports them."""
