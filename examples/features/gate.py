# SPDX-License-Identifier: Apache-2.0
"""Gate routing: two ways to the same result; a match on an input decides which one a flow takes."""

from examples.features.stage import Json, Stage, perform


def route(step_id: str, country: str, days: int) -> Json:
    """A step that ships to one country only."""
    return {
        "id": step_id,
        "name": f"Ship to {country}",
        "type": "script",
        "script": {"language": "lua", "script": f"return {{arrival = 'in {days} days'}}"},
        "attributes": {
            "country": {
                "role": "required",
                "required": {"match": {"language": "ale", "script": f'(eq value "{country}")'}},
            },
            "arrival": {"role": "output"},
        },
    }


def play(stage: Stage) -> None:
    """The same goal for two countries: each time one of the two steps ships and the other is skipped."""
    stage.register(
        route("ship-by-road", "CH", 1),
        route("ship-by-air", "NZ", 6),
        {
            "id": "tell",
            "name": "Tell when it arrives",
            "type": "script",
            "script": {"language": "lua", "script": "return {message = 'arrives ' .. arrival}"},
            "attributes": {"arrival": {"role": "required"}, "message": {"role": "output"}},
        },
    )
    for country in ("CH", "NZ"):
        flow_id = stage.run("tell", country=country)
        stage.show_values(flow_id, "country", "message")
        stage.show_steps(flow_id, "ship-by-air", "ship-by-road")


if __name__ == "__main__":
    perform(play)
