# SPDX-License-Identifier: Apache-2.0
"""The four HTTP services of the shop, each on a port of its own, in one process.

They know nothing of Argyll but what every step knows: arguments come as a GET path or a JSON body, outputs go
back as a JSON object, and headers tell the receipt token (the same on every retry) and where an asynchronous
answer goes. Run by `demo.py`, or by hand:

    python -m examples.order.services
"""

import json
import logging
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import click
import urllib3
from flask import Flask, Response, request
from werkzeug.serving import BaseWSGIServer, make_server

HOST: Final = "127.0.0.1"
PORTS: Final = {"customers": 8101, "warehouse": 8102, "payments": 8103, "notifications": 8104}
"""The ports that the definitions in `steps/` name."""

SHOP_FILE: Final = Path(__file__).with_name("shop.json")
WEBHOOK_TRIES: Final = 5

Json = dict[str, Any]


def customers_service(customers: Mapping[str, Json]) -> Flask:
    """Answers who a customer is."""
    app = Flask("customers")

    @app.get("/customers/<customer_id>")
    def customer(customer_id: str) -> Json | Response:
        found = customers.get(customer_id)
        return {"customer": found} if found else problem(404, f"there is no customer {customer_id}")

    return app


def warehouse_service(products: Mapping[str, Json]) -> Flask:
    """Answers what a product is, and reserves pieces of it; every second reservation is refused as too busy."""
    app = Flask("warehouse")
    warehouse = Warehouse(products)

    @app.get("/products/<product_id>")
    def product(product_id: str) -> Json | Response:
        found = products.get(product_id)
        return {"product": found} if found else problem(404, f"there is no product {product_id}")

    @app.post("/reservations")
    def reserve() -> Json | Response:
        return warehouse.reserve(request.headers["Argyll-Receipt-Token"], request.get_json()["order"])

    return app


class Warehouse:
    """The stock, and who reserved how much of it; may be shared by threads."""

    def __init__(self, products: Mapping[str, Json]) -> None:
        self._products = products
        self._left = {product_id: product["stock"] for product_id, product in products.items()}
        self._reservations: dict[str, Json] = {}
        self._calls = 0
        self._lock = threading.Lock()

    def reserve(self, token: str, order: Json) -> Json | Response:
        """The reservation of this token, the same however often it is asked for; or a problem.

        503 on every odd call is for the engine to try again, 409 is final.
        """
        with self._lock:
            self._calls += 1
            if self._calls % 2:
                return problem(503, "all hands are busy")
            if token not in self._reservations:
                if self._left[order["product_id"]] < order["quantity"]:
                    return problem(409, f"not enough of {order['product_id']} left")
                self._reservations[token] = self._taken(token, order["product_id"], order["quantity"])
            return {"reservation": self._reservations[token]}

    def _taken(self, token: str, product_id: str, quantity: int) -> Json:
        self._left[product_id] -= quantity
        shelf, left = self._products[product_id]["shelf"], self._left[product_id]
        return {"id": f"res-{token[:8]}", "shelf": shelf, "quantity": quantity, "left": left}


def payments_service(after: Callable[[float, Callable[[], None]], None]) -> Flask:
    """Takes payments: says "accepted" at once, and the outcome to the webhook a moment later.

    Args:
        after: Calls a function in so many seconds.
    """
    app = Flask("payments")

    @app.post("/payments")
    def pay() -> tuple[Json, int]:
        order, token = request.get_json()["order"], request.headers["Argyll-Receipt-Token"]
        webhook_url, amount_cents = request.headers["Argyll-Webhook-URL"], order["total_cents"]
        # The id follows from the token: a repeated request takes the same payment once.
        payment = {"id": f"pay-{token[:8]}", "amount_cents": amount_cents, "terms": order["terms"]}
        seconds = 0.3 + amount_cents % 700 / 1000
        after(seconds, lambda: deliver(webhook_url, {"payment": payment}))
        return {"accepted": True}, 202

    return app


def notifications_service() -> Flask:
    """Tells customers that their order is on its way."""
    app = Flask("notifications")

    @app.post("/notifications")
    def notify() -> Json:
        arguments = request.get_json()
        customer, receipt = arguments["customer"], arguments["receipt"]
        sent = {"channel": customer["channel"], "to": customer["address"], "text": receipt["text"]}
        return {"notification": sent}

    return app


def problem(status: int, detail: str) -> Response:
    """A problem answer; the engine keeps its detail in the log of the flow."""
    body = json.dumps({"status": status, "detail": detail})
    return Response(body, status=status, content_type="application/problem+json")


def deliver(webhook_url: str, outputs: Json) -> None:
    """Posts the outputs, again after a moment while the engine cannot take them."""
    patience = urllib3.Retry(WEBHOOK_TRIES, backoff_factor=0.2, status_forcelist={503}, allowed_methods={"POST"})
    try:
        answer = urllib3.request("POST", webhook_url, json=outputs, retries=patience, timeout=5.0)
    except urllib3.exceptions.HTTPError as exc:
        click.echo(f"payments: not delivered: {exc}", err=True)
        return
    if answer.status != 200:
        click.echo(f"payments: the engine answered {answer.status}: {answer.data.decode()}", err=True)


def call_later(seconds: float, function: Callable[[], None]) -> None:
    """Calls the function in so many seconds, unless the process ends before."""
    timer = threading.Timer(seconds, function)
    timer.daemon = True
    timer.start()


def build_servers(ports: Mapping[str, int]) -> dict[str, BaseWSGIServer]:
    """The services by name, listening; port 0 is any free one."""
    shop = json.loads(SHOP_FILE.read_text(encoding="utf-8"))
    customers, products = ({row["id"]: row for row in shop[kind]} for kind in ("customers", "products"))
    apps = {
        "customers": customers_service(customers),
        "warehouse": warehouse_service(products),
        "payments": payments_service(call_later),
        "notifications": notifications_service(),
    }
    return {name: make_server(HOST, ports[name], app, threaded=True) for name, app in apps.items()}


@click.command()
@click.option("--any-port", is_flag=True, help="Use free ports instead of those that the definitions name.")
def main(any_port: bool) -> None:
    """Serve customers, warehouse, payments and notifications; print a line with the address of each."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    servers = build_servers(dict.fromkeys(PORTS, 0) if any_port else PORTS)
    for name, server in servers.items():
        threading.Thread(target=server.serve_forever, daemon=True).start()
        click.echo(f"{name} http://{HOST}:{server.port}")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
