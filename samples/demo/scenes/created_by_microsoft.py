"""A deal that Microsoft creates: a seller invites a partner, and the deal is a co-sell deal from the start."""

from samples.demo import deal
from samples.demo.scene import ACCEPTED, KIM, NEW, SAM, Scene, who


def play(scene: Scene) -> None:
    """A deal that Microsoft creates."""
    scene.screen.step(f"{who(SAM)} records a customer's need and invites Fabrikam")
    created = scene.create(
        SAM, deal.of_microsoft(SAM, scene.service.now()), "no location; invitations: fabrikam"
    )
    scene.check("The deal's type", created["dealType"], "CoSell")
    scene.find(KIM)
    scene.service.advance("PT0S")
    scene.show({"Microsoft": ACCEPTED, "Fabrikam": NEW}, {KIM})
    scene.screen.step(f"{who(KIM)} accepts")
    scene.perform(KIM, "accept", {})
    scene.show({"Fabrikam": ACCEPTED}, {SAM})
