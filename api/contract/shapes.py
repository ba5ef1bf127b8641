"""What each HTTP operation takes and answers: the part of the contract that routes and models do not say themselves.

Keyed by the function's name. An operation that is missing here fails the making of the document, and so its test.
"""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.directory.lookups import ContactsFound, CustomersFound, PartnersFound, SolutionsFound
from api.directory.people import PeopleView, PersonBody, PersonView
from api.directory.profiles import ProfileBody, ProfilesView, ProfileView
from api.directory.reference_data import ReferenceDataView
from api.directory.routing import EvaluationBody, EvaluationView, RoutingBody, RoutingView
from api.directory.stage_maps import StageMapBody, StageMapView
from api.http.body import Body
from api.leads.providers import WORDS, ProvidersFound
from api.leads.schemas import ConversionBody, LeadBody
from api.leads.submit import LeadsView
from api.platform.mail_events import MOST_EVENTS, REPORT, VALIDATION, EventsTaken
from api.referrals.engagement_schemas import EngagementView, MessageView, PartnerLedView
from api.referrals.request_schemas import (
    AcceptBody,
    ClosingBody,
    CreationBody,
    InvitationsBody,
    MessageBody,
    StageBody,
    WinBody,
)
from api.referrals.schemas import EntryView, InvitationView, PageView, ReferralPage, ReferralView, View
from api.registrations.closed_deals import ClosedDealBody
from api.registrations.mapping import (
    EligibilityView,
    RegistrationsPage,
    RegistrationsView,
    RegistrationView,
)
from api.registrations.schemas import AssignmentBody, RegistrationBody, ReviewBody
from shared.domain.vocabulary import CUSTOMER_SIZES

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Option:
    """A query option."""

    name: str
    schema: Schema
    description: str
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What an operation takes and answers. `answers` maps each good status to its body, None for an empty one.

    `errors` are the statuses that it can refuse with, besides those that every operation shares.
    """

    answers: dict[int, type[BaseModel] | tuple[type[BaseModel], ...] | None]
    request: type[Body] | Schema | None = None
    media_types: tuple[str, ...] = ("application/json",)
    options: tuple[Option, ...] = ()
    errors: tuple[int, ...] = ()
    headers: tuple[str, ...] = ()
    without_token: bool = False
    html: bool = False


class ValidatedView(View):
    """What a creation with `validateOnly=true` would make."""

    valid: Literal[True]
    deal_type: str
    warnings: list[str]


class InvitationsView(View):
    value: list[InvitationView]


class TimelinePage(PageView):
    value: list[EntryView]


class PartnerLedPage(PageView):
    value: list[PartnerLedView]


class HealthView(View):
    status: Literal["ready", "notReady"]
    reason: str | None


class FaultView(View):
    code: str
    target: str
    message: str


class ErrorBodyView(View):
    """`details` lists every fault of a request at once; `innerError` what a client may act on."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)
    code: str
    message: str
    target: str | None
    details: tuple[FaultView, ...] = ()
    inner_error: dict[str, Any] = Field(default_factory=dict)


class ErrorView(View):
    error: ErrorBodyView


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
EVENTS_SCHEMA: Schema = {
    "type": "array",
    "maxItems": MOST_EVENTS,
    "description": f"Events in the Event Grid schema: {VALIDATION} and {REPORT}; others are passed by.",
    "items": {
        "type": "object",
        "required": ["eventType", "data"],
        "properties": {"eventType": {"type": "string"}, "data": {"type": "object"}},
    },
}
RESOURCE_SCHEMA: Schema = {
    "type": "object",
    "description": "The resource as it was read, with the wanted values; what is left out stays as it is.",
}

_PAGING = (
    Option("$top", {"type": "integer", "minimum": 1}, "How many items; more than 100 are clamped."),
    Option("$skiptoken", {"type": "string"}, "From a nextLink, which is to be followed as it is."),
)
_ODATA = (
    Option("$filter", {"type": "string", "maxLength": 4096}, "Conditions; docs/api.md lists the fields."),
    Option("$orderby", {"type": "string"}, "createdDateTime or updatedDateTime, then asc or desc."),
    Option("$skip", {"type": "integer", "minimum": 0, "maximum": 1000}, "How many items to leave out."),
    Option("$count", {"type": "boolean"}, "Whether to count: exact to 5,000."),
    Option("$select", {"type": "string"}, "Names of fields, separated by commas."),
)
_READING = (404, 403)
_VERB = (400, 403, 404, 409, 412, 413, 415, 422)


