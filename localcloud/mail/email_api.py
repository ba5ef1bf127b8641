"""The Email REST API as azure-communication-email 1.1.0 uses it: send, and get the status of a send."""

import re
import uuid
from base64 import b64decode
from dataclasses import dataclass

from aiohttp import web

from localcloud.clocks import Clock
from localcloud.mail.faults import ConnectionDropError, FaultScript
from localcloud.mail.messages import EmailMessage
from localcloud.mail.refusals import RefusedError, bad_request, parse_body
from localcloud.mail.repeatability import RepeatableRequest, repeatable_request
from localcloud.mail.signatures import SignedRequest, verify
from localcloud.mail.store import MailStore, Send

_OPERATION_ID = re.compile(r"[A-Za-z0-9._~-]{1,64}")


@dataclass(frozen=True)
class EmailApi:
    """The two operations. `access_key` is base64; `wall` dates requests, `domain` dates accepted mails."""

    store: MailStore
    faults: FaultScript
    access_key: str
    wall: Clock
    domain: Clock

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/emails:send", self.send),
            web.get("/emails/operations/{operation_id}", self.operation),
        ]

    async def send(self, request: web.Request) -> web.Response:
        """Accept a message: 202 once it is stored on disk."""
        body = await self._authenticated(request)
        send = Send(
            operation_id=_operation_id(request),
            message=parse_body(EmailMessage, body),
            repeatable=repeatable_request(request.headers, now=self.wall()),
        )
        fault = self.faults.take(send.message.recipients)
        if fault is not None:
            fault.raise_before_acceptance()
        operation_id = self.store.accept(send, received=self.domain())
        if fault is not None and fault.drop == "after":
            raise ConnectionDropError
        return _accepted(request, operation_id, send.repeatable)

    async def operation(self, request: web.Request) -> web.Response:
        """Return the status of a send: Succeeded for every known operation id."""
        await self._authenticated(request)
        operation_id = request.match_info["operation_id"]
        if not self.store.knows_operation(operation_id):
            raise RefusedError(404, "OperationNotFound", f"No send has the operation id {operation_id}.")
        return web.json_response({"id": operation_id, "status": "Succeeded"})

    async def _authenticated(self, request: web.Request) -> bytes:
        body = await request.read()
        signed = SignedRequest(request.method, request.raw_path, request.headers, body)
        verify(signed, key=b64decode(self.access_key), now=self.wall())
        if not request.query.get("api-version"):
            raise bad_request("api-version: the query parameter is required")
        return body


def _operation_id(request: web.Request) -> str:
    given = request.headers.get("Operation-Id")
    if given is None:
        return str(uuid.uuid4())
    if not _OPERATION_ID.fullmatch(given):
        raise bad_request("Operation-Id: use a UUID")
    return given


def _accepted(request: web.Request, operation_id: str, repeatable: RepeatableRequest | None) -> web.Response:
    version = request.query["api-version"]
    location = request.url.origin() / "emails" / "operations" / operation_id
    headers = {"Operation-Location": str(location.with_query({"api-version": version})), "Retry-After": "1"}
    if repeatable is not None:
        headers["Repeatability-Result"] = "accepted"
    return web.json_response({"id": operation_id, "status": "Running"}, status=202, headers=headers)
