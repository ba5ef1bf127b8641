"""Co-sell: Microsoft and Fabrikam accept, Northwind does not answer for 14 days, Contoso wins."""

from samples.demo import deal
from samples.demo.scene import ACCEPTED, EXPIRED, KIM, NEW, NIA, RAE, SAM, WON, Scene, who


def play(scene: Scene) -> None:
    """A co-sell deal, from the invitation to the win."""
    _invite(scene)
    scene.screen.step(f"{who(SAM)} accepts")
    scene.perform(SAM, "accept", {"notes": "An architect is booked."})
    scene.show({"Microsoft": ACCEPTED}, {RAE})
    _accept_for_fabrikam(scene)
    _talk(scene)
    _let_northwind_expire(scene)
    scene.screen.step(f"{who(RAE)} wins the deal, which can be registered for incentives now")
    scene.perform(RAE, "win", {"notes": "Signed today."})
    scene.show({"Contoso": WON}, {RAE, SAM, KIM})
    scene.screen.step("Northwind's own timeline")
    scene.check("Northwind's entries", scene.show_timeline(NIA), ["received", "expired"])


def _invite(scene: Scene) -> None:
    scene.screen.step(
        f"{who(RAE)} creates a deal with {deal.CUSTOMER}, asks Microsoft for help, "
        "invites Fabrikam and Northwind"
    )
    body = deal.creation(RAE, scene.service.now())
    number = body["customerProfile"]["ids"][0]["id"]
    scene.create(
        RAE,
        body,
        f"D-U-N-S {number}, {deal.CURRENCY} {deal.DEAL_VALUE:,}, SOL-CONTOSO-ERP; "
        "inviteContext: CustomerTechnicalArchitecture; invitations: fabrikam, northwind",
    )
    scene.find(SAM, KIM, NIA)
    scene.service.advance("PT0S")
    states = {"Contoso": ACCEPTED, "Microsoft": NEW, "Fabrikam": NEW, "Northwind Traders": NEW}
    scene.show(states, {SAM, KIM, NIA})


def _accept_for_fabrikam(scene: Scene) -> None:
    scene.screen.step(f"{who(KIM)} accepts, with another value")
    terms = {"dealValue": deal.OTHER_VALUE, "currency": deal.CURRENCY, "externalReferenceId": "FAB-88"}
    accepted = scene.perform(KIM, "accept", {**terms, "team": [deal.member(KIM)]})
    scene.check("Fabrikam's own values", accepted["details"]["dealValue"], deal.OTHER_VALUE)
    scene.show({"Fabrikam": ACCEPTED}, {RAE})


def _talk(scene: Scene) -> None:
    scene.screen.step(
        f"{who(KIM)} finds the deal by its CRM id, and writes to the others: their mail comes later"
    )
    scene.check("Found by FAB-88", scene.search(KIM, "fab-88"), [scene.read(KIM)["name"]])
    scene.write(KIM, "Shall we bring our sensors to the workshop?")
    scene.pass_time("PT11M")
    scene.show({}, {RAE, SAM})
    scene.check("Rae's unread messages", scene.read(RAE)["unreadMessages"], 1)
    scene.check("Rae's work", scene.needs(RAE), "readMessages")


def _let_northwind_expire(scene: Scene) -> None:
    scene.screen.step("Northwind does not answer for a day: the first reminder")
    scene.pass_time("P1D")
    scene.show({}, {NIA})
    scene.screen.step("Three days before the deadline: the second reminder")
    scene.pass_time("P10D")
    scene.show({}, {NIA})
    scene.screen.step("After 14 days the invitation expires")
    scene.pass_time("P3D")
    scene.show({"Northwind Traders": EXPIRED}, {RAE})
