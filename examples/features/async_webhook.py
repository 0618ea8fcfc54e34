# SPDX-License-Identifier: Apache-2.0
"""Asynchronous step: the service takes the call, and posts the outcome to a webhook when it has one."""

import threading

import urllib3

from examples.features.stage import Call, Json, Stage, perform

WORK_SECONDS = 0.5


def play(stage: Stage) -> None:
    """A film is rendered in the background; the second post of the same outcome changes nothing."""

    def render(arguments: Json, call: Call) -> Json:
        threading.Timer(WORK_SECONDS, deliver, (call.webhook_url, {"film": f"{arguments['title']}.mp4"})).start()
        return {"accepted": True}

    def deliver(webhook_url: str, outputs: Json) -> None:
        for _ in range(2):
            urllib3.request("POST", webhook_url, json=outputs, timeout=5.0)

    stage.register(
        {
            "id": "render",
            "name": "Render the film",
            "type": "async",
            "http": {"endpoint": stage.serve(render)},
            "attributes": {"title": {"role": "required"}, "film": {"role": "output"}},
        }
    )
    flow_id = stage.run("render", title="holidays")
    stage.show_values(flow_id, "film")
    stage.show_order(flow_id, "work_started", "work_succeeded", "step_completed")


if __name__ == "__main__":
    perform(play)
