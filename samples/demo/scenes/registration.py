"""Deal registration: a won deal is registered, sent back for a correction, and approved."""

from datetime import timedelta
from http import HTTPStatus
from typing import Any

from samples.demo import deal
from samples.demo.scene import ACCEPTED, DEE, NEW, RAE, SAM, VERA, WON, Scene, who

ERROR = {"target": "/contract/value", "message": "The contract says 249,000: please correct the value."}


def play(scene: Scene) -> None:
    """A registration, from the won deal through a correction to the approval."""
    _win(scene)
    records = _register(scene)
    _wait_for_review(scene)
    _send_back(scene, records["IpCoSell"])
    _correct(scene, records["IpCoSell"])
    _approve(scene, records["IpCoSell"])


def _win(scene: Scene) -> None:
    scene.screen.step(
        f"{who(RAE)} creates a deal, asks Microsoft for help, and checks what a registration needs"
    )
    body = {**deal.creation(RAE, scene.service.now()), "name": "ERP registered", "invitations": []}
    scene.create(RAE, body, "SOL-CONTOSO-ERP has an IP incentive and ISV Connect")
    scene.find(SAM)
    scene.service.advance("PT0S")
    scene.show({"Contoso": ACCEPTED, "Microsoft": NEW}, {SAM})
    path = f"{scene.path_of(RAE)}/registration-eligibility"
    scene.screen.call(f"GET {path}  200")
    for rule in scene.service.get(RAE, path)["rules"]:
        scene.screen.note(f"{'passed' if rule['passed'] else 'failed'}  {rule['id']}: {rule['explanation']}")
    scene.screen.step(f"{who(SAM)} accepts")
    scene.perform(SAM, "accept", {})
    scene.show({"Microsoft": ACCEPTED}, {RAE})
    scene.screen.step(f"{who(RAE)} wins the deal, and is told that it can be registered")
    scene.perform(RAE, "win", {})
    scene.show({"Contoso": WON}, {RAE, SAM})
    scene.check("The milestone", scene.read(RAE)["registrationStatus"], "Eligible")
    scene.check("Her work", scene.needs(RAE), "register")


def _register(scene: Scene) -> dict[str, dict[str, Any]]:
    scene.screen.step("She registers it: ISV Connect is complete at once, IP co-sell goes to review")
    path = f"{scene.path_of(RAE)}/registrations"
    answer = scene.service.post(RAE, path, _form(scene, deal.DEAL_VALUE), HTTPStatus.CREATED)
    scene.screen.call(f"POST {path}  201", "contract, solution value, dates, contact, declaration")
    records = {record["kind"]: record for record in answer["value"]}
    for record in records.values():
        scene.screen.note(f"{record['kind']}: {record['status']}")
    scene.service.advance("PT0S")
    scene.show({}, {DEE, VERA})
    return records


def _wait_for_review(scene: Scene) -> None:
    scene.screen.step("Nobody reviews it for five working days: the team's lead is notified")
    scene.pass_time("P11D")
    scene.show({}, {VERA})


def _send_back(scene: Scene, record: dict[str, Any]) -> None:
    scene.screen.step(f"{who(DEE)} finds it in the queue and asks for a correction")
    queue = scene.service.get(DEE, "/v1.0/registrations?status=ReviewPending&$top=100")["value"]
    scene.check("It is in the queue", record["id"] in {each["id"] for each in queue}, True)
    scene.review(DEE, record, {"decision": "requestAction", "errors": [ERROR]})
    scene.show({}, {RAE})
    scene.check("The milestone", scene.read(RAE)["registrationStatus"], "ActionRequired")
    scene.check("Her work", scene.needs(RAE), "correct")


def _correct(scene: Scene, record: dict[str, Any]) -> None:
    scene.screen.step(f"{who(RAE)} corrects the value and submits it again")
    path = f"{scene.path_of(RAE)}/registrations/{record['id']}"
    etag = scene.service.get(RAE, f"/v1.0/registrations/{record['id']}")["eTag"]
    scene.service.put(RAE, path, etag, _form(scene, 249_000))
    scene.screen.call(f"PUT {path}  200", f"If-Match: {etag}; contract value 249,000")
    scene.service.advance("PT0S")
    scene.show({}, {DEE, VERA})


def _approve(scene: Scene, record: dict[str, Any]) -> None:
    scene.screen.step(f"{who(DEE)} approves: the registration is final")
    approved = scene.review(DEE, record, {"decision": "approve"})
    scene.show({}, {RAE})
    rounds = [each["decision"] for each in approved["rounds"]]
    scene.check("The rounds", rounds, ["requestAction", "approve"])
    scene.check("The milestone", scene.read(RAE)["registrationStatus"], "Approved")


def _form(scene: Scene, value: int) -> dict[str, Any]:
    now = scene.service.now()
    member = deal.member(RAE)
    return {
        "contractType": "New",
        "contract": {
            "value": value,
            "currency": deal.CURRENCY,
            "signDateTime": f"{now:%Y-%m-%dT00:00:00Z}",
            "startDateTime": f"{now:%Y-%m-%dT00:00:00Z}",
            "endDateTime": f"{now + timedelta(days=365):%Y-%m-%dT00:00:00Z}",
            "term": "Finite",
        },
        "solutionValue": 180_000,
        "deployedOn": "Azure",
        "consumptionTenant": "Customer",
        "contact": {name: value for name, value in member.items() if name != "title"},
        "contractNamesPartnerAndSolution": True,
    }
