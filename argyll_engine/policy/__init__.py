# SPDX-License-Identifier: Apache-2.0
"""Rules of the engine as pure functions: what is valid, what counts as done, what happens next."""
