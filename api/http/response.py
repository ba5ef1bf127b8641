"""What a handler answers, and how it goes on the wire (docs/api.md, conventions)."""

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
    """A status, a body (a model, JSON, or text of another media type), and headers besides those of all answers."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    media_type: str = "application/json"

    def to_http(self, client_request_id: str | None) -> func.HttpResponse:
        """The answer on the wire, with the headers that every answer of the API has; a page is none."""
        headers = {**_api_headers(client_request_id), **self.headers} if self._is_json else self.headers
        return func.HttpResponse(
            self._text(),
            status_code=self.status,
            headers=dict(headers),
            mimetype=self.media_type,
            charset="utf-8",
        )

    def json(self) -> Any:
        """The body as JSON."""
        return (
            self.body.model_dump(mode="json", by_alias=True)
            if isinstance(self.body, BaseModel)
            else self.body
        )

    @property
    def _is_json(self) -> bool:
        return self.media_type == "application/json"

    def _text(self) -> str | None:
        if self.body is None:
            return None
        return json.dumps(self.json(), ensure_ascii=False) if self._is_json else str(self.body)


def _api_headers(client_request_id: str | None) -> dict[str, str]:
    return {
        "request-id": str(uuid.uuid4()),
        "client-request-id": _header_value(client_request_id) or str(uuid.uuid4()),
        "timestamp": clock.now().isoformat().replace("+00:00", "Z"),
        "Cache-Control": "no-store",
    }


def _header_value(text: str | None) -> str | None:
    """A client's id to be sent back, if it can stand in a header."""
    return text if text and text.isascii() and text.isprintable() and len(text) <= 255 else None
