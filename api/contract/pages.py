"""`GET /v1.0/openapi.json` and `GET /docs`: the contract for programs and for people. Neither needs a token."""

from functools import cache

import azure.durable_functions as df
import azure.functions as func
from jinja2 import Environment, PackageLoader, select_autoescape

from api.contract.openapi import document
from api.http.operation import CHANGING, CREATING, SEEING, Option, operation
from api.http.request import Request
from api.http.response import Response



@operation("GET", "v1.0/openapi.json", returns={200: None})
async def get_openapi(request: Request) -> Response:
    """The contract as an OpenAPI 3.1 document."""
    return to_response(Response(body=document()), req.headers.get("client-request-id"))



@operation("GET", "docs", returns={200: None}, html=True)
async def get_docs(request: Request) -> Response:
    """The contract as a page."""
    del req
    return func.HttpResponse(page(), mimetype="text/html", charset="utf-8")



@cache
def page() -> str:
    """The page: every operation with what it takes and answers, and every schema."""
    environment = Environment(
        loader=PackageLoader("api.contract"), autoescape=select_autoescape(default=True), trim_blocks=True
    )
    return environment.get_template("docs.html").render(contract=document())
