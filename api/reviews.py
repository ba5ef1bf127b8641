"""The reviewers' side of registration: the queue, one record, assignment and decision (rules G5, V6)."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar, get_args

import azure.durable_functions as df
import azure.functions as func

from api.body import read, unless_below
from api.exchange import Answer, Exchange, respond
from api.organizations import require_version, version_tag
from api.preconditions import matches, page, place_of, refuse_unknown_options, top_of
from api.problems import BadQuery, Forbidden, Modified, NotFound
from api.registration_requests import AssignmentBody, ReviewBody
from api.registration_view import latest_of, registration_view
from shared.domain.change import Act, Change
from shared.domain.directory import normalized_name
from shared.domain.ids import OrganizationId, RegistrationId, is_uuid
from shared.domain.permissions import may_report_deals, may_review, may_use_referrals
from shared.domain.referral import Party, Referral
from shared.domain.refusals import Fault, Invalid
from shared.domain.registering import registered
from shared.domain.registration import Registration, closed_for_good, reviewed
from shared.domain.registration_rules import faults_of_verdict
from shared.domain.vocabulary import MICROSOFT, RegistrationKind, RegistrationStatus
from shared.errors import Contended, StoreConflict
from shared.protocol.commit import ATTEMPTS
from shared.protocol.durable import DurableEngine
from shared.protocol.wake import wake_or_leave_to_sweep
from shared.storage.keys import ALONE
from shared.storage.referral_lists import Scan
from shared.storage.registration_rows import REGISTRATIONS
from shared.storage.registrations import QUEUE_ROWS, Queued, lies_with
from shared.storage.tables import StoredRow

blueprint = df.Blueprint()
ANONYMOUS = func.AuthLevel.ANONYMOUS
ALL = "v1.0/registrations"
ONE = f"{ALL}/{{rid}}"
OPTIONS = frozenset({"status", "kind", "customer", "olderThanDays", "$top", "$skiptoken"})
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
_UNKNOWN = "There is no such registration."


@blueprint.route(ALL, methods=["GET"], auth_level=ANONYMOUS)
async def list_registrations(req: func.HttpRequest) -> func.HttpResponse:
    """Reviewers: what was submitted for review; partners: their own. The longest waiting first."""
    return await respond(req, listed)


@blueprint.route(ONE, methods=["GET"], auth_level=ANONYMOUS)
async def get_registration(req: func.HttpRequest) -> func.HttpResponse:
    """One registration with its rounds, for its partner and for reviewers; with its ETag."""
    return await respond(req, got)


@blueprint.route(f"{ONE}/review", methods=["POST"], auth_level=ANONYMOUS)
@blueprint.durable_client_input(client_name="client")
async def review_registration(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Approve, reject, or ask for action; `If-Match` is mandatory. 200 with the record."""

    async def handle(exchange: Exchange) -> Answer:
        return await reviewing(exchange, DurableEngine(client))

    return await respond(req, handle)


