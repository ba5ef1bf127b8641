"""Who may register deals, and the registrations of a deal by their ids (rules V5, V6)."""

from api.http.problems import Forbidden, NotFound
from api.http.request import Request
from shared.domain.ids import RegistrationId, is_uuid
from shared.domain.permissions import may_write_registrations
from shared.domain.referral import ReferralKey
from shared.domain.registration import Registration


def registration_not_found() -> NotFound:
    """The error for a registration that does not exist or that the caller may not see."""
    return NotFound("There is no such registration.")


def route_registration_id(request: Request) -> RegistrationId:
    """The registration id in the route. Raises `NotFound` if it is not a UUID."""
    identifier = request.route_param("rid").lower()
    if not is_uuid(identifier):
        raise registration_not_found()
    return RegistrationId(identifier)


async def load_registration(
    request: Request, key: ReferralKey, registration_id: RegistrationId
) -> Registration:
    """A registration of the deal, or of the report, that is stored under a key. Raises `NotFound`."""
    found = await request.service.registrations.get(key, registration_id)
    if found is None:
        raise registration_not_found()
    return found


def require_partner(request: Request) -> None:
    """Raise `Forbidden` for people of other organizations than partners (V6)."""
    if request.caller.organization.kind != "partner":
        raise Forbidden("Only partners register deals; Microsoft's reviewers find them in the review queue.")


def require_writer(request: Request) -> None:
    """Raise `Forbidden` for people who may only read registrations (V6)."""
    if not may_write_registrations(request.caller):
        raise Forbidden("Only partner admins and referrals admins can register deals.")
