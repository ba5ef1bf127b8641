"""List registrations: the review queue for reviewers, a partner's own for the partner (rules G5, V6)."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar, get_args

from api.http.operation import operation
from api.http.paging import PAGING, Option, page, place_of, top_of
from api.http.problems import BadQuery, Forbidden
from api.http.request import Request
from api.http.response import Response
from api.registrations.mapping import latest_round, registration_view
from api.registrations.schemas import RegistrationsPage
from shared.domain.directory import normalized_name
from shared.domain.permissions import may_report_deals, may_review, may_use_referrals
from shared.domain.referral import ReferralKey
from shared.domain.registration import Registration
from shared.domain.vocabulary import RegistrationKind, RegistrationStatus
from shared.storage.referral_lists import Scan
from shared.storage.registrations import Queued

STATUSES: tuple[RegistrationStatus, ...] = get_args(RegistrationStatus)
KINDS: tuple[RegistrationKind, ...] = get_args(RegistrationKind)
Code = TypeVar("Code", bound=str)
_MAX_DAYS = 10_000
_UNREVIEWED: frozenset[RegistrationStatus] = frozenset({"Draft", "Submitted"})
_WAITING: tuple[RegistrationStatus, ...] = ("ReviewPending", "ActionRequired")
"""What reviewers see unless they ask for a status: registrations without a final decision."""
MAX_DEALS_READ = 200
"""How many deals one request reads to check whether the caller may see them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """The query options; `age` is how long a registration must have waited."""

    statuses: tuple[RegistrationStatus, ...]
    kinds: tuple[RegistrationKind, ...]
    customer: str
    age: timedelta

    def matches(self, registration: Registration, request: Request) -> bool:
        """Whether a registration matches, with the form that the caller sees."""
        form = registration.submitted_form if may_review(request.caller) else registration.form
        since = registration.submitted_at or registration.created_at
        return (
            request.is_retained(registration)
            and registration.status in self.statuses
            and registration.kind in self.kinds
            and self.customer in normalized_name(form.customer.name or "")
            and request.now - since >= self.age
        )


@operation(
    "GET",
    "v1.0/registrations",
    query=(
        Option("status", {"type": "string"}, "One status, or several separated by commas."),
        Option("kind", {"type": "string"}, "One kind, or several separated by commas."),
        Option("customer", {"type": "string"}, "Part of the customer's name."),
        Option(
            "olderThanDays",
            {"type": "integer", "minimum": 0, "maximum": _MAX_DAYS},
            "The minimum number of days since submission.",
        ),
        *PAGING,
    ),
    returns=RegistrationsPage,
)
async def list_registrations(request: Request) -> Response:
    """List registrations, the longest waiting first.

    Reviewers see what was submitted for review, by default what has no final decision; partners see their own.
    """
    options = request.options
    wanted = Filter(
        statuses=_codes(options.get("status"), STATUSES, "status"),
        kinds=_codes(options.get("kind"), KINDS, "kind"),
        customer=normalized_name(options.get("customer") or ""),
        age=_age(options.get("olderThanDays")),
    )
    top, place = top_of(request), place_of(request, r"[0-9a-z:-]{1,80}")
    listing = _Listing(request, wanted, _scan(request, wanted, place))
    found, more = await listing.page(top, place)
    views = [
        registration_view(
            each.registration,
            latest_round(each.registration),
            request.caller,
            assigned_to=each.assigned_to,
        )
        for each in found
    ]
    return Response(body=page(request, views, more))


@dataclass(frozen=True, slots=True)
class _Listing:
    """Reads the list for one request; `deals` caches which deals the caller may see."""

    request: Request
    wanted: Filter
    scan: Scan[Queued] | Scan[Registration]
    deals: dict[ReferralKey, bool] = field(default_factory=dict[ReferralKey, bool])

    async def page(self, top: int, after: str | None) -> tuple[list[Queued], str | None]:
        """At most `top` registrations, and the position of the next page; fewer if a limit is reached first."""
        found: list[Queued] = []
        last = after
        async for record in self.scan.records(top + 1):
            queued = record if isinstance(record, Queued) else Queued(registration=record)
            if self.wanted.matches(queued.registration, self.request):
                if len(found) == top or len(self.deals) == MAX_DEALS_READ:
                    return found, last
                if await self._sees(queued.registration):
                    found.append(queued)
            last = self.scan.place
        return found, None if self.scan.complete else self.scan.place

    async def _sees(self, registration: Registration) -> bool:
        if may_review(self.request.caller):
            return True
        deal = registration.referral
        if deal is None:
            return may_report_deals(self.request.caller)
        if deal not in self.deals:
            found = await self.request.service.referrals.get_many([deal])
            self.deals[deal] = any(self.request.sees(each) for each in found)
        return self.deals[deal]


def _scan(request: Request, wanted: Filter, after: str | None) -> Scan[Queued] | Scan[Registration]:
    """The rows to read: for reviewers the review queue, for partners those of their organization."""
    caller, registrations = request.caller, request.service.registrations
    if may_review(caller):
        by_status = request.options.get("status") is not None
        statuses = [each for each in wanted.statuses if each not in _UNREVIEWED] if by_status else _WAITING
        return registrations.queue(statuses, after)
    if caller.organization.kind != "partner" or not may_use_referrals(caller):
        raise Forbidden("Only partners and Microsoft's deal reviewers can see registrations.")
    return registrations.scan_organization(caller.organization.id, after)


def _codes(text: str | None, known: tuple[Code, ...], name: str) -> tuple[Code, ...]:
    """The codes of a query option, separated by commas; all codes if it is absent. Raises `BadQuery`."""
    if text is None:
        return known
    by_name = {code.lower(): code for code in known}
    names = [each.strip().lower() for each in text.split(",")]
    if not all(each in by_name for each in names):
        raise BadQuery(f"{name} is one of {', '.join(known)}, or several of them separated by commas.")
    return tuple(by_name[each] for each in names)


def _age(text: str | None) -> timedelta:
    if text is None:
        return timedelta()
    digits = text.lstrip("0") or "0"
    if not (text.isascii() and text.isdecimal() and len(digits) < 10 and int(digits) <= _MAX_DAYS):
        raise BadQuery(f"olderThanDays is a whole number up to {_MAX_DAYS:,}.")
    return timedelta(days=int(digits))
