# SPDX-License-Identifier: Apache-2.0
"""Fan-out: one call for each element of a list, four at a time, and the results in the order of the list."""

from examples.features.stage import Json, Stage, perform


def weigh(arguments: Json) -> Json:
    """The weight of one parcel."""
    return {"grams": 100 * len(arguments["parcel"])}


def play(stage: Stage) -> None:
    """Three parcels are weighed at once, then added up."""
    stage.register(
        {
            "id": "weigh",
            "name": "Weigh one parcel",
            "type": "sync",
            "http": {"endpoint": stage.serve(weigh)},
            "attributes": {
                "parcel": {"role": "required", "required": {"for_each": True}},
                "grams": {"role": "output"},
            },
            "work_config": {"parallelism": 4},
        },
        {
            "id": "add-up",
            "name": "Add up",
            "type": "script",
            "script": {"language": "ale", "script": "{:total (apply + (map :grams grams))}"},
            "attributes": {"grams": {"role": "required"}, "total": {"role": "output"}},
        },
    )
    flow_id = stage.run("add-up", parcel=["book", "lamp", "chair"])
    stage.show_values(flow_id, "grams", "total")
    stage.show_counts(flow_id, "work_started", "work_succeeded")


if __name__ == "__main__":
    perform(play)
