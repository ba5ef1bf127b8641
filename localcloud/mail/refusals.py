"""Answers that say no, in the error shape of the service: `{"error": {"code", "message"}}`."""

from collections.abc import Mapping

from aiohttp import web
from pydantic import ValidationError


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


def invalid(error: ValidationError) -> RefusedError:
    """Return a 400 that names the first member at fault."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(step) for step in first["loc"]) or "body"
    return bad_request(f"{place}: {first['msg']}")
