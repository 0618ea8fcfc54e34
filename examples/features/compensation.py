# SPDX-License-Identifier: Apache-2.0
"""Compensation: a step fails in the middle, and what it had already done is undone, call by call."""

from examples.features.stage import Json, Refusal, Stage, perform


def book(arguments: Json) -> Json:
    """A booked seat; there is none on the night train."""
    if arguments["train"] == "night":
        raise Refusal(409, "the night train is full")
    return {"seat": f"{arguments['train']}-1"}


def play(stage: Stage) -> None:
    """Three trains are booked one after the other; the third is full, so the first two are given back."""
    given_back: list[str] = []

    def give_back(called: Json) -> Json:
        given_back.append(called["output"]["seat"])
        return {}

    stage.register(
        {
            "id": "book-seats",
            "name": "Book a seat on every train",
            "type": "sync",
            "http": {"endpoint": stage.serve(book), "compensate": stage.serve(give_back)},
            "attributes": {
                "train": {"role": "required", "required": {"for_each": True}},
                "seat": {"role": "output"},
            },
        }
    )
    flow_id = stage.run("book-seats", train=["morning", "noon", "night"])
    stage.show_status(flow_id)
    stage.show_counts(flow_id, "work_succeeded", "work_failed", "comp_succeeded")
    stage.say(f"given back: {', '.join(sorted(given_back))}")


if __name__ == "__main__":
    perform(play)
