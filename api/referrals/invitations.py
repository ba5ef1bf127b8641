"""Inviting into a deal that exists: `POST …/{id}/invitations`, or a second creation call (rules T3, C3)."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace

import azure.durable_functions as df
import azure.functions as func

from api.common.access import checked, settle, visible
from api.common.catalogue import catalogue_of
from api.http.body import read, unless_below
from api.http.idempotency import carried_out, record_of, stored_under
from api.http.problems import NotFound, PreconditionFailed
from api.http.operation import CHANGING, CREATING, SEEING, Option, operation
from api.http.request import Request
from api.http.response import Response
from api.referrals.mapping import BASE, sent_invitation
from api.referrals.request_schemas import CreationBody, InvitationsBody
from api.referrals.schemas import InvitationView
from shared.domain.change import Change, CommandContext, Step
from shared.domain.draft import DealDraft, InvitationDraft
from shared.domain.ids import EngagementId, ReferralId, is_uuid, uuid7
from shared.domain.invitable import require_invitable
from shared.domain.invitation_rules import MAX_INVITATIONS, faults_of_later_invitations
from shared.domain.inviting import Inviting, inviting
from shared.domain.lifecycle import require_active
from shared.domain.referral import Referral
from shared.domain.refusals import Fault, Invalid, Refusal
from shared.domain.vocabulary import MICROSOFT, NO_HELP
from shared.storage.referrals import IdempotencyRecord, Stored
from shared.workflow.durable import DurableEngine





@operation("POST", "v1.0/engagements/referrals/{id}/invitations", body=InvitationsBody, returns={201: InvitationsView}, errors=CHANGING, headers=("If-Match", "Idempotency-Key", "client-request-id"))
async def create_invitations(request: Request) -> Response:
    """Invite Microsoft or partners into a deal. 201 with what the inviter may see of the invitations."""
    document = request.body
    reading = read(InvitationsBody, document)
    deal = await visible(request)
    wanted = record_of(request, document, f"{deal.id}/invitations")
    request = _Request(request, reading.body.drafts(), reading.faults, wanted)
    views = await request.send(deal, engine)
    body = {"value": [view.document() for view in views]}
    return Response(status=201, body=body, headers={"Location": f"{BASE}/{deal.engagement_id}"})


async def connect(request: Request, engine: DurableEngine, document: object) -> Response:
    """The second call of the two-call creation: a referral for another party of an engagement, which invites it."""
    reading = read(CreationBody, document, partial=True)
    deal = await _deal_of(request, reading.body.engagement_id or "")
    wanted = record_of(request, document, "createReferral")
    drafts, faults = await _connected(request, reading.body)
    form = (*reading.faults, *unless_below(faults, reading.faults))
    request = _Request(request, drafts, form, wanted, places=_AS_CREATION)
    (view,) = await request.send(deal, engine)
    return Response(status=201, body=view, headers={"Location": f"{BASE}/{deal.engagement_id}"})


@dataclass(frozen=True, slots=True)
class _Request:
    """Invitations as asked for. `places` says where the body has what the rules look for in `invitations`."""

    request: Request
    drafts: tuple[InvitationDraft, ...]
    faults: tuple[Fault, ...]
    wanted: IdempotencyRecord | None
    places: tuple[tuple[str, str], ...] = ()

    async def send(self, deal: Referral, engine: DurableEngine) -> list[InvitationView]:
        """Invite, or answer a repetition as the first request was. Raises as the rules refuse."""
        stored = await stored_under(self.request, self.wanted)
        if first := carried_out(self.request, self.wanted, stored):
            return await self._sent(deal, first.made)
        try:
            change = await self._commit(deal, stored)
        except (Refusal, PreconditionFailed):  # what refuses us may be the same request, carried out a moment ago
            stored = await stored_under(self.request, self.wanted)
            if first := carried_out(self.request, self.wanted, stored):
                return await self._sent(deal, first.made)
            raise
        await settle(self.request, change, "changed", engine)
        return await self._sent(change.after, [invitation.id for invitation in change.invitations])

    async def _commit(self, deal: Referral, stored: Stored[IdempotencyRecord] | None) -> Change:
        ids = tuple(
            ReferralId(uuid7(self.request.now, secrets.token_bytes(16))) for _ in range(MAX_INVITATIONS)
        )

        async def decide(referral: Referral, context: CommandContext) -> Change:
            return await self._decide(referral, context, ids)

        change = await self.request.service.commits.step(
            deal.party,
            self.request.context(f"{deal.id}/invitations"),
            checked(self.request, decide),
            idempotency=self._record if self.wanted else None,
            replaced=stored,
        )
        if change is None:
            raise NotFound("There is no such referral.")
        return change

    async def _decide(self, referral: Referral, context: CommandContext, ids: tuple[ReferralId, ...]) -> Change:
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
        inviter = Inviting(
            catalogue=catalogue,
            ids=ids,
            now=context.now,
            response_window=self.request.service.settings.response_window,
        )
        step = replace(Step.of(referral), after=current)
        return inviting(step, inviter.invitations(current, self.drafts)).change(context)

    async def _sent(self, deal: Referral, ids: Iterable[ReferralId]) -> list[InvitationView]:
        """The invitations as their inviter sees them; whatever an earlier attempt left undone is done now."""
        wanted = set(ids)
        invitations = self.request.service.invitations
        sent = [i for i in await self.request.service.referrals.invitations(deal.party) if i.id in wanted]
        await invitations.send_or_leave_to_work(deal, sent, self.request.now)
        arrived = await invitations.arrived(sent)
        return [sent_invitation(arrived.get(i.id, i), arrived=i.id in arrived) for i in sent]

    def _record(self, change: Change) -> IdempotencyRecord:
        if self.wanted is None:
            message = "only a request with a key keeps a record of it"
            raise ValueError(message)
        ids = tuple(invitation.id for invitation in change.invitations)
        return replace(self.wanted, referral_id=change.after.id, made=ids)

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


async def _deal_of(request: Request, engagement_id: str) -> Referral:
    """The caller's own referral of an engagement, which the rules let it invite into or not (T3, V5)."""
    identifier = engagement_id.lower()
    membership = (
        await request.service.engagements.get(EngagementId(identifier)) if is_uuid(identifier) else None
    )
    parties = (membership.creator, *membership.invited) if membership else ()
    mine = [party for party in parties if party.organization_id == request.caller.organization.id]
    found = [
        referral for referral in await request.service.referrals.several(mine) if request.sees(referral)
    ]
    if not found:
        raise NotFound("There is no such engagement.")
    return found[0]


async def _connected(
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