@blueprint.route(f"{ONE}/assign", methods=["POST"], auth_level=ANONYMOUS)
async def assign_registration(req: func.HttpRequest) -> func.HttpResponse:
    """Give a registration to a reviewer; any reviewer may decide it all the same. 200 with the record."""
    return await respond(req, assigning)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a look at the queue asks for; `age` is how long a registration has waited at least."""

    statuses: tuple[RegistrationStatus, ...]
    kinds: tuple[RegistrationKind, ...]
    customer: str
    age: timedelta

    def takes(self, registration: Registration, exchange: Exchange) -> bool:
        """Whether a registration is asked for, as the caller sees it."""
        form = registration.as_submitted if may_review(exchange.caller) else registration.form
        since = registration.submitted_at or registration.created_at
        return (
            registration.status in self.statuses
            and registration.kind in self.kinds
            and self.customer in normalized_name(form.customer.name or "")
            and exchange.now - since >= self.age
        )


async def listed(exchange: Exchange) -> Answer:
    """A page of what the caller may see."""
    refuse_unknown_options(exchange.request, OPTIONS)
    params = exchange.request.params
    wanted = Wanted(
        statuses=_codes(params.get("status"), STATUSES, "status"),
        kinds=_codes(params.get("kind"), KINDS, "kind"),
        customer=normalized_name(params.get("customer") or ""),
        age=_age(params.get("olderThanDays")),
    )
    top, place = top_of(exchange.request), place_of(exchange.request)
    if place is not None and not _PLACE.fullmatch(place):
        raise BadQuery("$skiptoken is not one of ours: follow the nextLink as it is.")
    reading = _Reading(exchange, wanted, _scan(exchange, wanted, place))
    found, more = await reading.page(top, place)
    to_microsoft = may_review(exchange.caller)
    views = [
        registration_view(
            each.registration,
            latest_of(each.registration),
            to_microsoft=to_microsoft,
            assigned_to=each.assigned_to,
        )
        for each in found
    ]
    return Answer(body=page(exchange.request, [view.document() for view in views], more))


@dataclass(frozen=True, slots=True)
class _Reading:
    """One request's reading of registrations; `deals` remembers which deals the caller sees."""

    exchange: Exchange
    wanted: Wanted
    scan: Scan
    deals: dict[Party, bool] = field(default_factory=dict[Party, bool])

    async def page(self, top: int, after: str | None) -> tuple[list[Queued], str | None]:
        """At most `top`, and the place to go on from; fewer where one request may not read on."""
        found: list[Queued] = []
        last = after
        async for row in self.scan.rows(top + 1):
            queued = self._read(row)
            if self.wanted.takes(queued.registration, self.exchange):
                if len(found) == top or len(self.deals) == MOST_DEALS:
                    return found, last
                if await self._sees(queued.registration):
                    found.append(queued)
            last = self.scan.place
        return found, None if self.scan.complete else self.scan.place

    def _read(self, row: StoredRow) -> Queued:
        if may_review(self.exchange.caller):
            return QUEUE_ROWS.read(row)
        return Queued(registration=REGISTRATIONS.read(row))

    async def _sees(self, registration: Registration) -> bool:
        if may_review(self.exchange.caller):
            return True
        deal = registration.referral
        if deal is None:
            return may_report_deals(self.exchange.caller)
        if deal not in self.deals:
            stored = await self.exchange.service.referrals.get(deal)
            self.deals[deal] = stored is not None and self.exchange.sees(stored.value)
        return self.deals[deal]


async def got(exchange: Exchange) -> Answer:
    """One record."""
    registration = await _visible(exchange)
    tag = version_tag(registration.version)
    known = exchange.header("If-None-Match")
    if known and matches(known, tag):
        return Answer(status=304, headers={"ETag": tag})
    return await _answer(registration, exchange)


async def reviewing(exchange: Exchange, engine: DurableEngine) -> Answer:
    """A decision taken; of two at the same moment one finds the record changed (G5).

    A decision that is repeated with the same Idempotency-Key is answered with the record.
    """
    reading = read(ReviewBody, exchange.json())
    seen = await _reviewed_by(exchange)
    deal, who = lies_with(seen), exchange.who(f"{seen.id}/review")
    commits = exchange.service.commits
    if who.key_hash and await commits.replayed(deal, who.key_hash):
        return await _answer(seen, exchange)
    require_version(exchange, seen.version, "registration")
    verdict = reading.body.verdict(exchange.caller.person.name)
    rules = faults_of_verdict(verdict) if reading.body.decision else ()
    faults = (*reading.faults, *unless_below(rules, reading.faults))

    async def decide(referral: Referral, act: Act) -> Change:
        before = await _present(exchange, deal, seen.id)
        require_version(exchange, before.version, "registration")
        after = reviewed(before, verdict, act.now)  # state comes before fields
        if faults:
            raise Invalid(faults)
        return registered(referral, (after,), act, verdict.reason)

    change = await commits.step(deal, who, decide, announce=True)
    if change is None:
        raise NotFound(_UNKNOWN)
    (after,) = change.registrations
    await exchange.service.registrations.file_or_leave_to_work(after)
    await wake_or_leave_to_sweep(engine, deal, "changed")
    return await _answer(after, exchange)


