"""What needs the caller, by due time: `GET /v1.0/my-work` (N6)."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.http.operation import operation
from api.http.problems import Forbidden
from api.http.request import Request
from api.http.response import Response
from api.http.schemas import DateTime, View
from shared.domain import registration_actions
from shared.domain.actions import allowed_actions
from shared.domain.conversation import unread_messages
from shared.domain.eligibility import eligibility, may_show_eligible, microsoft_participation, unregistered
from shared.domain.ids import ReferralId
from shared.domain.my_work import Todo, Why, todo_of_review, todos_of_referral, todos_of_registrations
from shared.domain.permissions import (
    access_scope,
    is_asked,
    is_on_team,
    may_review,
    may_use_referrals,
    may_write_registrations,
)
from shared.domain.referral import Referral
from shared.domain.registration import Registration
from shared.domain.routing import RoutingTable
from shared.domain.vocabulary import (
    DealType,
    Direction,
    RegistrationKind,
    RegistrationStatus,
    Status,
    Substatus,
)
from shared.reference.review_calendar import review_calendar
from shared.storage.list_ranges import range_of_member, ranges_of_new
from shared.storage.referral_lists import MAX_PAGE_ROWS, Scan

MAX_ITEMS = 200
MAX_DEALS_TO_CORRECT = 50
"""Of how many deals the registrations that were sent back are read, for their due times."""
CLOCKS_DIFFER = timedelta(days=1)
"""More than the clocks of two hosts differ, of which one creates a referral and another reads it."""


class TodoReferralView(View):
    """The referral, or the deal of the registration, that needs the caller."""

    id: str
    engagement_id: str
    name: str
    customer_name: str
    deal_type: DealType
    direction: Direction
    status: Status
    substatus: Substatus
    location: str | None


class TodoRegistrationView(View):
    """The registration that needs the caller."""

    id: str
    kind: RegistrationKind
    status: RegistrationStatus
    deal_name: str
    organization_name: str


class TodoView(View):
    """One thing to do: why, by when, on what, and what the caller may do there."""

    why: Why
    due_date_time: DateTime | None
    overdue: bool
    referral: TodoReferralView | None
    registration: TodoRegistrationView | None
    allowed_actions: list[str]


class TodoCountView(View):
    why: Why
    count: int


class MyWorkView(View):
    """The first 200 by due time, those without one last. `complete` says that nothing more was left unread."""

    value: list[TodoView]
    counts: list[TodoCountView]
    complete: bool


@dataclass(frozen=True, slots=True)
class _Found:
    """A need with what it is about."""

    todo: Todo
    referral: Referral | None
    registration: Registration | None
    actions: tuple[str, ...]

    @property
    def order(self) -> tuple[bool, str, str]:
        """By due time, then by id."""
        due = self.todo.due
        about = self.registration or self.referral
        return due is None, due.isoformat() if due else "", about.id if about else ""

    def view(self, now: datetime) -> TodoView:
        """The need as the caller sees it."""
        due, referral, registration = self.todo.due, self.referral, self.registration
        return TodoView(
            why=self.todo.why,
            due_date_time=due,
            overdue=due is not None and due < now,
            referral=(
                TodoReferralView.from_domain(referral, customer_name=referral.customer.name)
                if referral
                else None
            ),
            registration=TodoRegistrationView.from_domain(registration) if registration else None,
            allowed_actions=list(self.actions),
        )


@operation("GET", "v1.0/my-work", returns=MyWorkView)
async def get_my_work(request: Request) -> Response:
    """Get what needs the caller, by due time.

    To partners: referrals to answer, and of the deals on whose teams they are: customers to contact, outcomes to
    report, registrations to make and to correct, messages to read. To Microsoft's sellers: what their teams received,
    and their deals. To reviewers: what is assigned to them, and what nobody decided in time.
    """
    caller = request.caller
    if not (may_use_referrals(caller) or may_review(caller)):
        raise Forbidden("Your roles do not let you work with referrals or registrations; ask your admin.")
    referrals, reviews = _Referrals(request), _Reviews(request)
    found = [
        *(await referrals.find() if may_use_referrals(caller) else ()),
        *(await reviews.find() if may_review(caller) else ()),
    ]
    counts = Counter(each.todo.why for each in found)
    shown = sorted(found, key=lambda each: each.order)[:MAX_ITEMS]
    view = MyWorkView(
        value=[each.view(request.now) for each in shown],
        counts=[TodoCountView(why=why, count=count) for why, count in sorted(counts.items())],
        complete=referrals.complete and reviews.complete and len(shown) == len(found),
    )
    return Response(body=view)


@dataclass(slots=True)
class _Referrals:
    """Finds what the caller's referrals need. `complete` says whether it read all that it had to."""

    request: Request
    complete: bool = True

    async def find(self) -> list[_Found]:
        """The needs of New referrals, and of the deals on whose teams the caller is."""
        new, own = await asyncio.gather(self._new(), self._own())
        referrals = {each.id: each for each in (*new, *own)}
        marks = await self._read_marks(own)
        todos = [found for each in referrals.values() for found in self._todos(each, marks.get(each.id, 0))]
        return [*todos, *await self._to_correct(own)]

    async def _read_marks(self, own: Iterable[Referral]) -> dict[ReferralId, int]:
        """What the caller has read of conversations (N8); nothing is read if there is no message in any."""
        if not any(each.last_message for each in own):
            return {}
        return await self.request.service.referrals.read_marks(self.request.caller.member)

    def _todos(self, referral: Referral, read_until: int) -> Iterable[_Found]:
        request = self.request
        can_register = self._can_register(referral)
        actions = allowed_actions(referral, request.now) + (("register",) if can_register else ())
        todos = todos_of_referral(
            referral,
            request.now,
            on_team=is_on_team(request.caller, referral),
            can_register=can_register,
            unread=unread_messages(referral, read_until),
        )
        return (_Found(todo, referral, None, actions) for todo in todos)

    def _can_register(self, deal: Referral) -> bool:
        """As a list of deals shows it: of a deal of another creator, its record alone does not always say so."""
        caller = self.request.caller
        if deal.substatus != "Won" or caller.organization.kind != "partner":
            return False
        is_eligible = eligibility(deal, microsoft_participation(deal, deal)).eligible
        is_open = bool(unregistered(deal)) and may_show_eligible(deal)
        return is_eligible and is_open and may_write_registrations(caller)

    async def _new(self) -> list[Referral]:
        """The New referrals that the caller answers: of the sellers' those that their teams received.

        None is older than the response window, at whose end it expires.
        """
        request, caller = self.request, self.request.caller
        is_microsoft = caller.organization.kind == "microsoft"
        routing = await request.service.routing.get() if is_microsoft else None
        oldest = request.now - request.service.settings.response_window - CLOCKS_DIFFER
        found: list[Referral] = []
        scan = self._scan(ranges_of_new(access_scope(caller), caller.email))
        async for referral in scan.records(MAX_PAGE_ROWS):
            if referral.created_at < oldest:
                return found
            is_mine = routing is None or self._is_received(referral, routing)
            if referral.status == "New" and request.sees(referral) and is_mine:
                found.append(referral)
        self.complete &= scan.complete
        return found

    def _is_received(self, referral: Referral, routing: RoutingTable) -> bool:
        """Whether a seller's team received a referral; one whose team has nobody is everybody's (P3)."""
        team = routing.team(referral.routed.team) if referral.routed else None
        if team is None or not team.members:
            return True
        return team.has(self.request.caller.email or "") or is_asked(self.request.caller, referral)

    async def _own(self) -> list[Referral]:
        """The referrals on whose teams the caller is."""
        request, email = self.request, self.request.caller.email
        if email is None:
            return []
        scan = self._scan(range_of_member(email))
        found = [
            each
            async for each in scan.records(MAX_PAGE_ROWS)
            if request.sees(each) and is_on_team(request.caller, each)
        ]
        self.complete &= scan.complete
        return found

    async def _to_correct(self, own: Iterable[Referral]) -> list[_Found]:
        """The registrations that the caller corrects, with their due times."""
        request = self.request
        if not may_write_registrations(request.caller):
            return []
        sent_back = [
            deal for deal in own if any(each.status == "ActionRequired" for each in deal.registrations)
        ]
        self.complete &= len(sent_back) <= MAX_DEALS_TO_CORRECT
        deals = sent_back[:MAX_DEALS_TO_CORRECT]
        read = await asyncio.gather(
            *(request.service.registrations.list_for_deal(deal.key) for deal in deals)
        )
        return [
            _of_registration(todo, deal, registrations, request)
            for deal, registrations in zip(deals, read, strict=True)
            for todo in todos_of_registrations(registrations)
        ]

    def _scan(self, prefixes: tuple[str, ...]) -> Scan[Referral]:
        return self.request.service.referrals.scan(self.request.caller.organization.id, prefixes)


@dataclass(slots=True)
class _Reviews:
    """Finds the registrations that need the caller's review."""

    request: Request
    complete: bool = True

    async def find(self) -> list[_Found]:
        """Those assigned to the caller, and those that are overdue, whoever has them."""
        request, caller = self.request, self.request.caller
        own = (caller.email or "").casefold()
        found: list[_Found] = []
        scan = request.service.registrations.queue(("ReviewPending",), None)
        async for queued in scan.records(MAX_PAGE_ROWS):
            registration = queued.registration
            is_mine = bool(own) and (queued.assigned_to or "").casefold() == own
            todo = todo_of_review(registration, request.now, review_calendar(), assigned_to_me=is_mine)
            if todo and request.is_retained(registration):
                actions = registration_actions.allowed_actions(registration, caller)
                found.append(_Found(todo, None, registration, actions))
        self.complete = scan.complete
        return found


def _of_registration(
    todo: Todo, deal: Referral, registrations: Iterable[Registration], request: Request
) -> _Found:
    registration = next(each for each in registrations if each.id == todo.registration)
    actions = registration_actions.allowed_actions(registration, request.caller)
    return _Found(todo, deal, registration, actions)
