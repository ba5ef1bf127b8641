"""Partner to partner: Contoso and Fabrikam work together, and Microsoft sees nothing of it."""

from http import HTTPStatus

from samples.demo import deal
from samples.demo.scene import ACCEPTED, KIM, NEW, RAE, SAM, WON, Scene, who


def play(scene: Scene) -> None:
    """A partner-to-partner deal, with stages and a conversation."""
    _invite(scene)
    scene.screen.step(f"{who(KIM)} accepts")
    scene.act(KIM, "accept", {"dealValue": deal.OTHER_VALUE, "team": [deal.member(KIM)]})
    scene.show({"Fabrikam": ACCEPTED}, {RAE})
    _talk(scene)
    _mark_stages(scene)
    scene.screen.step("Fabrikam wins its part; Contoso's goes on")
    scene.act(KIM, "win", {})
    scene.show({"Fabrikam": WON})


def _invite(scene: Scene) -> None:
    scene.screen.step(f"{who(RAE)} records a deal and invites Fabrikam alone")
    body = deal.private(RAE, scene.service.now(), "Smart shelves")
    made = scene.create(
        RAE, {**body, "invitations": [deal.invitation_of_fabrikam()]}, "invitations: fabrikam"
    )
    scene.check("The deal's type", made["dealType"], "PartnerToPartner")
    scene.service.refused(SAM, "GET", f"/v1.0/engagements/{scene.engagement}", HTTPStatus.NOT_FOUND)
    scene.screen.note("To Microsoft the deal does not exist: Sam gets 404.")
    scene.find(KIM)
    scene.service.advance("PT0S")
    scene.show({"Contoso": ACCEPTED, "Fabrikam": NEW}, {KIM})


def _talk(scene: Scene) -> None:
    scene.screen.step("The two talk on the record")
    path = f"/v1.0/engagements/{scene.engagement}/messages"
    for someone, text in ((RAE, "The store in Redmond goes first."), (KIM, "We ship ten shelves on Monday.")):
        said = scene.service.post(someone, path, {"text": text}, HTTPStatus.CREATED)
        scene.screen.note(f"{said['sequence']}  {said['author']} ({said['organizationId']}): {said['text']}")
    view = scene.service.get(RAE, f"/v1.0/engagements/{scene.engagement}")
    scene.check("The messages", [each["sequence"] for each in view["messages"]], [1, 2])


def _mark_stages(scene: Scene) -> None:
    scene.screen.step("Each marks its own sales stage: by name, and by the percentage of its CRM")
    proposed = scene.act(RAE, "stage", {"stage": "Proposed"})
    developed = scene.act(KIM, "stage", {"percent": 55})
    found = (proposed["salesStagePercentage"], developed["salesStage"])
    scene.check("The stages", found, (60, "Developed"))
