"""Partner to partner: Contoso and Fabrikam work together, and Microsoft does not see the deal."""

from http import HTTPStatus

from samples.demo import deal
from samples.demo.scene import ACCEPTED, KIM, NEW, RAE, SAM, WON, Scene, who


def play(scene: Scene) -> None:
    """A partner-to-partner deal, with stages and a conversation."""
    _invite(scene)
    scene.screen.step(f"{who(KIM)} accepts")
    scene.perform(KIM, "accept", {"dealValue": deal.OTHER_VALUE, "team": [deal.member(KIM)]})
    scene.show({"Fabrikam": ACCEPTED}, {RAE})
    _exchange_messages(scene)
    _set_stages(scene)
    scene.screen.step("Fabrikam wins its part; Contoso's stays active")
    scene.perform(KIM, "win", {})
    scene.show({"Fabrikam": WON})


def _invite(scene: Scene) -> None:
    scene.screen.step(f"{who(RAE)} creates a deal and invites only Fabrikam")
    body = deal.private(RAE, scene.service.now(), "Smart shelves")
    created = scene.create(
        RAE, {**body, "invitations": [deal.invitation_of_fabrikam()]}, "invitations: fabrikam"
    )
    scene.check("The deal's type", created["dealType"], "PartnerToPartner")
    scene.service.refused(SAM, "GET", f"/v1.0/engagements/{scene.engagement}", HTTPStatus.NOT_FOUND)
    scene.screen.note("Microsoft does not see the deal: Sam gets 404.")
    scene.find(KIM)
    scene.service.advance("PT0S")
    scene.show({"Contoso": ACCEPTED, "Fabrikam": NEW}, {KIM})


def _exchange_messages(scene: Scene) -> None:
    scene.screen.step("The two exchange messages")
    path = f"/v1.0/engagements/{scene.engagement}/messages"
    for someone, text in ((RAE, "The store in Redmond goes first."), (KIM, "We ship ten shelves on Monday.")):
        sent = scene.service.post(someone, path, {"text": text}, HTTPStatus.CREATED)
        scene.screen.note(f"{sent['sequence']}  {sent['author']} ({sent['organizationId']}): {sent['text']}")
    view = scene.service.get(RAE, f"/v1.0/engagements/{scene.engagement}")
    scene.check("The messages", [each["sequence"] for each in view["messages"]], [1, 2])


def _set_stages(scene: Scene) -> None:
    scene.screen.step("Each sets its own sales stage: by name, and by the percentage of its CRM")
    proposed = scene.perform(RAE, "stage", {"stage": "Proposed"})
    developed = scene.perform(KIM, "stage", {"percent": 55})
    found = (proposed["salesStagePercentage"], developed["salesStage"])
    scene.check("The stages", found, (60, "Developed"))
