"""Handlers whose process ends right after their responses: nothing that they left for then is ever done."""

from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from shared.wiring import Service
from shared.workflow.follow_up import Background


class NoBackground(Background):
    """Forgets what it is to do."""

    def start(self, follow_up: Coroutine[Any, Any, None]) -> None:
        """Of the follow-up nothing ever runs."""
        follow_up.close()


def with_dying_handlers(service: Service) -> Service:
    """The service, whose handlers die; its sweep and its activities do not."""
    return replace(service, follow_ups=replace(service.follow_ups, background=NoBackground()))
