"""The OpenAPI 3.1 document, made of the routes that serve, the models that read and answer, and `contract`."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import azure.durable_functions as df
import azure.functions as func
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.contract.shapes import CONTRACT, ErrorView, Schema, Shape
from api.http.json_body import MAX_BYTES

_MODEL = "#/components/schemas/{model}"
_MEANINGS = {
    200: "Done.",
    201: "Made.",
    204: "Done; nothing to say.",
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


class UndescribedOperation(Exception):
    """A function that serves HTTP has no entry in the contract."""


@cache
def document() -> Schema:
    """The document of everything that this service serves."""
    from api.blueprints import HTTP  # noqa: PLC0415 - the page that serves this is one of them

    return describe(HTTP)


def describe(blueprints: Iterable[df.Blueprint]) -> Schema:
    """The document of these blueprints' operations. Raises `UndescribedOperation`."""
    app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
    for blueprint in blueprints:
        app.register_functions(blueprint)
    refs, definitions = _schemas()
    paths: dict[str, Schema] = {}
    for function in app.get_functions():
        trigger: Any = function.get_trigger()
        name, route = function.get_function_name(), f"/{trigger.route}"
        if name not in CONTRACT:
            raise UndescribedOperation(f"Describe {name} in api/contract/shapes.py.")
        summary = _sentence(function.get_user_function().__doc__)
        for method in trigger.methods:
            operation = _operation(name, route, summary, CONTRACT[name], refs)
            paths.setdefault(route, {})[str(method.value).lower()] = operation
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


def _operation(name: str, route: str, summary: str, shape: Shape, refs: dict[Any, Schema]) -> Schema:
    operation: Schema = {
        "operationId": name,
        "summary": summary,
        "parameters": [*_path_parameters(route), *_options(shape), *_headers(shape)],
        "responses": _responses(shape, refs),
    }
    if shape.request is not None:
        schema = shape.request if isinstance(shape.request, dict) else refs[shape.request, "validation"]
        content = {media_type: {"schema": schema} for media_type in shape.media_types}
        operation["requestBody"] = {"required": True, "content": content}
    if shape.without_token:
        operation["security"] = []
    return operation


def _path_parameters(route: str) -> Iterator[Schema]:
    for name in re.findall(r"{(\w+)}", route):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _options(shape: Shape) -> Iterator[Schema]:
    for option in shape.options:
        yield {
            "name": option.name,
            "in": "query",
            "required": option.required,
            "schema": option.schema,
            "description": option.description,
        }


def _headers(shape: Shape) -> Iterator[Schema]:
    for name in shape.headers:
        yield {
            "name": name,
            "in": "header",
            "required": name == "If-Match" and 428 in shape.errors,
            "schema": {"type": "string"},
            "description": _HEADERS[name],
        }


def _responses(shape: Shape, refs: dict[Any, Schema]) -> Schema:
    answers: Schema = {
        str(status): _answer(status, body, shape, refs) for status, body in shape.answers.items()
    }
    shared = () if shape.without_token else (401, 403, 411, 500, 503)
    for status in sorted({*shape.errors, *shared}):
        content = {"application/json": {"schema": refs[ErrorView, "serialization"]}}
        answers.setdefault(str(status), {"description": _MEANINGS[status], "content": content})
    return answers


def _answer(
    status: int,
    body: type[BaseModel] | tuple[type[BaseModel], ...] | None,
    shape: Shape,
    refs: dict[Any, Schema],
) -> Schema:
    answer: Schema = {"description": _MEANINGS[status]}
    if body is None:
        if status == 200:
            answer["content"] = {"text/html" if shape.html else "application/json": {"schema": {}}}
        return answer
    models = body if isinstance(body, tuple) else (body,)
    schemas = [refs[model, "serialization"] for model in models]
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    answer["content"] = {"application/json": {"schema": schema}}
    return answer


def _schemas() -> tuple[dict[Any, Schema], Schema]:
    """A reference for each model, and what the references lead to."""
    wanted: dict[Any, None] = {(ErrorView, "serialization"): None}
    for shape in CONTRACT.values():
        if isinstance(shape.request, type):
            wanted[shape.request, "validation"] = None
        for body in shape.answers.values():
            for model in body if isinstance(body, tuple) else (body,):
                if model is not None:
                    wanted[model, "serialization"] = None
    refs, definitions = models_json_schema(list(wanted), ref_template=_MODEL)
    return dict(refs), definitions["$defs"]


def _sentence(text: str | None) -> str:
    return " ".join((text or "").split())
