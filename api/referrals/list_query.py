"""The OData options of the list of referrals, and the token by which a page goes on (N4)."""

import json
import operator
from dataclasses import dataclass

from api.http.paging import Option, invalid_skip_token, place_of, top_of
from api.http.request import Request
from api.referrals.odata import count_of, filter_of, order_of, search_of, select_of, skip_of
from shared.domain.ids import digest
from shared.domain.listing import Field, Order, Predicate, fields_of

ODATA = (
    Option("$filter", {"type": "string", "maxLength": 4096}, "Conditions; docs/api.md lists the fields."),
    Option("$search", {"type": "string", "maxLength": 255}, "Starts of words, all of which must be found."),
    Option("$orderby", {"type": "string"}, "A field, then asc or desc; docs/api.md lists the fields."),
    Option("$skip", {"type": "integer", "minimum": 0, "maximum": 1000}, "How many items to skip."),
    Option("$count", {"type": "boolean"}, "Whether to count all items; exact up to 5,000."),
    Option("$select", {"type": "string"}, "Names of fields, separated by commas."),
)
_PLACE = r'\{"place": "[0-9a-f:-]{1,2200}", "of": "[0-9a-f]{16}"\}'
"""The position in a nextLink's token, and the fingerprint of search, filter and order, for which alone it is
valid."""


@dataclass(frozen=True, slots=True)
class Query:
    """The query options.

    `search` are the folded words of `$search`. `uses` are the fields of the filter. `after` is where the previous
    page ended; `fingerprint` identifies search, filter and order.
    """

    search: tuple[str, ...]
    predicate: Predicate | None
    uses: frozenset[Field]
    order: Order
    top: int
    skip: int
    count: bool
    select: frozenset[str] | None
    after: str | None
    fingerprint: str

    @classmethod
    def of(cls, request: Request) -> "Query":
        """Parse the options. Raises `BadQuery`."""
        params = request.options
        search = search_of(params.get("$search"))
        predicate = filter_of(params.get("$filter"))
        fingerprint = digest(*search, params.get("$filter", ""), params.get("$orderby", ""))[:16]
        return cls(
            search=search,
            predicate=predicate,
            uses=fields_of(predicate) if predicate else frozenset(),
            order=order_of(params.get("$orderby")),
            top=top_of(request),
            skip=skip_of(params.get("$skip")),
            count=count_of(params.get("$count")),
            select=select_of(params.get("$select")),
            after=_after(place_of(request, _PLACE), fingerprint),
            fingerprint=fingerprint,
        )

    def token(self, place: str) -> str:
        """What the nextLink carries: the position at which the page ends, for these options alone."""
        return json.dumps({"place": place, "of": self.fingerprint})


def _after(token: str | None, fingerprint: str) -> str | None:
    """The position in a nextLink's token, which is valid only with the same filter and order."""
    if token is None:
        return None
    place, of = operator.itemgetter("place", "of")(json.loads(token))
    if of != fingerprint:
        raise invalid_skip_token()
    return str(place)
