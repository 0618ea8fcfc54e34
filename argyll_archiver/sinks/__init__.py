# SPDX-License-Identifier: Apache-2.0
"""Where objects are kept: one file a kind of store, and the table that opens them."""
