"""The keys that tokens are verified with, where Entra publishes its own."""

from aiohttp import web

from localcloud.issuer.keys import SigningKey

JWKS_PATH = "/discovery/v2.0/keys"


def issuer_routes(key: SigningKey) -> list[web.RouteDef]:
    """Return the route of the JSON Web Key Set."""

    async def keys(_request: web.Request) -> web.Response:
        return web.json_response(key.jwks())

    return [web.get(JWKS_PATH, keys)]
