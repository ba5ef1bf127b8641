"""A customer asks three partners at once: Contoso accepts, Tailspin declines, Litware does not answer."""

from samples.demo import deal
from samples.demo.scene import ACCEPTED, DECLINED, EXPIRED, LOU, NEW, RAE, TOM, Scene, who

PRIVATE = "They have no budget, and we have no people."


def play(scene: Scene) -> None:
    """A request for information, from the question to the answers."""
    _ask(scene)
    _accept_for_contoso(scene)
    _decline_for_tailspin(scene)
    _let_litware_expire(scene)
    scene.screen.step("Contoso converts its lead into a deal and asks Microsoft for help")
    body = {
        "team": [deal.member(RAE)],
        "details": {"requirements": {"solutions": [{"id": "SOL-CONTOSO-ERP"}]}},
    }
    created = scene.perform(
        RAE, "convert", {**body, "inviteContext": {"assistanceRequestCode": "GeneralOrOther"}}
    )
    found = (created["dealType"], created["direction"], created["contactAlert"])
    scene.check("The deal's type, direction and alert", found, ("CoSell", "Outgoing", "overdue"))
    kinds = scene.show_timeline(RAE)
    scene.check("Contoso's entries", kinds, ["received", "accepted", "converted"])


def _ask(scene: Scene) -> None:
    scene.screen.step(f"{deal.CUSTOMER} asks four partners on the web site, and wants to be contacted")
    body = deal.request_for_information("contoso", "tailspin", "litware", "fabrikam")
    companies = {"contoso": RAE, "tailspin": TOM, "litware": LOU}
    scene.submit(body, companies, "customerRequestedContact: true, alternatives: 2")
    scene.screen.note("Fabrikam has no business profile in the United States. None of them sees the others.")
    scene.show({"Contoso": NEW, "Tailspin Toys": NEW, "Litware": NEW}, {RAE, TOM, LOU})
    scene.check("The alert", scene.read(RAE)["contactAlert"], "hot")


def _accept_for_contoso(scene: Scene) -> None:
    scene.screen.step(f"{who(RAE)} accepts, with an estimate")
    now = scene.service.now()
    estimate = deal.private(RAE, now, "")["details"]
    fields = {name: estimate[name] for name in ("dealValue", "currency", "closingDateTime")}
    scene.perform(
        RAE, "accept", {**fields, "notes": "Call Jo on Monday.", "externalReferenceId": "CRM-004712"}
    )
    scene.show({"Contoso": ACCEPTED})


def _decline_for_tailspin(scene: Scene) -> None:
    scene.screen.step(
        f"{who(TOM)} declines; the customer is notified and offered alternatives, without the reason"
    )
    scene.perform(TOM, "decline", {"reason": "BudgetNotAdequate", "notes": PRIVATE})
    scene.show({"Tailspin Toys": DECLINED}, {deal.BUYER})


def _let_litware_expire(scene: Scene) -> None:
    scene.screen.step("Litware does not answer for a day: a reminder, and the alert is still hot")
    scene.pass_time("P1D")
    scene.show({}, {LOU})
    scene.screen.step("Three days before the deadline: another reminder; the alert is overdue by now")
    scene.pass_time("P10D")
    scene.show({}, {LOU})
    scene.check("The alert", scene.read(LOU)["contactAlert"], "overdue")
    scene.screen.step("After 14 days the lead expires, and the customer is advised to choose another partner")
    scene.pass_time("P3D")
    scene.show({"Litware": EXPIRED}, {deal.BUYER})
