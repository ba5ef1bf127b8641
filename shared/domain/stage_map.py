"""An organization's own names of sales stages, mapped to the standard ones (S3)."""

from dataclasses import dataclass

from shared.domain.directory import normalized_name
from shared.domain.vocabulary import SalesStage


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedStage:
    """One name and the stage that it stands for."""

    name: str
    stage: SalesStage


@dataclass(frozen=True, slots=True, kw_only=True)
class StageMap:
    """The table of an organization; names count up to case and runs of spaces. `version` counts its changes."""

    stages: tuple[NamedStage, ...] = ()
    version: int = 0

    def stage_of(self, name: str) -> SalesStage | None:
        """The standard stage of an own name."""
        wanted = normalized_name(name)
        return next((each.stage for each in self.stages if normalized_name(each.name) == wanted), None)
