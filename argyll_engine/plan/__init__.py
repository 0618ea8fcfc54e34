# SPDX-License-Identifier: Apache-2.0
"""Planning: the smallest graph of steps that reaches the goals. Nothing here knows of a running flow."""
