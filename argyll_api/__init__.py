# SPDX-License-Identifier: Apache-2.0
"""The HTTP edge and the command line of the engine. `app.create_app` builds the one, `cli.main` is the other.

Importing this package imports neither, so that a command starts without the cost of the other half.
"""
