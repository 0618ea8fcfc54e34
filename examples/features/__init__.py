# SPDX-License-Identifier: Apache-2.0
"""One small flow for each feature, each a file to run: `python -m examples.features.fan_out`."""
