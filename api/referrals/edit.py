"""`PATCH` and `PUT` of a referral: everything that the request asks for, or nothing (rules E, T2)."""

from collections.abc import Callable
from dataclasses import replace

from api.common.access import visible_referral
from api.common.catalogue import catalogue_of, inviting_of
from api.common.steps import take_step, unless_faulty
from api.http.body import unless_below
from api.http.etags import etag_of, require_if_match
from api.http.fields import currency_decimals
from api.http.json_body import UnreadableBody
from api.http.operation import CHANGING, Schema, operation
from api.http.request import Request
from api.http.response import Response
from api.referrals.documents import Document, document_of, merged, patched
from api.referrals.mapping import resource
from api.referrals.read import ONE, referral_response
from api.referrals.requested_edit import Edit, edit_of
from api.referrals.schemas import ReferralView
from api.referrals.stage_names import wanted_stage
from shared.domain.change import Change, ChangeBuilder, CommandContext
from shared.domain.deal_rules import faults_of_acceptance
from shared.domain.draft import DealDraft, InvitationDraft
from shared.domain.editing import apply_draft, apply_edit, faults_of_edit, share_with_microsoft
from shared.domain.ids import ReferralId
from shared.domain.invitable import require_invitable
from shared.domain.inviting import add_invitations
from shared.domain.lifecycle import Acceptance, accept, decline, lose, require_active, win
from shared.domain.referral import Referral
from shared.domain.refusals import Fault, Invalid
from shared.domain.sales_stage import RequestedStage, apply_stage
from shared.domain.vocabulary import MICROSOFT, NO_HELP

PATCH_SCHEMA: Schema = {
    "type": "array",
    "maxItems": 100,
    "items": {
        "type": "object",
        "required": ["op", "path"],
        "properties": {
            "op": {"enum": ["add", "replace", "remove", "test"]},
            "path": {"type": "string", "pattern": "^/", "maxLength": 500},
            "value": {},
        },
    },
}
RESOURCE_SCHEMA: Schema = {
    "type": "object",
    "description": "The resource as it was read, with the wanted values; what is left out stays as it is.",
}

Wanted = Callable[[Document], Document]
"""What a request makes of the referral's document. Raises `Invalid`."""


@operation(
    "PATCH",
    ONE,
    body=PATCH_SCHEMA,
    media_types=("application/json", "application/json-patch+json"),
    returns={200: ReferralView, 204: None},
    errors=(*CHANGING, 428),
    headers=("If-Match", "Prefer"),
)
async def patch_referral(request: Request) -> Response:
    """Change a referral by a JSON Patch (RFC 6902). 204, or 200 with `Prefer: return=representation`."""
    after = await _edit(request, lambda document: patched(document, request.body), whole=False)
    if "return=representation" in (request.header("Prefer") or "").replace(" ", "").lower():
        return await referral_response(request, after)
    return Response(status=204, headers={"ETag": etag_of(after.version)})


@operation(
    "PUT", ONE, body=RESOURCE_SCHEMA, returns=ReferralView, errors=(*CHANGING, 428), headers=("If-Match",)
)
async def put_referral(request: Request) -> Response:
    """Change a referral by sending it whole; what is left out stays as it is. 200 with the resource."""
    if not isinstance(request.body, dict):
        raise UnreadableBody(400, "Send the referral as a JSON object.")
    after = await _edit(request, lambda document: merged(document, request.body), whole=True)
    return await referral_response(request, after)


async def _edit(request: Request, make: Wanted, *, whole: bool) -> Referral:
    await visible_referral(request)
    require_if_match(request, "version")
    invitee = ReferralId(request.new_id())

    async def decide(referral: Referral, context: CommandContext) -> Change | None:
        return await _Editing(request, referral, context, invitee).decide(make, whole=whole)

    return await take_step(request, decide, "changed")


class _Editing:
    """One attempt to decide an edit on a referral as read."""

    def __init__(
        self, request: Request, referral: Referral, context: CommandContext, invitee: ReferralId
    ) -> None:
        self._request = request
        self._referral = referral
        self._context = context
        self._invitee = invitee

    async def decide(self, make: Wanted, *, whole: bool) -> Change | None:
        """The change, or None if the request leaves everything as it is."""
        referral, context = self._referral, self._context
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
        creator = await self._request.service.referrals.get(referral.creator)
        change = accept(referral, acceptance, self._context, creator=creator.value if creator else referral)
        rules = faults_of_acceptance(
            acceptance, draft.team, referral.terms, currency_decimals(), self._context.now.date()
        )
        return unless_faulty(change, (*edit.faults, *unless_below(map(_in_document, rules), edit.faults)))

    async def _change(self, edit: Edit) -> Change | None:
        """Fields, answers and stage of an Active referral, then its outcome, in one step."""
        referral, context = self._referral, self._context
        if late := require_active(referral, edit.verb or "edit", context):
            return late
        draft = edit.body.draft()
        catalogue = await catalogue_of(self._request, draft)
        stage, of_stage = await self._stage(edit)
        rules = (*faults_of_edit(referral, draft, catalogue, context.now.date()), *of_stage)
        unless_faulty(None, (*edit.faults, *unless_below(rules, edit.faults)))
        step = apply_edit(ChangeBuilder.of(referral), apply_draft(referral, draft, catalogue))
        step = await self._answered(step, edit, draft)
        return self._ended(apply_stage(step, stage, "/salesStage") if stage else step, edit)

    async def _stage(self, edit: Edit) -> tuple[RequestedStage | None, tuple[Fault, ...]]:
        """The stage that the request wants, or the faults of what it says; raises `NotAllowed` (S5)."""
        if edit.stage is None and edit.percent is None:
            return None, ()
        try:
            stage = await wanted_stage(self._request, edit.stage, edit.percent, "/salesStage")
            apply_stage(ChangeBuilder.of(self._referral), stage, "/salesStage")
        except Invalid as invalid:
            return None, invalid.faults
        return stage, ()

    async def _answered(self, step: ChangeBuilder, edit: Edit, draft: DealDraft) -> ChangeBuilder:
        """Q2 answered with yes shows the deal to Microsoft, Q1 with a kind of help invites it (T2, E4)."""
        if "/consent/consentToShareReferralWithMicrosoftSellers" in edit.changed:
            step = share_with_microsoft(step)
        if "/inviteContext/assistanceRequestCode" not in edit.changed or draft.microsoft_code == NO_HELP:
            return step
        require_invitable(step.after, (MICROSOFT,))
        invite = InvitationDraft(
            organization_id=MICROSOFT, notes=draft.invite_notes, help_code=draft.microsoft_code
        )
        catalogue = await catalogue_of(self._request, draft)
        inviter = inviting_of(self._request, catalogue, (self._invitee,), self._context)
        return add_invitations(step, inviter.create(step.after, (invite,)))

    def _ended(self, step: ChangeBuilder, edit: Edit) -> Change | None:
        match edit.verb:
            case "win":
                return win(step, edit.words, self._context)
            case "lose":
                return lose(step, edit.statement, self._context)
            case _:
                return step.build(self._context) if step.after != step.before else None


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
