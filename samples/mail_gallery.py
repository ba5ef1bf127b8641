"""Every kind of mail in every language, to be looked at: `python -m samples.mail_gallery`, or `dev.py gallery`.

They tell of deals and leads of the sample world, and go to the mail sink as the service sends its own. Only while the
mail endpoint is on loopback, so that no sample mail can ever reach a real mailbox.
"""

import asyncio
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import get_args

from samples.load import NotOnLoopback, require_loopback
from samples.world import load, person
from shared.domain.ids import OperationId, OrganizationId, ReferralId
from shared.domain.messages import (
    LEAD_MAILS,
    REGISTRATION_MAILS,
    REVIEWER_MAILS,
    MailFacts,
    MailKind,
    PersonFact,
    RegistrationFacts,
)
from shared.domain.referral import ReferralKey
from shared.mail.rendering import RenderedMail, available_languages, render
from shared.mail.service import AzureMailService
from shared.settings import read_settings
from shared.storage.mail import MailRecord
from shared.wiring import email_client

KINDS: tuple[MailKind, ...] = get_args(MailKind)
READER = "gallery@referrals.example"
_NOTES = "Please bring your sensors into the proof of concept.\n\nThe workshop is in January."
_WITH_NOTES = frozenset({"invited", "reminder", "declined", *LEAD_MAILS})
_REASONS: dict[MailKind, str] = {
    "registrationRejected": "The contract was signed before the deal was shared with Microsoft.\n\n"
    "Deals like this are not registered.",
    "actionRequired": "We compared the form with section 4 of the contract that you sent.",
    "actionReminder": "We compared the form with section 4 of the contract that you sent.",
}
_ERRORS = (
    ("/contract/value", "The signed contract says USD 240,000.00."),
    ("/contract/endDateTime", "The contract ends on March 31, 2029: please state the last day of its term."),
    ("/customer/city", "Please name the city of the customer's office that signed."),
)
_DEADLINE = datetime(2026, 12, 5, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SampleMail:
    """One mail of the gallery."""

    kind: MailKind
    language: str
    mail: RenderedMail


def sample_mails(portal_url: str) -> Iterator[SampleMail]:
    """Every kind in every language, with the facts that the sample world gives; an expiry both ways (M8)."""
    for kind in KINDS:
        told = facts(kind, portal_url)
        variants = (told, replace(told, never_notified=True)) if kind == "expired" else (told,)
        for language in sorted(available_languages()):
            for variant in variants:
                yield SampleMail(kind, language, render(variant, language))


def facts(kind: MailKind, portal_url: str) -> MailFacts:
    """What a mail of this kind tells: of Contoso's deal with Adventure Works, its registration, or of a request."""
    world = load()
    names = {each["id"]: each["name"] for each in world["organizations"]}
    solutions = {each["id"]: each["name"] for each in world["solutions"]}
    hana = person("hana@microsoft.com")
    told = MailFacts(
        kind=kind,
        deal_name="ERP renewal",
        customer_name="Adventure Works",
        customer_country="US",
        actor_organization=names["contoso"],
        recipient_organization=names["fabrikam"],
        deal_value=Decimal("250000.50"),
        currency="USD",
        closing_date=date(2027, 3, 31),
        expires_at=_DEADLINE,
        reason="RequirementNotMet",
        notes=_NOTES if kind in _WITH_NOTES else None,
        solutions=(solutions["SOL-CONTOSO-ERP"], solutions["SOL-FABRIKAM-IOT"]),
        help_code="ProofOfConceptOrDemo",
        link=f"{portal_url}/referrals/00000000-0000-7000-8000-000000000000",
    )
    if kind in REGISTRATION_MAILS:
        return _of_registration(told, names, solutions["SOL-CONTOSO-ERP"])
    return replace(
        told,
        contacts=(
            PersonFact(
                first_name=hana.first_name,
                last_name=hana.last_name,
                phone_number=hana.phone_number,
                email="buyer@adventure-works.com",
            ),
        ),
        needs=("Manufacturing", "Azure"),
        alternatives=(names["litware"], names["tailspin"]),
    )


def _of_registration(told: MailFacts, names: dict[str, str], solution: str) -> MailFacts:
    """Contoso asks, Microsoft's reviewers read and answer."""
    asking, answering = names["contoso"], names["msft"]
    to_reviewers = told.kind in REVIEWER_MAILS
    return replace(
        told,
        actor_organization=asking if to_reviewers else answering,
        recipient_organization=answering if to_reviewers else asking,
        registration=RegistrationFacts(
            solution=solution,
            submitted_on=date(2026, 12, 1),
            reason=_REASONS.get(told.kind),
            errors=_ERRORS,
        ),
    )


async def send_all() -> int:
    """Send the gallery; how many mails it has. Raises as the mail service does."""
    settings = read_settings()
    require_loopback(settings.mail_endpoint)
    service = AzureMailService(email_client(settings), settings.mail_sender)
    shown = list(sample_mails(settings.portal_url))
    try:
        for picture in shown:
            await service.send(_record(picture), datetime.now(UTC))
    finally:
        await service.close()
    return len(shown)


def _record(picture: SampleMail) -> MailRecord:
    gallery = ReferralId("gallery")
    return MailRecord(
        referral_id=gallery,
        key=f"{picture.kind}:{picture.language}",
        operation_id=OperationId(str(uuid.uuid4())),
        message=picture.kind,
        reader=ReferralKey(organization_id=OrganizationId("gallery"), referral_id=gallery),
        recipients=(READER,),
        subject=picture.mail.subject,
        text=picture.mail.text,
        html=picture.mail.html,
        planned_at=datetime.now(UTC),
    )


def main() -> int:
    """Say how many were sent, and to whom."""
    try:
        count = asyncio.run(send_all())
    except NotOnLoopback as refused:
        print(refused, file=sys.stderr)
        return 2
    print(f"{count} mails are in the mail sink, to {READER}: …/admin/devhost/mail/view?to={READER}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
