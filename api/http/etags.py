"""ETags and the conditional headers If-Match and If-None-Match (E2; docs/api.md, conventions)."""

from api.http.problems import PreconditionFailed, PreconditionRequired
from api.http.request import Request
from api.http.schemas import View
from shared.domain.ids import digest


def etag_of(version: int) -> str:
    """The ETag of a record of this version, quotes included."""
    return f'"{version}"'


def etag_of_view(view: View) -> str:
    """The ETag of a response without a version of its own: it changes with everything that the response shows."""
    return f'"{digest(view.model_dump_json(by_alias=True))[:16]}"'


def matches_if_none_match(request: Request, etag: str) -> bool:
    """Whether If-None-Match says that the client has this version already."""
    header = request.header("If-None-Match")
    return header is not None and _names(header, etag)


def matches_if_match(request: Request, etag: str) -> bool:
    """Whether If-Match names this version; also true without the header."""
    header = request.header("If-Match")
    return header is None or _names(header, etag)


def if_match_version(request: Request) -> int | None:
    """The version number in If-Match; None unless the header is a single ETag of a version."""
    etag = (request.header("If-Match") or "").strip().removeprefix("W/").strip('"')
    return int(etag) if etag.isascii() and etag.isdigit() and len(etag) < 10 else None


def require_if_match(request: Request, record: str) -> None:
    """Require the header If-Match; `record` is the word for what it names. Raises `PreconditionRequired` (E2)."""
    if request.header("If-Match") is None:
        raise PreconditionRequired(f"Send the ETag of the {record} that you have read in If-Match.")


def refuse_stale_version(request: Request, etag: str) -> None:
    """Refuse a change whose If-Match names another version than the current one. Raises `PreconditionFailed`."""
    if not matches_if_match(request, etag):
        raise PreconditionFailed(etag)


def require_version(request: Request, etag: str | None, record: str) -> None:
    """Require that If-Match names the current version; `etag` is None while the record does not exist.

    Raises `PreconditionRequired`, `PreconditionFailed`.
    """
    if etag is None:
        if request.header("If-Match") is not None:
            raise PreconditionFailed("")
        return
    require_if_match(request, record)
    refuse_stale_version(request, etag)


def _names(header: str, etag: str) -> bool:
    tags = {tag.strip().removeprefix("W/") for tag in header.split(",")}
    return etag in tags or "*" in tags
