# SPDX-License-Identifier: Apache-2.0
"""HTTP connections as uvicorn makes them, with one more thing at the end: whoever waits for a flow is told.

Named in `cli/serve.py`. Without it the server would give waiting requests all of its time for stopping.
"""

from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from argyll_api.asgi import Application


class HttpConnection(HttpToolsProtocol):
    """One HTTP connection."""

    def shutdown(self) -> None:
        """Called when the server stops."""
        cast(Application, self.config.loaded_app).waits.stop()
        super().shutdown()
