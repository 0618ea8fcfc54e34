# SPDX-License-Identifier: Apache-2.0
"""A shop's orders as flows: `steps/` defines them, `services.py` serves them, `demo.py` runs twenty of them."""
