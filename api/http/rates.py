"""Count a request against the limits on requests, and tell the client what is left (docs/api.md, conventions)."""

from collections.abc import Mapping
from datetime import timedelta
from ipaddress import ip_address, ip_network

from api.http.problems import TooManyRequests
from shared.auth.rate_limits import Allowance, RateLimit


class Rates:
    """The limits that one request has counted against."""

    def __init__(self) -> None:
        self._allowances: list[Allowance] = []

    async def count(self, limit: RateLimit, key: str) -> None:
        """Count the request. Raises `TooManyRequests`."""
        allowance = await limit.count(key)
        if allowance is None:
            return
        self._allowances.append(allowance)
        if not allowance.admitted:
            raise TooManyRequests(
                f"There are at most {allowance.limit:,} requests a minute: wait {allowance.seconds} seconds.",
                timedelta(seconds=allowance.seconds),
            )

    def headers(self) -> dict[str, str]:
        """The headers that say how much is left, of the limit of which the least is left; none without a limit."""
        if not self._allowances:
            return {}
        least = min(self._allowances, key=lambda each: each.remaining)
        return {
            "RateLimit-Limit": str(least.limit),
            "RateLimit-Remaining": str(least.remaining),
            "RateLimit-Reset": str(least.seconds),
        }


def client_address(headers: Mapping[str, str]) -> str:
    """The address of the client: the last in `X-Forwarded-For`, which the platform's front end appends.

    What stands before it was sent by the client, which could invent it. Of IPv6 it is the network of 64 bits that one
    client has. Clients without an address count as one.
    """
    last = (headers.get("X-Forwarded-For") or "").rpartition(",")[2].strip()
    address, colon, port = last.rpartition(":")
    has_port = bool(colon) and port.isdigit() and ("]" in address or ":" not in address)
    try:
        found = ip_address((address if has_port else last).strip("[]"))
    except ValueError:
        return ""
    return str(found) if found.version == 4 else str(ip_network((int(found), 64), strict=False))