async def assigning(exchange: Exchange) -> Answer:
    """A registration given to a reviewer, which is Microsoft's own to know: nothing changes for the partner.

    `If-Match` counts when it is sent.
    """
    reading = read(AssignmentBody, exchange.json())
    seen = await _reviewed_by(exchange)
    header = exchange.header("If-Match")
    if header is not None and not matches(header, version_tag(seen.version)):
        raise Modified(version_tag(seen.version))
    faults = (*reading.faults, *await _no_reviewer(exchange, reading.body.email))
    for _ in range(ATTEMPTS):
        if seen.closed:
            raise closed_for_good(seen)
        if faults:
            raise Invalid(faults)
        try:
            await exchange.service.registrations.assign(seen, reading.body.email or "")
        except StoreConflict:
            seen = await _present(exchange, lies_with(seen), seen.id)
        else:
            return await _answer(seen, exchange)
    raise Contended("The registration kept changing; repeat the request in a second.")


async def _present(exchange: Exchange, deal: Party, registration_id: RegistrationId) -> Registration:
    found = await exchange.service.registrations.get(deal, registration_id)
    if found is None:
        raise NotFound(_UNKNOWN)
    return found


def _scan(exchange: Exchange, wanted: Wanted, after: str | None) -> Scan:
    """What the caller may look through: reviewers the queue, partners what is their organization's."""
    caller, registrations = exchange.caller, exchange.service.registrations
    if may_review(caller):
        asked = exchange.request.params.get("status") is not None
        statuses = [each for each in wanted.statuses if each not in _UNREVIEWED] if asked else _WAITING
        return registrations.queue(statuses, after)
    if caller.organization.kind != "partner" or not may_use_referrals(caller):
        raise Forbidden("Only partners and Microsoft's deal reviewers see registrations.")
    return registrations.of_organization(caller.organization.id, after)


async def _visible(exchange: Exchange) -> Registration:
    """The record that the route names, if the caller may see it; else it reads like an unknown id (V5)."""
    identifier = exchange.request.route_params.get("rid", "").lower()
    found = await _found(exchange, RegistrationId(identifier)) if is_uuid(identifier) else None
    if found is None or not await _may_see(exchange, found):
        raise NotFound(_UNKNOWN)
    return found


async def _found(exchange: Exchange, registration_id: RegistrationId) -> Registration | None:
    """The record where it was filed; a report, of which nothing is reviewed, lies with its partner (G8)."""
    registrations = exchange.service.registrations
    filed = await registrations.filed(registration_id)
    place = (
        Party(organization_id=filed.organization_id, referral_id=filed.referral_id)
        if filed
        else Party(organization_id=exchange.caller.organization.id, referral_id=ALONE)
    )
    return await registrations.get(place, registration_id)


async def _may_see(exchange: Exchange, registration: Registration) -> bool:
    if may_review(exchange.caller):
        return registration.kind == "IpCoSell" and registration.latest is not None
    if registration.organization_id != exchange.caller.organization.id:
        return False
    if registration.referral is None:
        return may_report_deals(exchange.caller)
    deal = await exchange.service.referrals.get(registration.referral)
    return deal is not None and exchange.sees(deal.value)


async def _reviewed_by(exchange: Exchange) -> Registration:
    """The record, for whoever may decide about it; 403 for whoever may only see it."""
    found = await _visible(exchange)
    if not may_review(exchange.caller):
        raise Forbidden("Only Microsoft's deal reviewers decide about registrations.")
    return found


async def _no_reviewer(exchange: Exchange, email: str | None) -> tuple[Fault, ...]:
    people = await exchange.service.directory.people(OrganizationId(MICROSOFT))
    reviewers = {p.email.casefold() for p in people if "DealReviewer" in p.roles}
    if email is None or email.casefold() in reviewers:
        return ()
    return (Fault("notInCatalogue", "/email", "Name a deal reviewer of Microsoft's directory."),)


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
    if not (text.isascii() and text.isdecimal() and int(text[:9]) <= _OLDEST and len(text) < 9):
        raise BadQuery(f"olderThanDays is a whole number up to {_OLDEST:,}.")
    return timedelta(days=int(text))


async def _answer(registration: Registration, exchange: Exchange) -> Answer:
    filed = await exchange.service.registrations.filed(registration.id)
    view = registration_view(
        registration,
        await exchange.service.registrations.rounds(registration),
        to_microsoft=may_review(exchange.caller),
        assigned_to=filed.assigned_to if filed else None,
    )
    return Answer(body=view, headers={"ETag": view.e_tag})
