"""Access to the resources below `/v1.0/organizations/{id}` (V5, V6)."""

from api.http.problems import Forbidden, NotFound
from api.http.request import Request
from shared.domain.ids import OrganizationId
from shared.domain.permissions import may_configure, may_use_referrals

ORGANIZATION_ROUTE = "v1.0/organizations/{id}"


def require_own(request: Request) -> OrganizationId:
    """The organization of the route. Raises `NotFound` unless it is the caller's own (V5)."""
    organization = request.caller.organization.id
    if request.route_param("id") != organization:
        raise NotFound("There is no such organization.")
    return organization


def require_reader(request: Request) -> OrganizationId:
    """The caller's organization. Raises `Forbidden` unless the caller works with a partner's referrals (V6)."""
    organization = require_own(request)
    if request.caller.organization.kind != "partner" or not may_use_referrals(request.caller):
        raise Forbidden("Only people who work with a partner's referrals can see its settings.")
    return organization


def require_configurer(request: Request, what: str) -> OrganizationId:
    """The caller's organization. Raises `Forbidden` unless the caller may change its settings (V6)."""
    organization = require_own(request)
    if not may_configure(request.caller):
        raise Forbidden(f"Only partner admins and global referrals admins can change {what}.")
    return organization
