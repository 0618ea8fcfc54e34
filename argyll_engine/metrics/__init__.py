# SPDX-License-Identifier: Apache-2.0
"""What is counted and measured: the metrics themselves, what commits say of flows, and the page that shows it all."""
