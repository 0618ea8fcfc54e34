# SPDX-License-Identifier: Apache-2.0
"""What alerts, dashboards and runbooks name is served: a name that nobody serves would be a graph without a line."""

import re

from tests.acceptance.client import Client, fresh_id
from tests.acceptance.steps import attributes, script
from tests.deploy.expressions import named_metrics


def test_every_metric_that_deploy_names_is_served_after_one_flow(client: Client) -> None:
    """On the page of the API, with its type; some have series only when there is something to count."""
    client.register(script("one", "return {x = 1}", attributes(gives=("x",))))
    assert "completed" == client.run(fresh_id("metrics"), ["one"])["status"]
    page = client.get("/metrics").body.decode()
    assert set() == named_metrics() - set(re.findall(r"^# TYPE (\w+) \w+$", page, re.MULTILINE))
