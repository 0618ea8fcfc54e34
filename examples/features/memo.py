# SPDX-License-Identifier: Apache-2.0
"""Memo: a step without side effects is called once for the same arguments, and its answer is used again."""

from examples.features.stage import Json, Stage, perform


def play(stage: Stage) -> None:
    """Two flows ask for the same rate and one for another: the service is called twice."""
    calls: list[str] = []

    def rate(arguments: Json) -> Json:
        calls.append(arguments["currency"])
        return {"rate": len(arguments["currency"]) / 2}

    stage.register(
        {
            "id": "look-up-rate",
            "name": "Look up the rate",
            "type": "sync",
            "memoizable": True,
            "http": {"endpoint": stage.serve(rate)},
            "attributes": {"currency": {"role": "required"}, "rate": {"role": "output"}},
        }
    )
    for currency in ("CHF", "CHF", "NZD"):
        flow_id = stage.run("look-up-rate", currency=currency)
        stage.show_values(flow_id, "currency", "rate")
        stage.show_counts(flow_id, "work_started", "work_succeeded")
    stage.say(f"the service was called for {', '.join(calls)}")


if __name__ == "__main__":
    perform(play)
