"""The quotas of what causes mail, as the API refuses what is beyond them (rule U1)."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from api.http.problems import TooManyRequests
from api.http.request import Request
from shared.domain.invitation_rules import MAX_INVITATIONS
from shared.domain.quotas import QuotaReached

QuotaOf = Callable[[], AbstractAsyncContextManager[None]]
"""Takes what a request needs out of a quota while it is carried out. Raises `TooManyRequests`."""
NO_QUOTA: QuotaOf = nullcontext


def quota_of_invitations(request: Request, number: int) -> QuotaOf:
    """The caller's quota for so many invitations; more than one request may have are refused by another rule."""
    wanted = min(number, MAX_INVITATIONS + 1)

    @asynccontextmanager
    async def quota() -> AsyncIterator[None]:
        limit = request.service.settings.limits.invitations_per_day
        try:
            async with request.service.quotas.invitations(
                request.caller.organization.id, wanted, request.now
            ):
                yield
        except QuotaReached as reached:
            raise TooManyRequests(
                f"Your organization can send {limit:,} invitations a day (UTC). Of today's it has {reached.left:,} "
                f"left, and this request needs {wanted:,}: send fewer, or repeat it tomorrow.",
                reached.retry_after,
            ) from reached

    return quota


def quota_of_inquiries(request: Request) -> QuotaOf:
    """The quota of the calling application for a request for information."""

    @asynccontextmanager
    async def quota() -> AsyncIterator[None]:
        limit = request.service.settings.limits.inquiries_per_day
        try:
            async with request.service.quotas.inquiry(request.caller.organization.id, request.now):
                yield
        except QuotaReached as reached:
            raise TooManyRequests(
                f"Your application can send {limit:,} requests for information a day (UTC): repeat it tomorrow.",
                reached.retry_after,
            ) from reached

    return quota
