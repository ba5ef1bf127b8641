"""A customer whose request was not taken up chooses another company: `/v1.0/choices/{token}` (R8).

Whoever has the link needs no sign-in, and sees nothing but the companies that can be chosen. A link that never was,
is used up or is over reads the same.
"""

import secrets
from typing import Annotated

import azure.functions as func

from api.http.body import Body, Required, read
from api.http.fields import Code
from api.http.json_body import load_json, refuse_lost_body, refuse_unfit_body
from api.http.operation import public_operation
from api.http.problems import NotFound
from api.http.request import PublicRequest
from api.http.response import Response
from api.http.schemas import DateTime, View
from shared import clock
from shared.disk import require_free_space
from shared.domain.choices import Choice, Chosen, chosen_lead, first_request, without_companies
from shared.domain.directory import Organization, ProfileLocation, contacts_to_ask
from shared.domain.ids import EngagementId, OrganizationId, ReferralId, uuid7
from shared.domain.inquiry import Outcome, SubmittedInquiry
from shared.domain.inviting import solutions_for
from shared.domain.providers import Provider
from shared.domain.referral import Referral
from shared.storage.codec import Stored
from shared.storage.inquiries import inquiry_key
from shared.wiring import Service, new_operation_id, wiring

ROUTE = "v1.0/choices/{token}"


class AlternativeView(View):
    """A company that can be chosen: what it does at the location that fits, and why it fits."""

    organization_id: str
    name: str
    industries: list[str]
    products: list[str]
    services: list[str]
    explanation: str


class AlternativesView(View):
    alternatives: list[AlternativeView]
    expires_date_time: DateTime


class ChoiceBody(Body):
    """`POST …/choices/{token}`: one of the alternatives."""

    organization_id: Annotated[Code | None, Required()] = None


class ChosenView(View):
    """The company that has the request now."""

    organization_id: str
    name: str


@public_operation("GET", ROUTE, returns=AlternativesView, errors=(404, 500), limited=True)
async def get_choice(request: PublicRequest) -> Response:
    """Get the companies that a customer can choose instead of the one that did not take up the request.

    `token` is the secret of the link in the customer's mail.
    """
    return await show_alternatives(request.route_param("token"), await wiring.service())


async def show_alternatives(secret: str, service: Service) -> Response:
    """The companies that can be chosen now. Raises `NotFound`."""
    choice, lead = await _open_choice(secret, service)
    found = await service.providers.find_alternatives(lead, clock.now())
    views = [_view(each.provider, each.fitting) for each in found if each.fitting]
    return Response(body=AlternativesView(alternatives=views, expires_date_time=choice.value.expires_at))


@public_operation(
    "POST",
    ROUTE,
    body=ChoiceBody,
    returns={201: ChosenView},
    errors=(400, 404, 411, 413, 415, 422, 500),
    limited=True,
)
async def choose_company(request: PublicRequest) -> Response:
    """Send the customer's request to one of the companies. The link is used up then."""
    return await send_to_chosen(request.route_param("token"), request.http, await wiring.service())


async def send_to_chosen(secret: str, http: func.HttpRequest, service: Service) -> Response:
    """Make the one request of a link. Raises `NotFound`, `UnreadableBody`, `Invalid`, `DiskFull`."""
    refuse_lost_body(http.headers, http.get_body())
    refuse_unfit_body(http.headers.get("Content-Type") or "", http.get_body(), ("application/json",))
    choice, lead = await _open_choice(secret, service)
    parsed = read(ChoiceBody, load_json(http.get_body()))
    parsed.require_valid()
    require_free_space(service.settings.watched_disk)
    wanted = OrganizationId(parsed.body.organization_id or "")
    found = await service.providers.find_alternatives(lead, clock.now())
    location = next((each.fitting for each in found if each.provider.organization_id == wanted), None)
    organization = await service.directory.organization(wanted) if location else None
    if organization is None or location is None:
        raise _not_found()
    if not await service.choices.claim(first_request(lead), wanted, choice.value.inquiry):
        raise _not_found()
    chosen = await _chosen(service, lead, organization, location)
    stored = await _send(service, choice.value, lead, chosen)
    await service.choices.use_up(secret, choice)
    if stored is None or stored.outcomes[0].organization_id != wanted:
        raise _not_found()
    return Response(status=201, body=ChosenView(organization_id=wanted, name=organization.name))


async def _open_choice(secret: str, service: Service) -> tuple[Stored[Choice], Referral]:
    """The choice of a link and the lead that it is about, without the companies that other links have chosen.

    Raises `NotFound`, in the same words whatever is wrong.
    """
    choice = await service.choices.get(secret)
    if choice is None or not choice.value.is_open(clock.now()):
        raise _not_found()
    lead = await service.referrals.get(choice.value.lead)
    if lead is None or not lead.value.consent.share_contact:
        raise _not_found()
    chosen = await service.choices.chosen(first_request(lead.value))
    others = (each for each, inquiry in chosen.items() if inquiry != choice.value.inquiry)
    return choice, without_companies(lead.value, others)


def _not_found() -> NotFound:
    return NotFound(
        "This link is not valid any more, or never was. Links are good for one choice, and for 30 days."
    )


async def _chosen(
    service: Service, lead: Referral, organization: Organization, location: ProfileLocation
) -> Chosen:
    profile = await service.profiles.get(organization.id, lead.customer.address.country)
    catalogue = await service.directory.solutions(each.id for each in lead.terms.solutions)
    return Chosen(
        organization=organization,
        location=location,
        asked=contacts_to_ask(organization.location(location.id), profile),
        solutions=solutions_for(organization.id, lead.terms.solutions, catalogue),
    )


async def _send(service: Service, choice: Choice, lead: Referral, chosen: Chosen) -> SubmittedInquiry | None:
    """Store the request and deliver its lead; what follows from it is the sweep's, which its intents tell.

    Whatever is stored under the choice's id is the one request that the link makes.
    """
    now = clock.now()
    ids = ReferralId(_new_id()), EngagementId(_new_id())
    times = now, now + service.settings.response_window
    new = chosen_lead(lead, chosen, choice.inquiry, ids, times)
    taken = SubmittedInquiry(
        id=choice.inquiry,
        organization_id=await _submitter(service, lead),
        operation_id=new_operation_id(),
        at=now,
        outcomes=(Outcome(organization_id=new.organization_id, referral_id=new.id),),
    )
    stored = await service.intake.take(taken, [new], None)
    if stored:
        leads = await service.referrals.invitations(inquiry_key(stored))
        await service.intake.deliver(inquiry_key(stored), leads, now)
    return stored


async def _submitter(service: Service, lead: Referral) -> OrganizationId:
    """Who sent the request in the first place: the new one is stored with theirs."""
    received = await service.referrals.entry(lead.key, 1)
    source = received.actor.organization_id if received else None
    return source or lead.organization_id


def _new_id() -> str:
    return uuid7(clock.now(), secrets.token_bytes(16))


def _view(provider: Provider, location: ProfileLocation) -> AlternativeView:
    return AlternativeView.from_domain(
        location,
        organization_id=provider.organization_id,
        name=provider.name,
        explanation=provider.explanation,
    )