def _verb(request: type[Body]) -> Shape:
    return Shape(
        request=request,
        answers={200: ReferralView},
        errors=_VERB,
        headers=("If-Match", "Idempotency-Key"),
    )


CONTRACT: dict[str, Shape] = {
    "create_referral": Shape(
        request=CreationBody,
        answers={200: ValidatedView, 201: (ReferralView, InvitationView)},
        options=(Option("validateOnly", {"type": "boolean"}, "Every rule, nothing stored."),),
        errors=(400, 403, 404, 409, 413, 415, 422),
        headers=("Idempotency-Key", "client-request-id"),
    ),
    "list_referrals": Shape(answers={200: ReferralPage}, options=(*_ODATA, *_PAGING), errors=(400, 403)),
    "get_referral": Shape(
        answers={200: ReferralView, 304: None}, errors=_READING, headers=("If-None-Match",)
    ),
    "get_timeline": Shape(answers={200: TimelinePage}, options=_PAGING, errors=(400, *_READING)),
    "mark_favorite": Shape(answers={204: None}, errors=_READING),
    "unmark_favorite": Shape(answers={204: None}, errors=_READING),
    "accept_referral": _verb(AcceptBody),
    "decline_referral": _verb(ClosingBody),
    "win_referral": _verb(WinBody),
    "lose_referral": _verb(ClosingBody),
    "mark_stage": _verb(StageBody),
    "patch_referral": Shape(
        request=PATCH_SCHEMA,
        media_types=("application/json", "application/json-patch+json"),
        answers={200: ReferralView, 204: None},
        errors=(*_VERB, 428),
        headers=("If-Match", "Prefer"),
    ),
    "put_referral": Shape(
        request=RESOURCE_SCHEMA, answers={200: ReferralView}, errors=(*_VERB, 428), headers=("If-Match",)
    ),
    "invite": Shape(
        request=InvitationsBody,
        answers={201: InvitationsView},
        errors=_VERB,
        headers=("If-Match", "Idempotency-Key", "client-request-id"),
    ),
    "get_engagement": Shape(answers={200: (PartnerLedView, EngagementView)}, errors=_READING),
    "say": Shape(
        request=MessageBody,
        answers={201: MessageView},
        errors=(400, 403, 404, 409, 413, 415, 422),
        headers=("Idempotency-Key",),
    ),
    "list_partner_led": Shape(
        answers={200: PartnerLedPage},
        options=(Option("dealType", {"enum": ["PartnerLed"]}, "The only list there is.", True), *_PAGING),
        errors=(400, 403),
    ),
    "find_customers": Shape(
        answers={200: CustomersFound},
        options=(
            Option("country", {"type": "string"}, "ISO 3166-1 alpha-2.", required=True),
            Option("name", {"type": "string"}, "The start of the name, two letters or more.", required=True),
        ),
        errors=(400, 403),
    ),
    "find_partners": Shape(
        answers={200: PartnersFound},
        options=(
            Option("name", {"type": "string"}, "The start of the name, two letters or more.", required=True),
        ),
        errors=(400, 403),
    ),
    "find_solutions": Shape(
        answers={200: SolutionsFound},
        options=(
            Option("kind", {"type": "string"}, "MyCompany, Microsoft, ThirdParty or SolutionAssessment."),
            Option("name", {"type": "string"}, "The start of the name."),
        ),
        errors=(400, 403),
    ),
    "find_recent_contacts": Shape(answers={200: ContactsFound}, errors=(400, 403)),
    "get_reference_data": Shape(answers={200: ReferenceDataView}, errors=(403,)),
    "list_people": Shape(answers={200: PeopleView}, errors=_READING),
    "get_person": Shape(answers={200: PersonView}, errors=_READING),
    "put_person": Shape(
        request=PersonBody,
        answers={200: PersonView, 201: PersonView},
        errors=(*_VERB, 428),
        headers=("If-Match",),
    ),
    "remove_person": Shape(answers={204: None}, errors=(403, 404, 409, 412, 428), headers=("If-Match",)),
    "submit_leads": Shape(
        request=LeadBody,
        answers={201: LeadsView},
        errors=(400, 403, 409, 413, 415, 422),
        headers=("Idempotency-Key", "client-request-id"),
    ),
    "convert_lead": _verb(ConversionBody),
    "find_providers": Shape(
        answers={200: ProvidersFound},
        options=(
            Option("country", {"type": "string"}, "ISO 3166-1 alpha-2.", required=True),
            *(Option(word, {"type": "string"}, f"One {word} of the profile.") for word in WORDS),
            Option("customerSize", {"enum": list(CUSTOMER_SIZES)}, "Partners that want such customers."),
            _PAGING[0],
        ),
        errors=(400, 403),
    ),
    "list_profiles": Shape(answers={200: ProfilesView}, errors=_READING),
    "get_profile": Shape(answers={200: ProfileView}, errors=_READING),
    "put_profile": Shape(
        request=ProfileBody,
        answers={200: ProfileView, 201: ProfileView},
        errors=(400, 403, 404, 412, 413, 415, 422, 428),
        headers=("If-Match",),
    ),
    "get_routing_rules": Shape(answers={200: RoutingView}, errors=(403,)),
    "put_routing_rules": Shape(
        request=RoutingBody,
        answers={200: RoutingView},
        errors=(400, 403, 412, 413, 415, 422, 428),
        headers=("If-Match",),
    ),
    "evaluate_routing_rules": Shape(
        request=EvaluationBody, answers={200: EvaluationView}, errors=(400, 403, 413, 415, 422)
    ),
    "get_eligibility": Shape(answers={200: EligibilityView}, errors=_READING),
    "list_deal_registrations": Shape(answers={200: RegistrationsView}, errors=_READING),
    "register": Shape(
        request=RegistrationBody,
        answers={201: RegistrationsView},
        errors=(400, 403, 404, 409, 413, 415, 422),
        headers=("Idempotency-Key", "client-request-id"),
    ),
    "put_registration": Shape(
        request=RegistrationBody,
        answers={200: RegistrationView},
        errors=(*_VERB, 428),
        headers=("If-Match",),
    ),
    "report_closed_deal": Shape(
        request=ClosedDealBody,
        answers={201: RegistrationsView},
        errors=(400, 403, 409, 413, 415, 422),
        headers=("Idempotency-Key", "client-request-id"),
    ),
    "list_registrations": Shape(
        answers={200: RegistrationsPage},
        options=(
            Option("status", {"type": "string"}, "One status, or several separated by commas."),
            Option("kind", {"type": "string"}, "One kind, or several separated by commas."),
            Option("customer", {"type": "string"}, "A part of the customer's name."),
            Option(
                "olderThanDays",
                {"type": "integer", "minimum": 0, "maximum": 10_000},
                "How long it has waited at least.",
            ),
            *_PAGING,
        ),
        errors=(400, 403),
    ),
    "get_registration": Shape(
        answers={200: RegistrationView, 304: None}, errors=_READING, headers=("If-None-Match",)
    ),
    "review_registration": Shape(
        request=ReviewBody,
        answers={200: RegistrationView},
        errors=(*_VERB, 428),
        headers=("If-Match", "Idempotency-Key"),
    ),
    "assign_registration": Shape(
        request=AssignmentBody,
        answers={200: RegistrationView},
        errors=_VERB,
        headers=("If-Match",),
    ),
    "take_mail_events": Shape(
        request=EVENTS_SCHEMA,
        answers={200: EventsTaken},
        options=(Option("key", {"type": "string"}, "The secret of the subscription.", required=True),),
        errors=(400, 401, 411, 413, 415, 503),
        without_token=True,
    ),
    "get_stage_map": Shape(answers={200: StageMapView}, errors=_READING),
    "put_stage_map": Shape(
        request=StageMapBody,
        answers={200: StageMapView},
        errors=(400, 403, 404, 412, 413, 415, 422),
        headers=("If-Match",),
    ),
    "get_openapi": Shape(answers={200: None}, without_token=True),
    "show_docs": Shape(answers={200: None}, without_token=True, html=True),
    "healthz": Shape(answers={200: HealthView, 503: HealthView}, without_token=True),
}
