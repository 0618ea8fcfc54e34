# SPDX-License-Identifier: Apache-2.0
"""Writes ended flows as verified objects to a bucket or a directory. Deletes nothing from the live store."""
