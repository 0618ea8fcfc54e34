# SPDX-License-Identifier: Apache-2.0
"""Hands over to setup.cfg, where everything about the distribution is said. Nothing else belongs here."""

from setuptools import setup

setup()
