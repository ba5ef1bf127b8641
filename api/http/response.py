"""The responses that handlers return, and how they become HTTP responses (docs/api.md, conventions)."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import azure.functions as func
from pydantic import BaseModel

from shared import clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A status, a body (a model, JSON, or text of another media type), and headers besides the common ones."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    media_type: str = "application/json"

    def to_http(self, client_request_id: str | None) -> func.HttpResponse:
        """The HTTP response; one in JSON has the headers common to all responses of the API."""
        text, headers = self.body, {**_SAFETY, **self.headers}
        if self.media_type == "application/json":
            text = None if self.body is None else json.dumps(self.json(), ensure_ascii=False)
            headers = {**_api_headers(client_request_id), **headers}
        return func.HttpResponse(
            text, status_code=self.status, headers=headers, mimetype=self.media_type, charset="utf-8"
        )

    def json(self) -> Any:
        """The body as JSON."""
        is_model = isinstance(self.body, BaseModel)
        return self.body.model_dump(mode="json", by_alias=True) if is_model else self.body


_SAFETY = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""What browsers may do with a response: nothing, unless a page says otherwise (docs/security.md)."""


def _api_headers(client_request_id: str | None) -> dict[str, str]:
    return {
        "request-id": str(uuid.uuid4()),
        "client-request-id": _header_value(client_request_id) or str(uuid.uuid4()),
        "timestamp": clock.now().isoformat().replace("+00:00", "Z"),
        "Cache-Control": "no-store",
    }


def _header_value(text: str | None) -> str | None:
    """A client's id, if it is valid as a header value."""
    return text if text and text.isascii() and text.isprintable() and len(text) <= 255 else None
