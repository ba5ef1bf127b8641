"""Private, partner-led, co-sell: a private deal is shown to Microsoft, and then Microsoft is asked for help."""

from samples.demo import deal
from samples.demo.scene import ACCEPTED, NEW, RAE, SAM, Scene, who


def play(scene: Scene) -> None:
    """A private deal that becomes partner-led, and then co-sell."""
    _create(scene)
    _show_to_microsoft(scene)
    _ask_microsoft(scene)
    scene.screen.step(f"{who(SAM)} accepts")
    scene.perform(SAM, "accept", {})
    scene.show({"Microsoft": ACCEPTED}, {RAE})
    scene.screen.step("The deal's timeline")
    kinds = scene.show_timeline(RAE)
    scene.check("The entries", kinds, ["created", "typeChanged", "invited", "typeChanged", "partyChanged"])


def _create(scene: Scene) -> None:
    scene.screen.step(f"{who(RAE)} creates a private deal")
    body = deal.private(RAE, scene.service.now(), "Point of sale renewal")
    created = scene.create(RAE, body, "no help requested, nobody invited, not visible to Microsoft")
    scene.check("The deal's type", created["dealType"], "Private")
    scene.check("The sellers' list", scene.is_shown_to_sellers(), False)
    scene.show({"Contoso": ACCEPTED})


def _show_to_microsoft(scene: Scene) -> None:
    scene.screen.step(
        "Contoso lets Microsoft's sellers view it: the deal is partner-led, and sellers read it"
    )
    led = scene.patch(RAE, consent__consentToShareReferralWithMicrosoftSellers=True)
    scene.check("The deal's type", led["dealType"], "PartnerLed")
    view = scene.service.get(SAM, f"/v1.0/engagements/{scene.engagement}")
    terms = view["deal"]
    scene.screen.note(f"Sam reads: {terms['name']}, {terms['currency']} {terms['dealValue']:,}, no contacts.")
    scene.check("The sellers' list", scene.is_shown_to_sellers(), True)
    scene.show({})


def _ask_microsoft(scene: Scene) -> None:
    scene.screen.step("Contoso asks for help: the deal is co-sell, and Microsoft has 14 days to answer")
    asked = scene.patch(RAE, inviteContext__assistanceRequestCode="ProofOfConceptOrDemo")
    scene.check("The deal's type", asked["dealType"], "CoSell")
    scene.check("The sellers' list", scene.is_shown_to_sellers(), False)
    scene.find(SAM)
    scene.show({"Microsoft": NEW}, {SAM})
