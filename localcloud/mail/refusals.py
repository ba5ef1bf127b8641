"""Error responses in the shape of the service, `{"error": {"code", "message"}}`, and the parsing that raises them."""

from collections.abc import Mapping
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)


class RefusedError(Exception):
    """A request that is answered with an error status."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    def response(self) -> web.Response:
        """Return the error as JSON."""
        body = {"error": {"code": self.code, "message": self.message}}
        return web.json_response(body, status=self.status, headers=self.headers)


def bad_request(message: str) -> RefusedError:
    return RefusedError(400, "BadRequest", message)


def parse_body(model: type[Model], body: bytes) -> Model:
    """Parse JSON into `model`. Raises RefusedError 400 that names the first invalid member."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"]) or "body"
        raise bad_request(f"{place}: {first['msg']}") from error
