"""Request models of the lead operations (docs/api.md), and their conversion to a draft (R2)."""

from typing import Annotated, ClassVar

from pydantic import Field

from api.common.request_parts import (
    MAX_ITEMS,
    ConsentBody,
    CustomerBody,
    DetailsBody,
    RequirementsBody,
    Solutions,
    TargetBody,
    Team,
    solution_ids,
)
from api.http.body import Body, Required
from api.http.fields import Code, Flag, Name, Notes
from shared.domain.inquiry import (
    DEFAULT_ALTERNATIVES,
    MAX_ALTERNATIVES,
    InquiryDraft,
    LeadQualification,
    RecipientDraft,
)
from shared.domain.vocabulary import CustomerSize


class LeadCustomerBody(CustomerBody):
    """The customer of a lead; its size is mandatory, since partners choose customers by size (R6)."""

    size: Annotated[CustomerSize | None, Required()] = None
    team: Annotated[Team | None, Required()] = None


class LeadRequirementsBody(RequirementsBody):
    solutions: Solutions | None = None


class LeadDetailsBody(Body):
    """What a customer asks for, without a deal value: that is estimated by the accepting partner."""

    unused: ClassVar[frozenset[str]] = DetailsBody.unused
    notes: Notes | None = None
    requirements: LeadRequirementsBody = LeadRequirementsBody()
    customer_requested_contact: Flag | None = None


class RecipientBody(Body):
    organization_id: Annotated[Code | None, Required()] = None
    target: TargetBody | None = None


class LeadBody(Body):
    """`POST /v1.0/leads`."""

    name: Annotated[Name | None, Required()] = None
    qualification: LeadQualification | None = None
    customer_profile: LeadCustomerBody = LeadCustomerBody()
    consent: ConsentBody = ConsentBody()
    details: LeadDetailsBody = LeadDetailsBody()
    alternatives: Annotated[int | None, Field(ge=0, le=MAX_ALTERNATIVES, strict=True)] = None
    recipients: Annotated[tuple[RecipientBody, ...] | None, Field(max_length=MAX_ITEMS), Required()] = None

    def draft(self) -> InquiryDraft:
        """The request for information."""
        details, requirements = self.details, self.details.requirements
        return InquiryDraft(
            name=self.name,
            qualification=self.qualification or "Direct",
            customer=self.customer_profile.draft(),
            consent=self.consent.consent(),
            notes=details.notes,
            industries=requirements.industries or (),
            products=requirements.products or (),
            services=requirements.services or (),
            solutions=solution_ids(requirements.solutions),
            customer_requested_contact=bool(details.customer_requested_contact),
            alternatives=DEFAULT_ALTERNATIVES if self.alternatives is None else self.alternatives,
            recipients=tuple(
                RecipientDraft(
                    organization_id=each.organization_id, target=each.target.id if each.target else None
                )
                for each in self.recipients or ()
            ),
        )
