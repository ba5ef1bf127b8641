"""The lists of values that the API uses, with names in English and Korean: `GET /v1.0/reference-data`."""

from functools import cache
from typing import Any, Literal

import pycountry
from babel import Locale
from pydantic import create_model
from pydantic.alias_generators import to_snake

from api.http.fields import currency_decimals
from api.http.operation import operation
from api.http.request import Request
from api.http.response import Response
from api.http.schemas import View
from shared.domain.vocabulary import ASSESSMENT_STAGES, STAGE_PERCENTAGES, STANDARD_STAGES, SalesStage
from shared.reference.names import LANGUAGES, names


class NameView(View):
    en: str
    ko: str


class CodeView(View):
    code: str
    name: NameView


class StageView(CodeView):
    """`of` says which deals have the stage: all, all except assessments (`standard`), or only assessments."""

    percent: int
    of: Literal["all", "standard", "solutionAssessment"]


class CurrencyView(CodeView):
    decimals: int


STAGES = "salesStages"
_LISTS: dict[str, Any] = {
    **{to_snake(name): (list[CodeView] if name != STAGES else list[StageView], ...) for name in names()},
    "currencies": (list[CurrencyView], ...),
    "countries": (list[CodeView], ...),
}
ReferenceDataView = create_model("ReferenceDataView", __base__=View, **_LISTS)
"""One field for each list of `names.toml`, then the lists that are generated."""


@operation("GET", "v1.0/reference-data", returns=ReferenceDataView)
async def get_reference_data(_request: Request) -> Response:
    """Get all lists of values; they are the same for everybody."""
    return Response(body=reference_data())


@cache
def reference_data() -> View:
    """The lists, built once per process."""
    lists = {name: _codes(codes) for name, codes in names().items() if name != STAGES}
    stages = [_stage(stage, names()[STAGES][stage]) for stage in STAGE_PERCENTAGES]
    values = {**lists, STAGES: stages, "currencies": _currencies(), "countries": _countries()}
    return ReferenceDataView.model_validate(values)


def _codes(codes: dict[str, dict[str, str]]) -> list[CodeView]:
    return [CodeView(code=code, name=NameView(**texts)) for code, texts in codes.items()]


def _stage(stage: SalesStage, texts: dict[str, str]) -> StageView:
    of: Literal["all", "standard", "solutionAssessment"] = "all"
    if stage in STANDARD_STAGES:
        of = "standard"
    elif stage in ASSESSMENT_STAGES:
        of = "solutionAssessment"
    return StageView(code=stage, name=NameView(**texts), percent=STAGE_PERCENTAGES[stage], of=of)


def _currencies() -> list[CurrencyView]:
    return [
        CurrencyView(
            code=code,
            name=NameView(**{each: Locale(each).currencies.get(code, code) for each in LANGUAGES}),
            decimals=min(2, decimals),
        )
        for code, decimals in sorted(currency_decimals().items())
    ]


def _countries() -> list[CodeView]:
    return [
        CodeView(
            code=code, name=NameView(**{each: Locale(each).territories.get(code, code) for each in LANGUAGES})
        )
        for code in sorted(country.alpha_2 for country in pycountry.countries)
    ]
