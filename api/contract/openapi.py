"""Builds the OpenAPI 3.1 document from the declared operations and their models."""

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
_STATUSES = {
    200: "OK.",
    201: "Created.",
    204: "OK, without a body.",
    304: "Not modified.",
    400: "The body is not JSON in UTF-8, a header is not UTF-8, or a query option is malformed or not supported.",
    401: "The token is missing or not valid.",
    403: "The caller's roles do not allow this.",
    404: "The record does not exist, or the caller may not see it.",
    409: "The record's state, direction or type does not allow this, or the key was used with another body.",
    411: "The body did not arrive: send it with a Content-Length header.",
    412: "If-Match names another version; innerError has the current ETag and the changed fields.",
    413: f"The body has more than {MAX_BYTES:,} bytes.",
    415: "The media type is not supported.",
    422: "The body has faults; details lists all of them.",
    428: "The header If-Match is missing.",
    429: "Too many requests, or a quota is used up: retry after Retry-After seconds.",
    500: "A stored record is damaged: the service's operator has to repair it.",
    503: "Temporarily unavailable: retry after Retry-After seconds.",
}
_HEADERS = {
    "If-Match": "The ETag of the version to change.",
    "If-None-Match": "The ETag of the version that the client has.",
    "Idempotency-Key": "A request repeated with the same key and body within 7 days is carried out once.",
    "client-request-id": "The client's GUID; a creation repeated with it and the same body is carried out once.",
    "Prefer": "With return=representation the response is 200 with the resource.",
}


class FaultView(View):
    code: str
    target: str
    message: str


class ErrorBodyView(View):
    """`details` lists every fault of the request; `innerError` has data that a client can act on."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)
    code: str
    message: str
    target: str | None
    details: tuple[FaultView, ...] = ()
    inner_error: dict[str, Any] = Field(default_factory=dict)


class ErrorView(View):
    error: ErrorBodyView


def openapi_document(operations: Iterable[Operation]) -> Schema:
    """The OpenAPI document of the operations."""
    declared = list(operations)
    refs, definitions = _schemas(declared)
    paths: dict[str, Schema] = {}
    for operation in declared:
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
        yield _parameter("query", option.name, option.schema, option.description, required=option.required)


def _header_parameters(operation: Operation) -> Iterator[Schema]:
    for name in operation.headers:
        required = name == "If-Match" and 428 in operation.errors
        yield _parameter("header", name, {"type": "string"}, _HEADERS[name], required=required)


def _parameter(place: str, name: str, schema: Schema, description: str, *, required: bool) -> Schema:
    return {"name": name, "in": place, "required": required, "schema": schema, "description": description}


def _responses(operation: Operation, refs: dict[Any, Schema]) -> Schema:
    responses: Schema = {
        str(status): _response(status, body, operation, refs) for status, body in operation.returns.items()
    }
    for status in sorted(operation.error_statuses):
        content = {"application/json": {"schema": refs[ErrorView, "serialization"]}}
        responses.setdefault(str(status), {"description": _STATUSES[status], "content": content})
    return responses


def _response(status: int, body: Returned, operation: Operation, refs: dict[Any, Schema]) -> Schema:
    response: Schema = {"description": _STATUSES[status]}
    if body is None:
        if status == 200:
            response["content"] = {"text/html" if operation.html else "application/json": {"schema": {}}}
        return response
    schemas = [refs[model, "serialization"] for model in _models(body)]
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    response["content"] = {"application/json": {"schema": schema}}
    return response


def _schemas(operations: Iterable[Operation]) -> tuple[dict[Any, Schema], Schema]:
    """The reference to the schema of each model, and the schemas."""
    models: dict[Any, None] = {(ErrorView, "serialization"): None}  # a dict keeps their order
    for operation in operations:
        if isinstance(operation.body, type):
            models[operation.body, "validation"] = None
        for body in operation.returns.values():
            models |= {(model, "serialization"): None for model in _models(body)}
    refs, definitions = models_json_schema(list(models), ref_template=_MODEL)
    return dict(refs), definitions["$defs"]


def _models(body: Returned) -> tuple[type[BaseModel], ...]:
    if body is None:
        return ()
    return body if isinstance(body, tuple) else (body,)
