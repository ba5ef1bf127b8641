"""`GET …/registration-eligibility`: whether a deal can be registered, and with what its form begins (G1, G3)."""

from api.common.access import visible_referral
from api.common.eligibility import eligibility_of
from api.http.operation import SEEING, operation
from api.http.problems import Forbidden
from api.http.request import Request
from api.http.response import Response
from api.registrations.mapping import customer_view, rules_of
from api.registrations.schemas import EligibilityView, RegistrableView
from shared.domain.deal_registration import kinds_of
from shared.domain.eligibility import unregistered, warnings
from shared.domain.referral import Referral, Solution
from shared.domain.registration import RegisteredCustomer

ONE = "v1.0/engagements/referrals/{id}"


@operation("GET", f"{ONE}/registration-eligibility", returns=EligibilityView, errors=SEEING)
async def get_eligibility(request: Request) -> Response:
    """Whether a deal can be registered, rule by rule; at any time in its life."""
    deal = await visible_referral(request)
    require_partner(request)
    found = await eligibility_of(request, deal)
    return Response(
        body=EligibilityView(
            eligible=found.eligible,
            rules=rules_of(found),
            warnings=list(warnings(deal)),
            registrable=[_registrable(solution, deal) for solution in unregistered(deal)],
        )
    )


def require_partner(request: Request) -> None:
    """Refuse Microsoft's sellers: registrations are their partners' and the reviewers' (V6)."""
    if request.caller.organization.kind != "partner":
        raise Forbidden("Only partners register deals; Microsoft's reviewers find them in the queue.")


def customer_of(deal: Referral) -> RegisteredCustomer:
    """What a form begins with: the deal's customer (G3)."""
    place = deal.customer.address
    return RegisteredCustomer(
        name=deal.customer.name, country=place.country, city=place.city, state=place.state
    )


def _registrable(solution: Solution, deal: Referral) -> RegistrableView:
    return RegistrableView(
        solution_id=solution.id,
        solution_name=solution.name,
        kinds=list(kinds_of(solution)),
        customer=customer_view(customer_of(deal)),
    )
