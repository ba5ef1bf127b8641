"""Invite organizations into an existing deal: `POST …/{id}/invitations`, or a second creation call (T3, C3)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from api.common.access import (
    REFERRAL_ROUTE,
    engagement_not_found,
    load_membership,
    own_referrals,
    referral_not_found,
    visible_referral,
)
from api.common.catalogue import inviter_for, load_catalogue
from api.common.quotas import QuotaOf, quota_of_invitations
from api.common.steps import deliver_or_leave_to_work, follow_up, if_visible
from api.http.body import combine_faults, read
from api.http.etags import etag_of, refuse_stale_version
from api.http.idempotency import idempotent
from api.http.operation import IF_MATCH, KEYED, operation
from api.http.problems import IdempotencyConflict
from api.http.request import Request
from api.http.response import Response
from api.referrals.mapping import BASE, invitation_view
from api.referrals.request_schemas import CreationBody, InvitationsBody, invitation_drafts
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
"""The scope of the idempotency keys of `POST /v1.0/engagements/referrals`, for both kinds of call."""


@operation(
    "POST",
    f"{REFERRAL_ROUTE}/invitations",
    body=InvitationsBody,
    returns={201: InvitationsView},
    errors=(429,),
    headers=(*IF_MATCH, *KEYED),
)
async def create_invitations(request: Request) -> Response:
    """Invite Microsoft or partners into an active deal.

    The response has what the inviter may see of the invitations (T3).
    """
    deal = await visible_referral(request)
    parsed = read(InvitationsBody, request.body)

    def respond(views: list[InvitationView]) -> Response:
        body = {"value": [view.document() for view in views]}
        return Response(status=201, body=body, headers={"Location": f"{BASE}/{deal.engagement_id}"})

    drafts = invitation_drafts(parsed.body.invitations)
    invite = _InviteRequest(request, deal, drafts, parsed.faults, respond)
    try:
        return await idempotent(request, f"{deal.id}/invitations", invite.create, invite.replay, invite.quota)
    except IdempotencyConflict:
        refuse_stale_version(request, etag_of(deal.version))  # precedes the conflict
        raise


async def invite_by_second_call(request: Request) -> Response:
    """The second call of a creation in two calls: a referral with an `engagementId` invites its target."""
    parsed = read(CreationBody, request.body, partial=True)
    deal = await _own_deal(request, parsed.body.engagement_id or "")
    drafts, faults = await _drafts_of(request, parsed.body)

    def respond(views: list[InvitationView]) -> Response:
        (view,) = views
        return Response(status=201, body=view, headers={"Location": f"{BASE}/{deal.engagement_id}"})

    invite = _InviteRequest(
        request, deal, drafts, parsed.faults_with(faults), respond, pointers=_POINTERS_IN_CREATION
    )
    return await idempotent(request, CREATION_COMMAND, invite.create, invite.replay, invite.quota)


@dataclass(frozen=True, slots=True)
class _InviteRequest:
    """A request to invite. `pointers` translate JSON Pointers of an `InvitationsBody` to those of the actual body."""

    request: Request
    deal: Referral
    drafts: tuple[InvitationDraft, ...]
    faults: tuple[Fault, ...]
    respond: Callable[[list[InvitationView]], Response]
    pointers: tuple[tuple[str, str], ...] = ()

    @property
    def quota(self) -> QuotaOf:
        """The quota that the invitations count for."""
        return quota_of_invitations(self.request, len(self.drafts))

    async def create(self, key: RequestKey | None) -> Response:
        """Invite. Raises the rules' `Refusal`."""
        ids = tuple(ReferralId(self.request.new_id()) for _ in range(MAX_INVITATIONS))

        async def decide(referral: Referral, context: CommandContext) -> Change:
            return await self._decide(referral, context, ids)

        step = await self.request.service.commits.step(
            self.deal.key,
            self.request.context(f"{self.deal.id}/invitations"),
            if_visible(self.request, decide, check_version=True),
            key,
            known=self.request.known,
        )
        if step is None:
            raise referral_not_found()
        prepared = await follow_up(self.request, step)
        arrived = {arrival.after.id: arrival.after for arrival in prepared.arrivals or ()}
        return self._response(step.change.invitations, arrived)

    async def replay(self, original: IdempotencyRecord) -> Response:
        """The response to the original request; delivers what that request may not have delivered."""
        ids = original.created
        sent = [i for i in await self.request.service.referrals.invitations(self.deal.key) if i.id in ids]
        await deliver_or_leave_to_work(self.request, self.deal, sent)
        return self._response(sent, await self.request.service.invitations.delivered(sent))

    async def _decide(
        self, referral: Referral, context: CommandContext, ids: tuple[ReferralId, ...]
    ) -> Change:
        if late := require_active(referral, "invite into", context):
            return late
        drafts = self.drafts[:MAX_INVITATIONS]
        organizations = tuple(draft.organization_id for draft in drafts if draft.organization_id)
        current = await self.request.service.invitations.with_current_invitations(referral, organizations)
        require_invitable(current, organizations)
        solutions = [solution.id for solution in referral.terms.solutions]
        catalogue = await load_catalogue(
            self.request,
            DealDraft(),
            self.drafts,
            solutions,
            referral.customer.address.country,
            invites_microsoft=MICROSOFT in organizations,
        )
        rules = faults_of_later_invitations(self.drafts, current, catalogue, context.now.date())
        if faults := combine_faults(self.faults, map(self._in_body, rules)):
            raise Invalid(faults)
        inviter = inviter_for(self.request, catalogue, ids, context)
        step = replace(ChangeBuilder.of(referral), after=current)
        return add_invitations(step, inviter.create(current, self.drafts)).build(context)

    def _response(self, sent: Iterable[Referral], delivered: Mapping[ReferralId, Referral]) -> Response:
        """The invitations as their inviter sees them."""
        return self.respond(
            [invitation_view(delivered.get(each.id, each), delivered=each.id in delivered) for each in sent]
        )

    def _in_body(self, fault: Fault) -> Fault:
        for pointer, actual in self.pointers:
            if fault.target.startswith(pointer):
                return replace(fault, target=actual + fault.target[len(pointer) :])
        return fault


_POINTERS_IN_CREATION = (
    ("/invitations/0/organizationId", "/target/0/id"),
    ("/invitations/0/target/id", "/target/0/id"),
    ("/invitations/0/assistanceRequestCode", "/inviteContext/assistanceRequestCode"),
    ("/invitations/0/notes", "/inviteContext/notes"),
    ("/invitations/0/team", "/team"),
    ("/invitations/0/solutions", "/details/requirements/solutions"),
    ("/invitations/0", "/details"),
)
"""Where a `CreationBody` has the fields of an invitation; the first match counts."""


async def _own_deal(request: Request, engagement_id: str) -> Referral:
    """The caller's referral in an engagement; whether it may invite is up to the rules (T3, V5)."""
    membership = await load_membership(request, engagement_id)
    own = await own_referrals(request, membership)
    if not own:
        raise engagement_not_found()
    return own[0]


async def _drafts_of(
    request: Request, body: CreationBody
) -> tuple[tuple[InvitationDraft, ...], tuple[Fault, ...]]:
    """The invitation that a second creation call asks for, or the fault of its target."""
    targets = body.target or ()
    if len(targets) != 1:
        message = f"Name one target: {MICROSOFT}, or a location of a partner."
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
        message = f"Name {MICROSOFT}, or a location of a partner of the co-sell ecosystem."
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
