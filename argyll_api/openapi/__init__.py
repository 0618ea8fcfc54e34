# SPDX-License-Identifier: Apache-2.0
"""The description of the API for machines and people, made from the routes, shapes, tables and types themselves."""
