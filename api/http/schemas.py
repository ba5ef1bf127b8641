"""Base classes of response models (docs/api.md, conventions)."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel


def format_datetime(time: datetime) -> str:
    """A time as ISO 8601. All times are UTC, shown as `Z`, except dates of contracts, which keep their offset."""
    return time.isoformat().replace("+00:00", "Z")


DateTime = Annotated[datetime, PlainSerializer(format_datetime, return_type=str)]


class View(BaseModel):
    """Base of response models: camelCase names, every field present."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        json_schema_serialization_defaults_required=True,
    )

    @classmethod
    def from_domain(cls, source: object, **computed: object) -> Self:
        """The view of a domain object: fields that are not `computed` are its attributes of the same name."""
        names = cls.__pydantic_fields__
        values = {name: computed[name] if name in computed else getattr(source, name) for name in names}
        return cls.model_validate(values, from_attributes=True)

    def document(self) -> dict[str, Any]:
        """The response as JSON."""
        return self.model_dump(mode="json", by_alias=True)


class PageView(BaseModel):
    """Base of pages; nextLink is there unless this is the last page."""

    model_config = ConfigDict(frozen=True)
    next_link: Annotated[str, Field(alias="@odata.nextLink")] = ""
