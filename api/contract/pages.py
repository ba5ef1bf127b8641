"""Serve the API description: `GET /v1.0/openapi.json` and `GET /docs`. Neither needs a token."""

from base64 import b64encode
from functools import cache
from hashlib import sha256

from jinja2 import Environment, PackageLoader, select_autoescape

from api.contract.openapi import openapi_document
from api.http.operation import OPERATIONS, Schema, public_operation
from api.http.request import PublicRequest
from api.http.response import Response


@public_operation("GET", "v1.0/openapi.json", returns={200: None}, limited=True)
async def get_openapi(_request: PublicRequest) -> Response:
    """Get the OpenAPI 3.1 document of this API."""
    return Response(body=document())


@public_operation("GET", "docs", returns={200: None}, html=True, limited=True)
async def get_docs(_request: PublicRequest) -> Response:
    """Read the description of this API as a web page."""
    text = page()
    return Response(body=text, media_type="text/html", headers={"Content-Security-Policy": _policy(text)})


@cache
def document() -> Schema:
    """The OpenAPI document of all operations."""
    return openapi_document(OPERATIONS.values())


@cache
def page() -> str:
    """The HTML page with all operations and schemas."""
    environment = Environment(
        loader=PackageLoader("api.contract"), autoescape=select_autoescape(default=True), trim_blocks=True
    )
    return environment.get_template("docs.html").render(contract=document())


def _policy(text: str) -> str:
    """The content security policy of the page: its own script and style, and nothing else."""
    script, style = (_inline_hash(text, element) for element in ("script", "style"))
    return (
        f"default-src 'none'; script-src {script}; style-src {style}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _inline_hash(text: str, element: str) -> str:
    """The source that allows the page's only inline script or style."""
    content = text.partition(f"<{element}>")[2].partition(f"</{element}>")[0]
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"
