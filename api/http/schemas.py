"""The base of what operations answer (docs/api.md, conventions)."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel


def moment(at: datetime) -> str:
    """A time as the wire shows it: ISO 8601, UTC as `Z`, which all times are in but the days of a contract."""
    return at.isoformat().replace("+00:00", "Z")


Moment = Annotated[datetime, PlainSerializer(moment, return_type=str)]


class View(BaseModel):
    """Base of answers: camelCase names, nothing left out."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        json_schema_serialization_defaults_required=True,
    )

    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        return self.model_dump(mode="json", by_alias=True)


class PageView(BaseModel):
    """Base of pages. A nextLink is there when there may be more."""

    model_config = ConfigDict(frozen=True)
    next_link: Annotated[str, Field(alias="@odata.nextLink")] = ""
