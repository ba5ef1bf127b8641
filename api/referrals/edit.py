"""`PATCH` and `PUT` of a referral: everything that the request asks for, or nothing (rules E, T2)."""

import secrets
from collections.abc import Callable
from dataclasses import replace

import azure.durable_functions as df
import azure.functions as func

from api.common.access import require_if_match, shown, take_step, unless_faulty, visible
from api.common.catalogue import catalogue_of
from api.http.body import unless_below
from api.http.etags import etag_of
from api.http.fields import currency_decimals
from api.http.json_body import UnreadableBody
from api.http.operation import CHANGING, CREATING, SEEING, Option, operation
from api.http.request import Request
from api.http.response import Response
from api.referrals.documents import Document, document_of, merged, patched
from api.referrals.mapping import resource
from api.referrals.requested_edit import Edit, edit_of
from api.referrals.stage_names import wanted_stage
from shared.domain.change import Change, CommandContext, Step
from shared.domain.deal_rules import faults_of_acceptance
from shared.domain.draft import DealDraft, InvitationDraft
from shared.domain.editing import edited, faults_of_edit, shown_to_microsoft, wanted
from shared.domain.ids import ReferralId, uuid7
from shared.domain.invitable import require_invitable
from shared.domain.inviting import Inviting, inviting
from shared.domain.lifecycle import Acceptance, accept, decline, lose, require_active, win
from shared.domain.referral import Referral
from shared.domain.refusals import Fault, Invalid
from shared.domain.sales_stage import WantedStage, staged
from shared.domain.vocabulary import MICROSOFT, NO_HELP
from shared.workflow.durable import DurableEngine

ONE = "v1.0/engagements/referrals/{id}"

Wanted = Callable[[Document], Document]
"""What a request makes of the referral's document. Raises `Invalid`."""






@operation("PATCH", ONE, body=PATCH_SCHEMA, media_types=("application/json", "application/json-patch+json"), returns={200: ReferralView, 204: None}, errors=(*CHANGING, 428), headers=("If-Match", "Prefer"))
async def patch_referral(request: Request) -> Response:
    """Change a referral by a JSON Patch (RFC 6902). 204, or 200 with `Prefer: return=representation`."""
    operations = request.json("application/json", "application/json-patch+json")
    after = await _edit(request, lambda document: patched(document, operations), engine, whole=False)
    if "return=representation" in (request.header("Prefer") or "").replace(" ", "").lower():
        return await shown(request, after)
    return Response(status=204, headers={"ETag": etag_of(after)})


@operation("PUT", ONE, body=RESOURCE_SCHEMA, returns=ReferralView, errors=(*CHANGING, 428), headers=("If-Match",))
async def put_referral(request: Request) -> Response:
    """Change a referral by sending it whole; what is left out stays as it is. 200 with the resource."""
    sent = request.body
    if not isinstance(sent, dict):
        raise UnreadableBody(400, "Send the referral as a JSON object.")
    after = await _edit(request, lambda document: merged(document, sent), engine, whole=True)
    return await shown(request, after)


async def _edit(request: Request, make: Wanted, engine: DurableEngine, *, whole: bool) -> Referral:
    await visible(request)
    require_if_match(request)
    invitee = ReferralId(uuid7(request.now, secrets.token_bytes(16)))

    async def decide(referral: Referral, context: CommandContext) -> Change | None:
        return await _Editing(request, referral, context, invitee).decide(make, whole=whole)

    return await take_step(request, decide, "changed", engine)


