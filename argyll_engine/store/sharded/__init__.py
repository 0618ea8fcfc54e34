# SPDX-License-Identifier: Apache-2.0
"""Several flow stores as one: the ports of a flow store over those of its shards. Made by wiring, for several only."""
