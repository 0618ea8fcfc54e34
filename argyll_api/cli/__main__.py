# SPDX-License-Identifier: Apache-2.0
"""`python -m argyll_api.cli`: how `argyll up` starts the other commands, whatever PATH says."""

from argyll_api.cli import main

main(prog_name="argyll")
