# SPDX-License-Identifier: Apache-2.0
"""The archiver's place: it will move finished flows from the live store to objects in a bucket."""
