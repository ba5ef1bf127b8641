"""Edit a referral with PATCH or PUT: all requested changes in one step, or none (rules E, T2)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from api.common.access import REFERRAL_ROUTE, visible_referral
from api.common.catalogue import inviter_for, load_catalogue
from api.common.quotas import NO_QUOTA, QuotaOf, quota_of_invitations
from api.common.steps import refuse_faults, take_step
from api.http.body import combine_faults
from api.http.etags import etag_of, require_if_match
from api.http.operation import IF_MATCH, Schema, operation
from api.http.request import Request
from api.http.response import Response
from api.referrals.documents import Document, apply_patch, merge_document, to_document
from api.referrals.mapping import referral_view
from api.referrals.read import referral_response
from api.referrals.requested_edit import Edit, read_edit
from api.referrals.schemas import ReferralView
from api.referrals.stage_names import resolve_stage
from api.referrals.transitions import decide_acceptance
from shared.domain.actions import editable_fields
from shared.domain.change import Change, ChangeBuilder, CommandContext
from shared.domain.draft import DealDraft, InvitationDraft
from shared.domain.editing import apply_draft, apply_edit, faults_of_edit, share_with_microsoft
from shared.domain.ids import ReferralId
from shared.domain.invitable import require_invitable
from shared.domain.invitation_rules import faults_of_readiness
from shared.domain.inviting import add_invitations
from shared.domain.lifecycle import Acceptance, decline, lose, require_active, win
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
    "description": "The referral as it was read, with changed values; fields that are left out keep their values.",
}

Q1 = "/inviteContext/assistanceRequestCode"
DocumentEdit = Callable[[Document, Any], Document]
"""Applies the body of the request to the referral's document. Raises `Invalid`."""


@operation(
    "PATCH",
    REFERRAL_ROUTE,
    body=PATCH_SCHEMA,
    media_types=("application/json", "application/json-patch+json"),
    returns={200: ReferralView, 204: None},
    errors=(409, 428, 429),
    headers=("If-Match", "Prefer"),
)
async def patch_referral(request: Request) -> Response:
    """Change a referral with a JSON Patch (RFC 6902).

    All operations are applied in one step, or none. With `Prefer: return=representation` the referral is returned.
    """
    after = await _edit(request, apply_patch, whole=False)
    if "return=representation" in (request.header("Prefer") or "").replace(" ", "").lower():
        return await referral_response(request, after)
    return Response(status=204, headers={"ETag": etag_of(after.version)})


@operation(
    "PUT",
    REFERRAL_ROUTE,
    body=RESOURCE_SCHEMA,
    returns=ReferralView,
    errors=(409, 428, 429),
    headers=IF_MATCH,
)
async def put_referral(request: Request) -> Response:
    """Change a referral by sending it back with new values.

    Fields that are left out keep their values; fields that only the server sets are ignored.
    """
    after = await _edit(request, merge_document, whole=True)
    return await referral_response(request, after)


async def _edit(request: Request, apply: DocumentEdit, *, whole: bool) -> Referral:
    seen = await visible_referral(request)
    body = request.body
    quota = _quota(request, seen, lambda document: apply(document, body), whole=whole)
    if request.header("If-Match") is None:
        async with quota():  # a used-up quota precedes the missing header
            require_if_match(request, "version")
    invitee = ReferralId(request.new_id())

    async def decide(referral: Referral, context: CommandContext) -> Change | None:
        decision = _EditDecision(request, referral, context, invitee)
        return await decision.decide(lambda document: apply(document, body), whole=whole)

    return await take_step(request, seen, decide, quota)


def _quota(
    request: Request, seen: Referral, apply: Callable[[Document], Document], *, whole: bool
) -> QuotaOf:
    """The quota of an edit that invites Microsoft; other edits need none, and what is wrong is found later."""
    limited = request.service.settings.limits.invitations_per_day
    if not limited or "invite_context.help_code" not in editable_fields(seen, request.now):
        return NO_QUOTA
    context = CommandContext(actor=request.context("edit").actor, now=request.now)
    before = to_document(referral_view(seen, request.now))
    try:
        edit = read_edit(seen, before, apply(before), context, whole=whole)
    except Invalid:
        return NO_QUOTA
    return quota_of_invitations(request, 1) if _invites_microsoft(edit) else NO_QUOTA


