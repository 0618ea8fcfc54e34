# SPDX-License-Identifier: Apache-2.0
"""The nouns of the engine: frozen values that import nothing but the standard library's types."""
