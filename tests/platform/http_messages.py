"""HTTP as the host and its worker tell each other of it."""

import base64
import json
from dataclasses import dataclass
from typing import Any

from tests.platform.worker import Message


def request(
    method: str, path: str, *, token: str | None = None, body: object = None, **params: str
) -> Message:
    """A request as the host passes it on; `params` are the route's."""
    headers = {"host": "localhost"} | ({"authorization": f"Bearer {token}"} if token else {})
    http: Message = {"method": method, "url": f"http://localhost{path}", "headers": headers, "params": params}
    if body is not None:
        headers["content-type"] = "application/json"
        http["body"] = {"bytes": base64.b64encode(json.dumps(body).encode()).decode()}
    return {"http": http}


@dataclass(frozen=True)
class Response:
    """A function's answer, as the host sends it on."""

    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def of(cls, returned: Message) -> "Response":
        http = returned["http"]
        headers = {name.lower(): value for name, value in http["headers"].items()}
        return cls(int(http["status_code"]), headers, base64.b64decode(http["body"]["bytes"]))

    def json(self) -> Any:
        return json.loads(self.body)
