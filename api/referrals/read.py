"""Reading a referral, its timeline, and one's own mark on it (rules V, L9, N2)."""

import azure.durable_functions as df
import azure.functions as func

from api.common.access import shown, visible
from api.http.etags import etag_of, matches, page, place_of, refuse_unknown_options, top_of
from api.http.problems import BadQuery
from api.http.request import Answer, Exchange, respond
from api.referrals.mapping import timeline_entry
from shared.domain.eligibility import may_become_registrable

blueprint = df.Blueprint()
ANONYMOUS = func.AuthLevel.ANONYMOUS
ONE = "v1.0/engagements/referrals/{id}"


@blueprint.route(ONE, methods=["GET"], auth_level=ANONYMOUS)
async def get_referral(req: func.HttpRequest) -> func.HttpResponse:
    """One referral, with its ETag; 304 when If-None-Match names it."""
    return await respond(req, got)


@blueprint.route(f"{ONE}/timeline", methods=["GET"], auth_level=ANONYMOUS)
async def get_timeline(req: func.HttpRequest) -> func.HttpResponse:
    """What happened to a referral, oldest first, in pages (L9)."""
    return await respond(req, told)


@blueprint.route(f"{ONE}/favorite", methods=["PUT"], auth_level=ANONYMOUS)
async def mark_favorite(req: func.HttpRequest) -> func.HttpResponse:
    """Mark a referral for oneself; twice is the same as once (N2)."""
    return await respond(req, marked)


@blueprint.route(f"{ONE}/favorite", methods=["DELETE"], auth_level=ANONYMOUS)
async def unmark_favorite(req: func.HttpRequest) -> func.HttpResponse:
    """Remove one's own mark from a referral (N2)."""
    return await respond(req, unmarked)


async def got(exchange: Exchange) -> Answer:
    """One referral that the caller may see."""
    referral = await visible(exchange)
    etag = etag_of(referral)
    known = exchange.header("If-None-Match")
    if known and matches(known, etag) and not may_become_registrable(referral):
        return Answer(status=304, headers={"ETag": etag})
    return await shown(exchange, referral)


async def told(exchange: Exchange) -> Answer:
    """A page of the timeline."""
    refuse_unknown_options(exchange.request, frozenset({"$top", "$skiptoken"}))
    top, place = top_of(exchange.request), place_of(exchange.request)
    if place is not None and not (place.isdecimal() and len(place) < 7):
        raise BadQuery("$skiptoken is not one of ours: follow the nextLink as it is.")
    referral = await visible(exchange)
    entries = await exchange.service.referrals.entries(referral.party, int(place or 0), top + 1)
    lines = [timeline_entry(entry, exchange.caller).document() for entry in entries[:top]]
    more = str(entries[top - 1].sequence) if len(entries) > top else None
    return Answer(body=page(exchange.request, lines, more))


async def marked(exchange: Exchange) -> Answer:
    """The caller's mark is there."""
    referral = await visible(exchange)
    await exchange.service.referrals.mark_favorite(exchange.caller.person, referral.party)
    return Answer(status=204)


async def unmarked(exchange: Exchange) -> Answer:
    """The caller's mark is not there."""
    referral = await visible(exchange)
    await exchange.service.referrals.unmark_favorite(exchange.caller.person, referral.party)
    return Answer(status=204)
