"""Inviting into a deal that exists: `POST …/{id}/invitations`, or a second creation call (rules T3, C3)."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from api.common.access import (
    membership_of,
    own_referrals,
    unknown_engagement,
    unknown_referral,
    visible_referral,
)
from api.common.catalogue import catalogue_of, inviting_of
from api.common.steps import follow_up, if_visible_and_meant
from api.http.body import read, unless_below
from api.http.idempotency import idempotent
from api.http.operation import CHANGING, operation
from api.http.request import Request
from api.http.response import Response
from api.referrals.mapping import BASE, sent_invitation
from api.referrals.request_schemas import CreationBody, InvitationsBody
from api.referrals.schemas import InvitationsView, InvitationView
from shared.domain.change import Change, ChangeBuilder, CommandContext
from shared.domain.draft import DealDraft, InvitationDraft
from shared.domain.ids import ReferralId
from shared.domain.invitable import require_invitable
from shared.domain.invitation_rules import MAX_INVITATIONS, faults_of_later_invitations
from shared.domain.inviting import add_invitations
from shared.domain.lifecycle import require_active
from shared.domain.referral import Referral
from shared.domain.refusals import Fault, Invalid
from shared.domain.vocabulary import MICROSOFT, NO_HELP
from shared.storage.idempotency import IdempotencyRecord, RequestKey

CREATION_COMMAND = "createReferral"
"""Under which an idempotency key of a creation counts, whichever of its two calls it comes with."""


@operation(
    "POST",
    "v1.0/engagements/referrals/{id}/invitations",
    body=InvitationsBody,
    returns={201: InvitationsView},
    errors=CHANGING,
    headers=("If-Match", "Idempotency-Key", "client-request-id"),
)
async def create_invitations(request: Request) -> Response:
    """Invite Microsoft or partners into a deal. 201 with what the inviter may see of the invitations."""
    reading = read(InvitationsBody, request.body)
    deal = await visible_referral(request)

    def respond(views: list[InvitationView]) -> Response:
        body = {"value": [view.document() for view in views]}
        return Response(status=201, body=body, headers={"Location": f"{BASE}/{deal.engagement_id}"})

    invite = _InviteRequest(request, deal, reading.body.drafts(), reading.faults, respond)
    return await idempotent(request, f"{deal.id}/invitations", invite.make, invite.replay)


async def invite_by_second_call(request: Request) -> Response:
    """The second call of the two-call creation: a referral for another party of an engagement, which invites it."""
    reading = read(CreationBody, request.body, partial=True)
    deal = await _own_deal(request, reading.body.engagement_id or "")
    drafts, faults = await _drafts_of(request, reading.body)

    def respond(views: list[InvitationView]) -> Response:
        (view,) = views
        return Response(status=201, body=view, headers={"Location": f"{BASE}/{deal.engagement_id}"})

    form = (*reading.faults, *unless_below(faults, reading.faults))
    invite = _InviteRequest(request, deal, drafts, form, respond, places=_AS_CREATION)
    return await idempotent(request, CREATION_COMMAND, invite.make, invite.replay)


@dataclass(frozen=True, slots=True)
class _InviteRequest:
    """Invitations as asked for. `places` says where the body has what the rules look for in `invitations`."""

    request: Request
    deal: Referral
    drafts: tuple[InvitationDraft, ...]
    faults: tuple[Fault, ...]
    respond: Callable[[list[InvitationView]], Response]
    places: tuple[tuple[str, str], ...] = ()

    async def make(self, key: RequestKey | None) -> Response:
        """Invite. Raises as the rules refuse."""
        ids = tuple(ReferralId(self.request.new_id()) for _ in range(MAX_INVITATIONS))

        async def decide(referral: Referral, context: CommandContext) -> Change:
            return await self._decide(referral, context, ids)

        change = await self.request.service.commits.step(
            self.deal.key,
            self.request.context(f"{self.deal.id}/invitations"),
            if_visible_and_meant(self.request, decide),
            key,
        )
        if change is None:
            raise unknown_referral()
        await follow_up(self.request, change, "changed")
        return self.respond(await self._sent(change.after, [each.id for each in change.invitations]))

    async def replay(self, first: IdempotencyRecord) -> Response:
        """Answer as the first request of this key was answered."""
        return self.respond(await self._sent(self.deal, first.created))

    async def _decide(
        self, referral: Referral, context: CommandContext, ids: tuple[ReferralId, ...]
    ) -> Change:
        if late := require_active(referral, "invite into", context):
            return late
        drafts = self.drafts[:MAX_INVITATIONS]
        organizations = tuple(draft.organization_id for draft in drafts if draft.organization_id)
        current = await self.request.service.invitations.brought_up_to_date(referral, organizations)
        require_invitable(current, organizations)
        solutions = [solution.id for solution in referral.terms.solutions]
        catalogue = await catalogue_of(self.request, DealDraft(), self.drafts, solutions)
        rules = faults_of_later_invitations(self.drafts, current, catalogue, context.now.date())
        found = [self._placed(fault) for fault in rules]
        faults = (*self.faults, *unless_below(found, self.faults))
        if faults:
            raise Invalid(faults)
        inviter = inviting_of(self.request, catalogue, ids, context)
        step = replace(ChangeBuilder.of(referral), after=current)
        return add_invitations(step, inviter.create(current, self.drafts)).build(context)

    async def _sent(self, deal: Referral, ids: Collection[str]) -> list[InvitationView]:
        """The invitations as their inviter sees them; whatever an earlier attempt left undone is done now."""
        invitations = self.request.service.invitations
        sent = [each for each in await self.request.service.referrals.invitations(deal.key) if each.id in ids]
        await invitations.send_or_leave_to_work(deal, sent, self.request.now)
        arrived = await invitations.arrived(sent)
        return [sent_invitation(arrived.get(each.id, each), arrived=each.id in arrived) for each in sent]

    def _placed(self, fault: Fault) -> Fault:
        for inner, place in self.places:
            if fault.target.startswith(inner):
                return replace(fault, target=place + fault.target[len(inner) :])
        return fault


_AS_CREATION = (
    ("/invitations/0/organizationId", "/target/0/id"),
    ("/invitations/0/target/id", "/target/0/id"),
    ("/invitations/0/assistanceRequestCode", "/inviteContext/assistanceRequestCode"),
    ("/invitations/0/notes", "/inviteContext/notes"),
    ("/invitations/0/team", "/team"),
    ("/invitations/0/solutions", "/details/requirements/solutions"),
    ("/invitations/0", "/details"),
)
"""Where the body of a second creation call has the parts of an invitation."""


async def _own_deal(request: Request, engagement_id: str) -> Referral:
    """The caller's own referral of an engagement, which the rules let it invite into or not (T3, V5)."""
    membership = await membership_of(request, engagement_id)
    own = await own_referrals(request, membership)
    if not own:
        raise unknown_engagement()
    return own[0]


async def _drafts_of(
    request: Request, body: CreationBody
) -> tuple[tuple[InvitationDraft, ...], tuple[Fault, ...]]:
    """What a second creation call says as an invitation, or what is wrong with its target."""
    targets = body.target or ()
    if len(targets) != 1:
        message = f"Address one party: {MICROSOFT}, or a location of a partner."
        return (), (Fault("required", "/target", message),)
    target = targets[0].id or ""
    draft = body.draft()
    if target == MICROSOFT:
        code = draft.help_code if draft.help_code != NO_HELP else None
        invitation = InvitationDraft(
            organization_id=MICROSOFT, notes=draft.invite_notes, help_code=code or "GeneralOrOther"
        )
        return (invitation,), ()
    organization_id = await request.service.directory.organization_of_location(target)
    if organization_id is None:
        message = f"Address {MICROSOFT}, or a location of a partner of the co-sell ecosystem."
        return (), (Fault("notInCatalogue", "/target/0/id", message),)
    invitation = InvitationDraft(
        organization_id=organization_id,
        target=target,
        notes=draft.invite_notes,
        help_code=draft.help_code,
        terms=draft.terms,
        team=draft.team or None,
    )
    return (invitation,), ()
