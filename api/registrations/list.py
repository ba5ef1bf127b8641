"""The lists of registrations: what reviewers look through, and what a partner has registered (rules G5, V6)."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar, get_args

from api.http.operation import operation
from api.http.paging import PAGING, Option, page, place_of, top_of
from api.http.problems import BadQuery, Forbidden
from api.http.request import Request
from api.http.response import Response
from api.registrations.mapping import latest_of, registration_view
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
_OLDEST = 10_000
_PLACE = re.compile(r"[0-9a-z:-]{1,80}")
_UNREVIEWED: frozenset[RegistrationStatus] = frozenset({"Draft", "Submitted"})
_WAITING: tuple[RegistrationStatus, ...] = ("ReviewPending", "ActionRequired")
"""What reviewers see unless they ask for a status: what is decided is history."""
MOST_DEALS = 200
"""How many deals one request looks at to know whether the caller sees them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a look at the queue asks for; `age` is how long a registration has waited at least."""

    statuses: tuple[RegistrationStatus, ...]
    kinds: tuple[RegistrationKind, ...]
    customer: str
    age: timedelta

    def takes(self, registration: Registration, request: Request) -> bool:
        """Whether a registration is asked for, as the caller sees it."""
        form = registration.submitted_form if may_review(request.caller) else registration.form
        since = registration.submitted_at or registration.created_at
        return (
            request.keeps(registration)
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
        Option("customer", {"type": "string"}, "A part of the customer's name."),
        Option(
            "olderThanDays",
            {"type": "integer", "minimum": 0, "maximum": 10_000},
            "How long it has waited at least.",
        ),
        *PAGING,
    ),
    returns=RegistrationsPage,
    errors=(400, 403),
)
async def list_registrations(request: Request) -> Response:
    """Reviewers: what was submitted for review; partners: their own. The longest waiting first."""
    options = request.options
    wanted = Wanted(
        statuses=_codes(options.get("status"), STATUSES, "status"),
        kinds=_codes(options.get("kind"), KINDS, "kind"),
        customer=normalized_name(options.get("customer") or ""),
        age=_age(options.get("olderThanDays")),
    )
    top, place = top_of(request), place_of(request)
    if place is not None and not _PLACE.fullmatch(place):
        raise BadQuery("$skiptoken is not one of ours: follow the nextLink as it is.")
    reading = _Reading(request, wanted, _scan(request, wanted, place))
    found, more = await reading.page(top, place)
    to_microsoft = may_review(request.caller)
    views = [
        registration_view(
            each.registration,
            latest_of(each.registration),
            to_microsoft=to_microsoft,
            assigned_to=each.assigned_to,
        )
        for each in found
    ]
    return Response(body=page(request, [view.document() for view in views], more))


@dataclass(frozen=True, slots=True)
class _Reading:
    """One request's reading of registrations; `deals` remembers which deals the caller sees."""

    request: Request
    wanted: Wanted
    scan: Scan[Queued] | Scan[Registration]
    deals: dict[ReferralKey, bool] = field(default_factory=dict[ReferralKey, bool])

    async def page(self, top: int, after: str | None) -> tuple[list[Queued], str | None]:
        """At most `top`, and the place to go on from; fewer where one request may not read on."""
        found: list[Queued] = []
        last = after
        async for record in self.scan.records(top + 1):
            queued = record if isinstance(record, Queued) else Queued(registration=record)
            if self.wanted.takes(queued.registration, self.request):
                if len(found) == top or len(self.deals) == MOST_DEALS:
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


def _scan(request: Request, wanted: Wanted, after: str | None) -> Scan[Queued] | Scan[Registration]:
    """What the caller may look through: reviewers the queue, partners what is their organization's."""
    caller, registrations = request.caller, request.service.registrations
    if may_review(caller):
        asked = request.options.get("status") is not None
        statuses = [each for each in wanted.statuses if each not in _UNREVIEWED] if asked else _WAITING
        return registrations.queue(statuses, after)
    if caller.organization.kind != "partner" or not may_use_referrals(caller):
        raise Forbidden("Only partners and Microsoft's deal reviewers see registrations.")
    return registrations.scan_organization(caller.organization.id, after)


def _codes(text: str | None, known: tuple[Code, ...], name: str) -> tuple[Code, ...]:
    """The values that a query asks for, separated by commas; all of them if it asks for none."""
    if text is None:
        return known
    by_name = {code.lower(): code for code in known}
    given = [each.strip().lower() for each in text.split(",")]
    if not all(each in by_name for each in given):
        raise BadQuery(f"{name} is one of {', '.join(known)}, or several of them separated by commas.")
    return tuple(by_name[each] for each in given)


def _age(text: str | None) -> timedelta:
    if text is None:
        return timedelta()
    if not (text.isascii() and text.isdecimal() and int(text.lstrip("0")[:9] or "0") <= _OLDEST):
        raise BadQuery(f"olderThanDays is a whole number up to {_OLDEST:,}.")
    return timedelta(days=int(text))
