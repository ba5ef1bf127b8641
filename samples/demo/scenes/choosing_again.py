"""A customer chooses again: Tailspin declines, and the link in the mail sends the request to another company."""

import re
from http import HTTPStatus

from samples.demo import deal
from samples.demo.scene import DECLINED, LOU, NEW, RAE, TOM, Scene, who
from samples.demo.service import UnexpectedAnswer

NAME = "Press line sensors"
_SECRET = re.compile(r"/choices/([\w-]+)")
_WHO = {"contoso": RAE, "litware": LOU}


def play(scene: Scene) -> None:
    """A customer chooses another company by the link in a mail."""
    scene.screen.step(f"{deal.CUSTOMER} asks Tailspin alone")
    body = {**deal.request_for_information("tailspin"), "name": NAME}
    scene.submit(body, {"tailspin": TOM}, "recipients: tailspin")
    scene.show({"Tailspin Toys": NEW}, {TOM})
    scene.screen.step(f"{who(TOM)} declines; the customer's mail has a link to choose again")
    scene.perform(TOM, "decline", {"reason": "BudgetNotAdequate"})
    scene.show({"Tailspin Toys": DECLINED}, {deal.BUYER})
    found = _SECRET.search(scene.arrived[-1].text)
    if found is None:
        raise UnexpectedAnswer("The customer's mail should have a link to choose another company.")
    scene.screen.step("The customer follows the link, without signing in, and chooses the first company")
    path = f"/v1.0/choices/{found[1]}"
    offered = scene.service.get(None, path)["alternatives"]
    scene.screen.call("GET /v1.0/choices/…  200", ", ".join(each["name"] for each in offered))
    chosen = scene.service.post(
        None, path, {"organizationId": offered[0]["organizationId"]}, HTTPStatus.CREATED
    )
    scene.screen.call("POST /v1.0/choices/…  201", chosen["name"])
    taker = _WHO[chosen["organizationId"]]
    scene.check(f"What {who(taker)} has", NAME in scene.search(taker, "press sensors"), True)
    scene.screen.note(scene.service.refused(None, "GET", path, HTTPStatus.NOT_FOUND))
