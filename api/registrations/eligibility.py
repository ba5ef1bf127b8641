"""Show whether a deal can be registered, and prefill its form: `GET …/registration-eligibility` (G1, G3)."""

from api.common.access import REFERRAL_ROUTE, visible_referral
from api.common.eligibility import load_eligibility
from api.common.response_parts import warning_views
from api.http.operation import operation
from api.http.request import Request
from api.http.response import Response
from api.registrations.access import require_partner
from api.registrations.mapping import rule_views
from api.registrations.schemas import EligibilityView, RegisteredCustomerView, RegistrableView
from shared.domain.deal_warnings import registration_warnings
from shared.domain.eligibility import unregistered, unregistered_kinds
from shared.domain.referral import Referral, Solution
from shared.domain.registration import RegisteredCustomer


@operation("GET", f"{REFERRAL_ROUTE}/registration-eligibility", returns=EligibilityView)
async def get_eligibility(request: Request) -> Response:
    """Check whether a deal can be registered.

    Lists every condition with its result, and the solutions that can be registered (G1, G3).
    """
    deal = await visible_referral(request)
    require_partner(request)
    found = await load_eligibility(request, deal)
    return Response(
        body=EligibilityView(
            eligible=found.eligible,
            rules=rule_views(found),
            warnings=warning_views(registration_warnings(deal)),
            registrable=[_registrable(solution, deal) for solution in unregistered(deal)],
        )
    )


def prefilled_customer(deal: Referral) -> RegisteredCustomer:
    """The customer with which a registration form begins: the deal's (G3)."""
    place = deal.customer.address
    return RegisteredCustomer(
        name=deal.customer.name, country=place.country, city=place.city, state=place.state
    )


def _registrable(solution: Solution, deal: Referral) -> RegistrableView:
    return RegistrableView(
        solution_id=solution.id,
        solution_name=solution.name,
        kinds=list(unregistered_kinds(deal, solution)),
        customer=RegisteredCustomerView.from_domain(prefilled_customer(deal)),
    )
