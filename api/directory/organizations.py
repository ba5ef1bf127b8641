"""Whose the resources below `/v1.0/organizations/{id}` are, and who reads and changes them (V5, V6)."""

from api.http.problems import Forbidden, NotFound
from api.http.request import Request
from shared.domain.ids import OrganizationId
from shared.domain.permissions import may_configure, may_use_referrals


def require_own(request: Request) -> OrganizationId:
    """The caller's own organization; another one reads like an unknown id (V5)."""
    organization = request.caller.organization.id
    if request.in_route("id") != organization:
        raise NotFound("There is no such organization.")
    return organization


def require_reader(request: Request) -> OrganizationId:
    """The caller's own organization, if the caller works with its referrals (V6)."""
    organization = require_own(request)
    if request.caller.organization.kind != "partner" or not may_use_referrals(request.caller):
        raise Forbidden("Only those who work with a partner's referrals see its settings.")
    return organization


def require_configurer(request: Request, what: str) -> OrganizationId:
    """The caller's own organization, if the caller keeps its settings (V6)."""
    organization = require_own(request)
    if not may_configure(request.caller):
        raise Forbidden(f"A partner admin or a global referrals admin keeps {what}.")
    return organization
