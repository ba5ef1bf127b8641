"""Send every kind of mail in every language to the mail sink: `python -m samples.mail_gallery`, or `dev.py gallery`.

The mails are about deals and leads of the sample data. They are sent only if the mail endpoint is on loopback, so
that no sample mail can reach a real mailbox.
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
from samples.world import SamplePerson, load, person
from shared.domain.ids import OperationId, OrganizationId, ReferralId
from shared.domain.messages import (
    LEAD_MAILS,
    REGISTRATION_MAILS,
    REVIEWER_MAILS,
    AnyFacts,
    CustomerFacts,
    CustomerSummaryFacts,
    MailFacts,
    MailKind,
    OutcomeFact,
    PartnerMailKind,
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
_WITH_NOTES = frozenset({"invited", "reminder", "declined", "newMessages", *LEAD_MAILS})
_REASONS: dict[PartnerMailKind, str] = {
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
_REQUESTED_ON = date(2026, 11, 30)
_DEADLINE = datetime(2026, 12, 5, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SampleMail:
    """One mail of the gallery."""

    kind: MailKind
    language: str
    mail: RenderedMail


def sample_mails(portal_url: str) -> Iterator[SampleMail]:
    """Every kind of mail in every language; expiry and reminders in both variants (M8, M3)."""
    for kind in KINDS:
        plain = facts(kind, portal_url)
        variants: list[AnyFacts] = [plain]
        if isinstance(plain, MailFacts) and kind == "expired":
            variants.append(replace(plain, never_notified=True))
        if isinstance(plain, MailFacts) and kind in {"reminder", "leadReminder", "registrationEligible"}:
            variants.append(replace(plain, last_reminder=True, reminder=True))
        for language in sorted(available_languages()):
            for variant in variants:
                yield SampleMail(kind, language, render(variant, language))


def facts(kind: MailKind, portal_url: str) -> AnyFacts:
    """The facts of a mail: about Contoso's deal with Adventure Works, its registration, or a request."""
    match kind:
        case "customerDeclined" | "customerExpired":
            names = _names()
            told = OutcomeFact(outcome=kind, company=names["contoso"], requested_on=_REQUESTED_ON)
            link = f"{portal_url}/choices/0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
            return CustomerFacts(fact=told, alternatives=(names["litware"], names["tailspin"]), link=link)
        case "customerSummary":
            return CustomerSummaryFacts(facts=tuple(_outcomes()))
        case _:
            return _partner_facts(kind, portal_url)


def _outcomes() -> Iterator[OutcomeFact]:
    """Two companies declined a request, two did not answer; Microsoft had passed the customer on to the last."""
    names = _names()
    declined = OutcomeFact(outcome="customerDeclined", company=names["contoso"], requested_on=_REQUESTED_ON)
    yield declined
    yield replace(declined, company=names["fabrikam"])
    yield replace(declined, outcome="customerExpired", company=names["litware"])
    yield replace(declined, outcome="customerExpired", company=names["tailspin"], from_microsoft=True)


def _names() -> dict[str, str]:
    return {each["id"]: each["name"] for each in load()["organizations"]}


def _partner_facts(kind: PartnerMailKind, portal_url: str) -> MailFacts:
    data = load()
    names = _names()
    solutions = {each["id"]: each["name"] for each in data["solutions"]}
    deal = MailFacts(
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
        return _registration_facts(deal, names, solutions["SOL-CONTOSO-ERP"])
    return replace(
        deal,
        team=tuple(_fact_of(person(email)) for email in ("rae@contoso.com", "ana@contoso.com")),
        contacts=(replace(_fact_of(person("hana@microsoft.com")), email="buyer@adventure-works.com"),),
        needs=("Manufacturing", "Azure"),
    )


def _fact_of(someone: SamplePerson) -> PersonFact:
    return PersonFact(
        first_name=someone.first_name,
        last_name=someone.last_name,
        phone_number=someone.phone_number,
        email=someone.email,
    )


def _registration_facts(deal: MailFacts, names: dict[str, str], solution: str) -> MailFacts:
    """A registration that Contoso submits and Microsoft reviews."""
    partner, reviewer = names["contoso"], names["msft"]
    to_reviewers = deal.kind in REVIEWER_MAILS
    return replace(
        deal,
        actor_organization=partner if to_reviewers else reviewer,
        recipient_organization=reviewer if to_reviewers else partner,
        registration=RegistrationFacts(
            solution=solution,
            submitted_on=date(2026, 12, 1),
            reason=_REASONS.get(deal.kind),
            errors=_ERRORS,
        ),
    )


async def send_all() -> int:
    """Send all mails of the gallery; returns how many. Raises as the mail service does."""
    settings = read_settings()
    require_loopback(settings.mail_endpoint)
    service = AzureMailService(email_client(settings), settings.mail_sender)
    mails = list(sample_mails(settings.portal_url))
    try:
        for each in mails:
            await service.send(_record(each), datetime.now(UTC))
    finally:
        await service.close()
    return len(mails)


def _record(sample: SampleMail) -> MailRecord:
    gallery = ReferralId("gallery")
    return MailRecord(
        referral_id=gallery,
        key=f"{sample.kind}:{sample.language}",
        operation_id=OperationId(str(uuid.uuid4())),
        message=sample.kind,
        reader=ReferralKey(organization_id=OrganizationId("gallery"), referral_id=gallery),
        recipients=(READER,),
        subject=sample.mail.subject,
        text=sample.mail.text,
        html=sample.mail.html,
        planned_at=datetime.now(UTC),
    )


def main() -> int:
    """Send the gallery, and print where to find it; 2 if the mail endpoint is not on loopback."""
    try:
        count = asyncio.run(send_all())
    except NotOnLoopback as refused:
        print(refused, file=sys.stderr)
        return 2
    print(f"{count} mails are in the mail sink, to {READER}: …/admin/devhost/mail/view?to={READER}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
