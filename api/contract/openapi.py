"""The OpenAPI 3.1 document, made of the operations and of the models that read and answer."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic.json_schema import models_json_schema

from api.http.json_body import MAX_BYTES
from api.http.operation import Operation, Returned, Schema
from api.http.schemas import View

_MODEL = "#/components/schemas/{model}"
_MEANINGS = {
    200: "Done.",
    201: "Created.",
    204: "Done; there is no body.",
    304: "Unchanged.",
    400: "Not JSON in UTF-8, or a query that cannot be parsed or is not supported.",
    401: "No token, or one that proves nothing.",
    403: "The caller may not do this.",
    404: "There is no such record, or none that the caller may see.",
    409: "The state, direction or type forbids it, the record is closed, or the key was used for another body.",
    411: "The request announces a body that did not arrive: send its Content-Length.",
    412: "The record is not as If-Match says; innerError tells its tag and what changed.",
    413: f"More than {MAX_BYTES:,} bytes.",
    415: "Another media type.",
    422: "The body has faults: all of them are in details.",
    428: "If-Match is missing.",
    500: "What is stored of this cannot be read: the service's operator has to repair it.",
    503: "Try again after Retry-After seconds.",
}
_HEADERS = {
    "If-Match": "The ETag of the version that is meant.",
    "If-None-Match": "The ETag of the version that the client has.",
    "Idempotency-Key": "A request repeated with the same key and body within 7 days is carried out once.",
    "client-request-id": "A GUID of the client's; a repeated creation with it and the same body is the same one.",
    "Prefer": "return=representation answers 200 with the resource.",
}


class FaultView(View):
    code: str
    target: str
    message: str


class ErrorBodyView(View):
    """`details` lists every fault of a request at once; `innerError` what a client may act on."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)
    code: str
    message: str
    target: str | None
    details: tuple[FaultView, ...] = ()
    inner_error: dict[str, Any] = Field(default_factory=dict)


class ErrorView(View):
    error: ErrorBodyView


def openapi_document(operations: Iterable[Operation]) -> Schema:
    """The document of these operations."""
    described = list(operations)
    refs, definitions = _schemas(described)
    paths: dict[str, Schema] = {}
    for operation in described:
        paths.setdefault(f"/{operation.route}", {})[operation.method.lower()] = _operation(operation, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Co-sell referrals",
            "version": "1.0",
            "description": "Referrals and co-sell deals between organizations.",
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": definitions,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
        "security": [{"token": []}],
    }


def _operation(operation: Operation, refs: dict[Any, Schema]) -> Schema:
    described: Schema = {
        "operationId": to_camel(operation.name),
        "summary": operation.summary,
        "parameters": [
            *_path_parameters(operation.route),
            *_query_parameters(operation),
            *_header_parameters(operation),
        ],
        "responses": _responses(operation, refs),
    }
    if operation.description:
        described["description"] = operation.description
    if operation.body is not None:
        schema = operation.body if isinstance(operation.body, dict) else refs[operation.body, "validation"]
        content = {media_type: {"schema": schema} for media_type in operation.media_types}
        described["requestBody"] = {"required": True, "content": content}
    if operation.public:
        described["security"] = []
    return described


def _path_parameters(route: str) -> Iterator[Schema]:
    for name in re.findall(r"{(\w+)}", route):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _query_parameters(operation: Operation) -> Iterator[Schema]:
    for option in operation.query or ():
        yield {
            "name": option.name,
            "in": "query",
            "required": option.required,
            "schema": option.schema,
            "description": option.description,
        }


def _header_parameters(operation: Operation) -> Iterator[Schema]:
    for name in operation.headers:
        yield {
            "name": name,
            "in": "header",
            "required": name == "If-Match" and 428 in operation.errors,
            "schema": {"type": "string"},
            "description": _HEADERS[name],
        }


def _responses(operation: Operation, refs: dict[Any, Schema]) -> Schema:
    responses: Schema = {
        str(status): _response(status, body, operation, refs) for status, body in operation.returns.items()
    }
    shared = () if operation.public else (401, 403, 411, 500, 503)
    for status in sorted({*operation.errors, *shared}):
        content = {"application/json": {"schema": refs[ErrorView, "serialization"]}}
        responses.setdefault(str(status), {"description": _MEANINGS[status], "content": content})
    return responses


def _response(status: int, body: Returned, operation: Operation, refs: dict[Any, Schema]) -> Schema:
    response: Schema = {"description": _MEANINGS[status]}
    if body is None:
        if status == 200:
            response["content"] = {"text/html" if operation.html else "application/json": {"schema": {}}}
        return response
    schemas = [refs[model, "serialization"] for model in _models(body)]
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    response["content"] = {"application/json": {"schema": schema}}
    return response


def _schemas(operations: Iterable[Operation]) -> tuple[dict[Any, Schema], Schema]:
    """A reference for each model, and what the references lead to."""
    wanted: dict[Any, None] = {(ErrorView, "serialization"): None}
    for operation in operations:
        if isinstance(operation.body, type):
            wanted[operation.body, "validation"] = None
        for body in operation.returns.values():
            wanted |= {(model, "serialization"): None for model in _models(body)}
    refs, definitions = models_json_schema(list(wanted), ref_template=_MODEL)
    return dict(refs), definitions["$defs"]


def _models(body: Returned) -> tuple[type[BaseModel], ...]:
    if body is None:
        return ()
    return body if isinstance(body, tuple) else (body,)
