# SPDX-License-Identifier: Apache-2.0
"""What holds for every answer: CORS, preflights, unknown routes, slashes, content types."""

import pytest

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type, Authorization",
}
SERVED = {
    "/health": {"GET"},
    "/engine": {"GET"},
    "/engine/": {"GET"},
    "/engine/catalog": {"GET"},
    "/engine/catalog/events": {"GET"},
    "/engine/cluster": {"GET"},
    "/engine/cluster/events": {"GET"},
    "/engine/health": {"GET"},
    "/engine/health/x": {"GET"},
    "/engine/step": {"GET", "POST"},
    "/engine/step/x": {"GET", "PUT", "DELETE"},
    "/engine/plan": {"POST"},
    "/engine/flow": {"GET", "POST"},
    "/engine/flow/query": {"GET", "POST"},
    "/engine/flow/x": {"GET"},
    "/engine/flow/x/status": {"GET"},
    "/engine/flow/x/events": {"GET"},
    "/engine/ws": {"GET"},
    "/webhook/f/s/t": {"POST"},
}
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH")
WRONG = [(method, path) for path, served in SERVED.items() for method in METHODS if method not in served]
UNKNOWN = [
    "/",
    "/nope",
    "/nope/",
    "/Engine",
    "/ENGINE/STEP",
    "/engine//step",
    "/engine/step/x/y",
    "/engine/step/a%2Fb",
    "/engine/flow/query/x",
    "/webhook",
    "/webhook/a/b",
    "/webhook/a/b/c/d",
]


def no_page(res):
    """The answer to what is no route."""
    return (res.status_code, res.mimetype, res.text) == (404, "text/plain", "404 page not found")


@pytest.mark.parametrize("path", UNKNOWN)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_path_is_a_text_404(api, method, path):
    """A path that is no route answers plain text."""
    assert no_page(api.open(path, method=method))


@pytest.mark.parametrize("method,path", WRONG)
def test_a_wrong_method_is_a_text_404(api, method, path):
    """A known path does not say 405 to another method."""
    assert no_page(api.open(path, method=method))


@pytest.mark.parametrize("path", ["/health", "/engine", "/engine/step/", "/nope"])
def test_head_is_not_served(api, path):
    """HEAD is 404 everywhere, even where a slash would redirect."""
    assert api.head(path).status_code == 404


@pytest.mark.parametrize("path", ["/", "/engine", "/engine/flow/query", "/a/b/c", "/engine/step/"])
def test_a_preflight_succeeds_anywhere(api, path):
    """OPTIONS is 200 without a body on any path."""
    res = api.options(path)
    assert (res.status_code, res.data) == (200, b"")


@pytest.mark.parametrize(
    "method,path",
    [
        ("GET", "/health"),
        ("GET", "/nope"),
        ("OPTIONS", "/x"),
        ("GET", "/engine/step/"),
        ("POST", "/engine/flow"),
        ("HEAD", "/x"),
    ],
)
def test_every_answer_carries_the_cors_headers(api, method, path):
    """Pages, errors, redirects and preflights alike."""
    headers = api.open(path, method=method).headers
    assert {name: headers[name] for name in CORS} == CORS


def test_an_internal_error_carries_the_cors_headers(api, engine):
    """So that a browser can show it."""
    engine.queries.error = RuntimeError("boom")
    assert api.get("/engine").headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    "method,path,status",
    [
        ("GET", "/health", 301),
        ("GET", "/engine/step", 301),
        ("GET", "/engine/flow/x/status", 301),
        ("GET", "/engine/ws", 301),
        ("POST", "/engine/flow", 307),
        ("PUT", "/engine/step/x", 307),
        ("DELETE", "/engine/step/x", 307),
        ("POST", "/webhook/f/s/t", 307),
    ],
)
def test_a_trailing_slash_redirects(api, method, path, status):
    """To the same path without it, where that is a route for the method."""
    res = api.open(path + "/", method=method)
    assert (res.status_code, res.headers["Location"]) == (status, path)


@pytest.mark.parametrize("method,path", [("PATCH", "/engine/step/"), ("DELETE", "/webhook/f/s/t/"), ("GET", "/nope/")])
def test_a_slash_after_no_route_does_not_redirect(api, method, path):
    """Without the slash it would be a 404 all the same."""
    assert no_page(api.open(path, method=method))


def test_a_redirect_keeps_query_and_escapes(api):
    """The query goes along as it was written, the path is escaped again."""
    assert api.get("/engine/step/a%20b%3F/?a=1&b=%20").headers["Location"] == "/engine/step/a%20b%3F?a=1&b=%20"


def test_path_parameters_are_decoded_once(api, engine):
    """An escape becomes its character, a plus stays one, an escaped percent is not decoded again."""
    for path in ("a%20b", "a+b", "a%2Bb", "a%2520b"):
        api.get(f"/engine/flow/{path}/status")
    assert [asked[1] for asked in engine.queries.asked] == ["a b", "a+b", "a+b", "a%20b"]


@pytest.mark.parametrize("path", ["/engine", "/engine/step", "/engine/flow", "/engine/catalog"])
def test_query_parameters_are_ignored(api, path):
    """Nothing reads them."""
    assert api.get(path + "?limit=-1&sort=x").status_code == 200


def test_answers_carry_no_validators(api):
    """Neither ETag nor Last-Modified: nothing is cached."""
    assert {"ETag", "Last-Modified"} & set(api.get("/engine/step").headers.keys()) == set()


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_the_content_type_of_a_request_is_ignored(api, content_type):
    """The body is read as JSON whatever it is called."""
    assert api.post("/engine/flow/query", data='{"limit": 1}', content_type=content_type).status_code == 200


def test_the_socket_route_refuses_plain_requests(api):
    """400 in plain text without an upgrade."""
    res = api.get("/engine/ws")
    assert (res.status_code, res.mimetype) == (400, "text/plain")


def test_an_upgrade_that_reaches_the_routes_is_refused_in_text(api):
    """As on a server that serves no sockets."""
    res = api.get("/engine/ws", headers={"Connection": "Upgrade", "Upgrade": "websocket"})
    assert (res.status_code, res.mimetype) == (400, "text/plain")
