"""Logs the outcome of an episode."""

import logging

from devhost.episode import Outcome
from devhost.replay import CaseMismatch
from devhost.status import Status
from devhost.store import Instance

_log = logging.getLogger(__name__)


def log_outcome(instance: Instance, outcome: Outcome) -> None:
    """Log the events that the orchestrator will not see, and how the instance ended, if it ended."""
    for mismatch in outcome.mismatches:
        _log_mismatch(instance, mismatch)
    if outcome.status is Status.COMPLETED:
        _log.info("orchestration.completed instance=%s orchestrator=%s", instance.instance_id, instance.name)
    elif outcome.status.is_final:
        _log.warning(
            "orchestration.%s instance=%s orchestrator=%s output=%s",
            outcome.status.lower(),
            instance.instance_id,
            instance.name,
            outcome.output,
        )


def _log_mismatch(instance: Instance, mismatch: CaseMismatch) -> None:
    _log.warning(
        "event.case_mismatch instance=%s orchestrator=%s raised=%s awaited=%s; the host matched them but the "
        "orchestrator compares exactly and goes on waiting, as it would on Azure; raise '%s' instead",
        instance.instance_id,
        instance.name,
        mismatch.raised,
        mismatch.awaited,
        mismatch.awaited,
    )
