# SPDX-License-Identifier: Apache-2.0
"""Tests of what is counted, and of how it is shown."""
