"""Records to start a test from."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from shared.domain.change import Change, ChangeBuilder, CommandContext, EntryDraft, created
from shared.domain.ids import EngagementId, LocationId, OperationId, OrganizationId, ReferralId
from shared.domain.referral import (
    Address,
    Consent,
    Contact,
    Customer,
    InviteContext,
    InvitedParty,
    Referral,
    ReferralKey,
    Solution,
    Terms,
)
from shared.domain.timeline import Actor, EntryKind
from shared.domain.work import Task

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
CREATOR = ReferralKey(organization_id=OrganizationId("contoso"), referral_id=ReferralId("contoso-1"))


def contact(email: str, **fields: Any) -> Contact:
    return Contact(
        **{"first_name": "A", "last_name": "B", "phone_number": "+1 206 555 0100", "email": email, **fields}
    )


def referral(**fields: Any) -> Referral:
    """Fabrikam's new inbound referral of a deal of Contoso's."""
    values: dict[str, Any] = {
        "id": ReferralId("fabrikam-1"),
        "engagement_id": EngagementId("engagement"),
        "organization_id": OrganizationId("fabrikam"),
        "organization_name": "Fabrikam",
        "creator": CREATOR,
        "name": "Relecloud ERP",
        "location": LocationId("fabrikam-seoul"),
        "direction": "Incoming",
        "sharing": "Shared",
        "deal_type": "CoSell",
        "status": "New",
        "substatus": "Pending",
        "customer": Customer(
            name="Relecloud", address=Address(country="US"), team=(contact("cara@relecloud.com"),)
        ),
        "consent": Consent(share_contact=True),
        "terms": Terms(
            deal_value=Decimal("40000.50"),
            currency="USD",
            closing_at=NOW + timedelta(days=90),
            solutions=(Solution(id="S", name="Solution", kind="MyCompany"),),
        ),
        "invite_context": InviteContext(invited_by=OrganizationId("contoso"), invited_by_name="Contoso"),
        "created_at": NOW,
        "updated_at": NOW,
        "expires_at": NOW + timedelta(days=14),
    }
    return Referral(**(values | fields))


def creators(**fields: Any) -> Referral:
    """Contoso's own referral of that deal."""
    values: dict[str, Any] = {
        "id": CREATOR.referral_id,
        "organization_id": CREATOR.organization_id,
        "organization_name": "Contoso",
        "direction": "Outgoing",
        "status": "Active",
        "substatus": "Accepted",
        "sales_stage": "Created",
        "accepted_at": NOW,
        "expires_at": None,
        "team": (contact("rae@contoso.com"),),
        "notes": "Our private plan.",
        "external_reference_id": "CRM-1",
        "campaign_id": "CAMPAIGN-1",
    }
    return referral(**(values | fields))


def context(now: datetime = NOW, operation: str = "op", name: str | None = "Kim") -> CommandContext:
    return CommandContext(
        actor=Actor(organization_id=OrganizationId("fabrikam"), name=name),
        now=now,
        operation_id=OperationId(operation),
    )


def begun(record: Referral) -> Change:
    """The step that brings a record into being."""
    return created(record, (EntryDraft(kind="received"),), context(), ())


def step(
    record: Referral, kind: EntryKind, as_: CommandContext, tasks: tuple[Task, ...] = (), **new: Any
) -> Change:
    """A step that changes these fields."""
    return ChangeBuilder.of(record).then(EntryDraft(kind=kind), tasks, **new).build(as_)


def invited(*records: Referral, **heard: Any) -> tuple[InvitedParty, ...]:
    """These referrals as their deal's creator keeps them."""
    return tuple(
        InvitedParty(
            **{
                "party": record.key,
                "organization_name": record.organization_name,
                "substatus": record.substatus,
                **heard,
            }
        )
        for record in records
    )
