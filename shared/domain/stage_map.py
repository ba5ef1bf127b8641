"""Stage maps: an organization's own names of sales stages, mapped to the standard ones (S3)."""

from dataclasses import dataclass

from shared.domain.directory import normalized_name
from shared.domain.vocabulary import SalesStage


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedStage:
    """One name and the standard stage that it stands for."""

    name: str
    stage: SalesStage


@dataclass(frozen=True, slots=True, kw_only=True)
class StageMap:
    """The names of one organization; they are compared as `normalized_name` does. `version` counts changes."""

    stages: tuple[NamedStage, ...] = ()
    version: int = 0

    def stage_of(self, name: str) -> SalesStage | None:
        """The standard stage of a name, or None."""
        normalized = normalized_name(name)
        return next((each.stage for each in self.stages if normalized_name(each.name) == normalized), None)
