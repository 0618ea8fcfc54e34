# SPDX-License-Identifier: Apache-2.0
"""Deadline: an optional input that is late is replaced by its default, and the flow goes on without it."""

import time

from examples.features.stage import Json, Stage, perform

SLOW_SECONDS = 1.5
DEADLINE_MS = 300


def recommend(arguments: Json) -> Json:
    """A recommendation that takes its time."""
    time.sleep(SLOW_SECONDS)
    return {"recommendation": f"what goes with a {arguments['product']}"}


def play(stage: Stage) -> None:
    """The page is built after 300 ms, whether the recommendation has come or not."""
    late = {"default": '"our bestsellers"', "deadline": DEADLINE_MS}
    stage.register(
        {
            "id": "recommend",
            "name": "Find a recommendation",
            "type": "sync",
            "http": {"endpoint": stage.serve(recommend)},
            "attributes": {"product": {"role": "required"}, "recommendation": {"role": "output"}},
        },
        {
            "id": "build-page",
            "name": "Build the page",
            "type": "script",
            "script": {"language": "lua", "script": "return {page = product .. ', and ' .. recommendation}"},
            "attributes": {
                "product": {"role": "required"},
                "recommendation": {"role": "optional", "optional": late},
                "page": {"role": "output"},
            },
        },
    )
    flow_id = stage.run("build-page", product="lamp")
    stage.show_values(flow_id, "page", "recommendation")
    stage.show_order(flow_id, "step_completed", "flow_completed")


if __name__ == "__main__":
    perform(play)