class _Editing:
    """One attempt to decide an edit on a referral as read."""

    def __init__(self, request: Request, referral: Referral, context: CommandContext, invitee: ReferralId) -> None:
        self._exchange = request
        self._referral = referral
        self._act = context
        self._invitee = invitee

    async def decide(self, make: Wanted, *, whole: bool) -> Change | None:
        """The change, or None if the request leaves everything as it is."""
        referral, context = self._referral, self._act
        if referral.status != "New" and (late := require_active(referral, "change", context)):
            return late
        before = document_of(resource(referral, context.now))
        edit = edit_of(referral, before, make(before), context, whole=whole)
        if not edit.changed:
            return None
        match edit.verb:
            case "accept":
                return await self._accept(edit)
            case "decline":
                return unless_faulty(decline(referral, edit.statement, context), edit.faults)
            case _:
                return await self._change(edit)

    async def _accept(self, edit: Edit) -> Change | None:
        referral, draft = self._referral, edit.body.draft()
        acceptance = _acceptance(referral, draft)
        creator = await self._exchange.service.referrals.get(referral.creator)
        change = accept(referral, acceptance, self._act, creator=creator.value if creator else referral)
        rules = faults_of_acceptance(
            acceptance, draft.team, referral.terms, currency_decimals(), self._act.now.date()
        )
        return unless_faulty(change, (*edit.faults, *unless_below(map(_in_document, rules), edit.faults)))

    async def _change(self, edit: Edit) -> Change | None:
        """Fields, answers and stage of an Active referral, then its outcome, in one step."""
        referral, context = self._referral, self._act
        if late := require_active(referral, edit.verb or "edit", context):
            return late
        draft = edit.body.draft()
        catalogue = await catalogue_of(self._exchange, draft)
        stage, of_stage = await self._stage(edit)
        rules = (*faults_of_edit(referral, draft, catalogue, context.now.date()), *of_stage)
        unless_faulty(None, (*edit.faults, *unless_below(rules, edit.faults)))
        step = edited(Step.of(referral), wanted(referral, draft, catalogue))
        step = await self._answered(step, edit, draft)
        return self._ended(staged(step, stage, "/salesStage") if stage else step, edit)

    async def _stage(self, edit: Edit) -> tuple[WantedStage | None, tuple[Fault, ...]]:
        """The stage that the request wants, or the faults of what it says; raises `NotAllowed` (S5)."""
        if edit.stage is None and edit.percent is None:
            return None, ()
        try:
            stage = await wanted_stage(self._exchange, edit.stage, edit.percent, "/salesStage")
            staged(Step.of(self._referral), stage, "/salesStage")
        except Invalid as invalid:
            return None, invalid.faults
        return stage, ()

    async def _answered(self, step: Step, edit: Edit, draft: DealDraft) -> Step:
        """Q2 answered with yes shows the deal to Microsoft, Q1 with a kind of help invites it (T2, E4)."""
        if "/consent/consentToShareReferralWithMicrosoftSellers" in edit.changed:
            step = shown_to_microsoft(step)
        if "/inviteContext/assistanceRequestCode" not in edit.changed or draft.microsoft_code == NO_HELP:
            return step
        require_invitable(step.after, (MICROSOFT,))
        invite = InvitationDraft(
            organization_id=MICROSOFT, notes=draft.invite_notes, help_code=draft.microsoft_code
        )
        catalogue = await catalogue_of(self._exchange, draft)
        inviter = Inviting(
            catalogue=catalogue,
            ids=(self._invitee,),
            now=self._act.now,
            response_window=self._exchange.service.settings.response_window,
        )
        return inviting(step, inviter.invitations(step.after, (invite,)))

    def _ended(self, step: Step, edit: Edit) -> Change | None:
        match edit.verb:
            case "win":
                return win(step, edit.words, self._act)
            case "lose":
                return lose(step, edit.statement, self._act)
            case _:
                return step.change(self._act) if step.after != step.before else None


def _acceptance(referral: Referral, draft: DealDraft) -> Acceptance:
    """What an acceptance by PATCH says: what differs from the invitation."""
    terms, old = draft.terms, referral.terms
    return Acceptance(
        name=draft.name,
        deal_value=terms.deal_value if terms.deal_value != old.deal_value else None,
        currency=terms.currency if terms.currency != old.currency else None,
        closing_at=terms.closing_at if terms.closing_at != old.closing_at else None,
        notes=draft.notes,
        external_reference_id=draft.external_reference_id,
        campaign_id=draft.campaign_id,
        team=tuple(contact.complete() for contact in draft.team),
    )


def _in_document(fault: Fault) -> Fault:
    """A fault of an acceptance where the referral's document has the field."""
    inside = {"/dealValue", "/currency", "/closingDateTime"}
    return replace(fault, target=f"/details{fault.target}") if fault.target in inside else fault
