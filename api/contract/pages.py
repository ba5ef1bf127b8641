"""`GET /v1.0/openapi.json` and `GET /docs`: the contract for programs and for people. Neither needs a token."""

from functools import cache

import azure.durable_functions as df
import azure.functions as func
from jinja2 import Environment, PackageLoader, select_autoescape

from api.contract.openapi import document
from api.http.request import Answer, to_response

blueprint = df.Blueprint()


@blueprint.route("v1.0/openapi.json", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def get_openapi(req: func.HttpRequest) -> func.HttpResponse:
    """The contract as an OpenAPI 3.1 document."""
    return to_response(Answer(body=document()), req.headers.get("client-request-id"))


@blueprint.route("docs", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def show_docs(req: func.HttpRequest) -> func.HttpResponse:
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
