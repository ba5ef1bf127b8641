"""What the resources below `/v1.0/organizations/{id}` have in common: whose they are, and versions as ETags."""

from api.http.etags import matches
from api.http.problems import Forbidden, NotFound, PreconditionFailed, PreconditionRequired
from api.http.request import Request
from shared.domain.ids import OrganizationId
from shared.domain.permissions import may_configure, may_use_referrals


def require_own(request: Request) -> OrganizationId:
    """The caller's own organization; another one reads like an unknown id (V5)."""
    organization = request.caller.organization.id
    if request.route_params.get("id") != organization:
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


def version_tag(version: int) -> str:
    """The ETag of a record that counts its changes."""
    return f'"{version}"'


def require_version(request: Request, present: int, what: str) -> None:
    """Refuse a change that does not say which version it means, or means another; version 0 is not there yet.

    Raises `PreconditionRequired`, `PreconditionFailed`.
    """
    header = request.header("If-Match")
    if present == 0 and header is not None:
        raise PreconditionFailed("")
    if present:
        require_tag(request, version_tag(present), what)


def require_tag(request: Request, tag: str, what: str) -> None:
    """Refuse a change that does not name this ETag. Raises `PreconditionRequired`, `PreconditionFailed`."""
    if request.header("If-Match") is None:
        raise PreconditionRequired(f"Send the ETag of the {what} that you mean in If-Match.")
    refuse_other_tag(request, tag)


def refuse_other_tag(request: Request, tag: str) -> None:
    """Refuse a change that names another ETag; it may name none. Raises `PreconditionFailed`."""
    header = request.header("If-Match")
    if header is not None and not matches(header, tag):
        raise PreconditionFailed(tag)
