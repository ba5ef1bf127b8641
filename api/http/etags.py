"""ETags: which version of a record a request means (E2; docs/api.md, conventions)."""

from api.http.problems import PreconditionFailed, PreconditionRequired
from api.http.request import Request


def etag_of(version: int) -> str:
    """The ETag of a record that counts its changes, quotes included."""
    return f'"{version}"'


def is_known(request: Request, etag: str) -> bool:
    """Whether the client has this version already, as If-None-Match says."""
    known = request.header("If-None-Match")
    return known is not None and _names(known, etag)


def is_meant(request: Request, etag: str) -> bool:
    """Whether a request means this version: If-Match names it, or there is none."""
    meant = request.header("If-Match")
    return meant is None or _names(meant, etag)


def meant_version(request: Request) -> int | None:
    """The version that If-Match names by its number, if it is one."""
    meant = (request.header("If-Match") or "").strip().removeprefix("W/").strip('"')
    return int(meant) if meant.isdigit() and len(meant) < 10 else None


def require_if_match(request: Request, record: str) -> None:
    """Refuse a change that does not say which version of a record it means (E2). Raises `PreconditionRequired`."""
    if request.header("If-Match") is None:
        raise PreconditionRequired(f"Send the ETag of the {record} that you mean in If-Match.")


def refuse_other_version(request: Request, etag: str) -> None:
    """Refuse a change that means another version than the present one. Raises `PreconditionFailed`."""
    if not is_meant(request, etag):
        raise PreconditionFailed(etag)


def require_version(request: Request, etag: str | None, record: str) -> None:
    """Refuse a change that does not mean the present version; `etag` is None while there is no such record.

    Raises `PreconditionRequired`, `PreconditionFailed`.
    """
    if etag is None:
        if request.header("If-Match") is not None:
            raise PreconditionFailed("")
        return
    require_if_match(request, record)
    refuse_other_version(request, etag)


def _names(header: str, etag: str) -> bool:
    tags = {tag.strip().removeprefix("W/") for tag in header.split(",")}
    return etag in tags or "*" in tags