def _invites_microsoft(edit: Edit) -> bool:
    """Whether an edit changes the answer to Q1 to a kind of help (T2, E4)."""
    return Q1 in edit.changed and edit.body.draft().microsoft_code != NO_HELP


@dataclass(frozen=True, slots=True)
class _EditDecision:
    """Decides about an edit of a referral as it was read; `invitee` is the id for an invitation of Microsoft."""

    request: Request
    referral: Referral
    context: CommandContext
    invitee: ReferralId

    async def decide(self, apply: Callable[[Document], Document], *, whole: bool) -> Change | None:
        """The change; None if the request changes nothing."""
        referral, context = self.referral, self.context
        if referral.status != "New" and (late := require_active(referral, "change", context)):
            return late
        before = to_document(referral_view(referral, context.now))
        edit = read_edit(referral, before, apply(before), context, whole=whole)
        if not edit.changed:
            return None
        match edit.verb:
            case "accept":
                return await self._accept(edit)
            case "decline":
                return refuse_faults(decline(referral, edit.statement, context), edit.faults)
            case _:
                return await self._change(edit)

    async def _accept(self, edit: Edit) -> Change | None:
        referral, draft = self.referral, edit.body.draft()
        acceptance = _acceptance(referral, draft)
        change, rules = await decide_acceptance(self.request, referral, acceptance, draft.team, self.context)
        return refuse_faults(change, combine_faults(edit.faults, map(_in_document, rules)))

    async def _change(self, edit: Edit) -> Change | None:
        """Change fields, answers and stage of an Active referral, then its outcome, in one step."""
        referral, context = self.referral, self.context
        if late := require_active(referral, edit.verb or "edit", context):
            return late
        draft = edit.body.draft()
        catalogue = await load_catalogue(self.request, draft, invites_microsoft=_invites_microsoft(edit))
        stage, stage_faults = await self._stage(edit)
        rules = (
            *faults_of_edit(referral, draft, catalogue, context.now.date()),
            *faults_of_readiness(catalogue, Q1),
            *stage_faults,
        )
        refuse_faults(None, combine_faults(edit.faults, rules))
        step = apply_edit(ChangeBuilder.of(referral), apply_draft(referral, draft, catalogue))
        step = await self._with_answers(step, edit, draft)
        return self._with_outcome(apply_stage(step, stage, "/salesStage") if stage else step, edit)

    async def _stage(self, edit: Edit) -> tuple[RequestedStage | None, tuple[Fault, ...]]:
        """The requested stage, or its faults; raises `NotAllowed` (S5)."""
        if edit.stage is None and edit.percent is None:
            return None, ()
        try:
            stage = await resolve_stage(self.request, edit.stage, edit.percent, "/salesStage")
            apply_stage(ChangeBuilder.of(self.referral), stage, "/salesStage")
        except Invalid as invalid:
            return None, invalid.faults
        return stage, ()

    async def _with_answers(self, step: ChangeBuilder, edit: Edit, draft: DealDraft) -> ChangeBuilder:
        """Apply new answers: yes to Q2 shows the deal to Microsoft, a help code in Q1 invites it (T2, E4)."""
        if "/consent/consentToShareReferralWithMicrosoftSellers" in edit.changed:
            step = share_with_microsoft(step)
        if not _invites_microsoft(edit):
            return step
        require_invitable(step.after, (MICROSOFT,))
        invite = InvitationDraft(
            organization_id=MICROSOFT, notes=draft.invite_notes, help_code=draft.microsoft_code
        )
        catalogue = await load_catalogue(self.request, draft, invites_microsoft=True)
        inviter = inviter_for(self.request, catalogue, (self.invitee,), self.context)
        return add_invitations(step, inviter.create(step.after, (invite,)))

    def _with_outcome(self, step: ChangeBuilder, edit: Edit) -> Change | None:
        match edit.verb:
            case "win":
                return win(step, edit.notes, self.context)
            case "lose":
                return lose(step, edit.statement, self.context)
            case _:
                return step.build(self.context) if step.after != step.before else None


def _acceptance(referral: Referral, draft: DealDraft) -> Acceptance:
    """The values of an acceptance by PATCH or PUT: those that differ from the invitation's."""
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
    """A fault of an acceptance with the field's pointer in the referral's document."""
    in_details = {"/dealValue", "/currency", "/closingDateTime"}
    return replace(fault, target=f"/details{fault.target}") if fault.target in in_details else fault
