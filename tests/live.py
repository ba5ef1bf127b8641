"""The running service, as people use it: over HTTP, with their tokens, reading their mail, moving its clock."""

import re
import time
from collections import Counter, defaultdict
from typing import Any, Self

import httpx
import pytest

from localcloud import issuer
from localcloud.stack.stack import Stack
from samples.world import application, load

REFERRALS = "/v1.0/engagements/referrals"
ADVENTURE_WORKS = [e for e in load()["customers"] if e["name"] == "Adventure Works"]
WORLD = {
    person["email"].partition("@")[0]: (
        organization["tenantId"],
        person["oid"],
        organization["id"],
        person["email"],
    )
    for organization in load()["organizations"]
    for person in organization["people"]
}
"""Tenant id, object id, organization and email by the name in the email."""
APPLICATIONS = {"web": "Solution Providers web site"}


_LOOKS, _CALM_LOOKS, _BETWEEN_LOOKS = 100, 2, 0.25
"""How often the mails are counted, how often the same number is enough, and the seconds between."""
_UNNAMED, _NAMED = re.compile(r" ?“.*”"), re.compile(r"“(.*)”")


class Person:
    """One person of the sample world, signed in; or an application, with a token of its own."""

    def __init__(self, service: "Service", name: str) -> None:
        if name in APPLICATIONS:
            known = application(APPLICATIONS[name])
            tenant, oid, self.organization = known.tenant_id, known.oid, known.organization_id
        else:
            tenant, oid, self.organization, self.email = WORLD[name]
        self.token = issuer.token(
            service.stack.data.path, tid=tenant, oid=oid, application=name in APPLICATIONS
        )
        self._headers = {"Authorization": f"Bearer {self.token}"}
        self._service = service

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        url = path if path.startswith("http") else self._service.stack.url + path
        headers = {**self._headers, **(options.pop("headers", None) or {})}
        return self._service.http.request(method, url, headers=headers, **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.call("GET", path, **options)

    def post(self, path: str, json: object = None, **options: Any) -> httpx.Response:
        return self.call("POST", path, json={} if json is None else json, **options)

    def create(self, body: dict[str, Any], **options: Any) -> dict[str, Any]:
        made = self.post(REFERRALS, body, **options)
        assert made.status_code == 201, made.text
        return made.json()

    def referral_in(self, engagement_id: str) -> dict[str, Any]:
        """The person's own referral of a deal."""
        found = [
            each for each in self.get(REFERRALS).json()["value"] if each["engagementId"] == engagement_id
        ]
        return found[0]

    def put(self, path: str, json: object = None, **options: Any) -> httpx.Response:
        return self.call("PUT", path, json={} if json is None else json, **options)

    def patch(self, referral: dict[str, Any], *operations: dict[str, Any], **options: Any) -> httpx.Response:
        """A JSON Patch of a referral as it was read, answered with the resource."""
        headers = {"If-Match": referral["eTag"], "Prefer": "return=representation"}
        options["headers"] = {**headers, **options.pop("headers", {})}
        return self.call("PATCH", f"{REFERRALS}/{referral['id']}", json=list(operations), **options)

    def read(self, referral_id: str) -> dict[str, Any]:
        """One referral."""
        answer = self.get(f"{REFERRALS}/{referral_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def submit(self, body: dict[str, Any], **options: Any) -> dict[str, str]:
        """Send a request for information; gives the leads that it made, by organization."""
        answer = self.post(LEADS, body, **options)
        assert answer.status_code == 201, answer.text
        return {each["organizationId"]: each["referralId"] for each in answer.json()["recipients"]}

    def register(self, referral_id: str, form: dict[str, Any], **options: Any) -> dict[str, dict[str, Any]]:
        """Register a won deal; gives its records by kind."""
        answer = self.act(referral_id, "registrations", form, **options)
        assert answer.status_code == 201, answer.text
        return {record["kind"]: record for record in answer.json()["value"]}

    def review(self, record: dict[str, Any], decision: str, **body: Any) -> httpx.Response:
        """Decide about a registration as it was read."""
        return self.post(
            f"{REGISTRATIONS}/{record['id']}/review",
            {"decision": decision, **body},
            headers={"If-Match": record["eTag"]},
        )

    def invite(self, referral_id: str, *invitations: dict[str, Any], **options: Any) -> httpx.Response:
        return self.act(referral_id, "invitations", {"invitations": list(invitations)}, **options)

    def act(self, referral_id: str, verb: str, body: object = None, **options: Any) -> httpx.Response:
        return self.post(f"{REFERRALS}/{referral_id}/{verb}", body, **options)

    def parties(self, engagement_id: str) -> dict[str, str]:
        """Each party that the person sees, with its state."""
        view = self.get(f"/v1.0/engagements/{engagement_id}")
        assert view.status_code == 200, view.text
        return {p["organizationId"]: p["substatus"] or p["status"] for p in view.json()["parties"]}

    def kinds(self, referral_id: str) -> list[str]:
        """The timeline's kinds of entries."""
        return [entry["kind"] for entry in self.get(f"{REFERRALS}/{referral_id}/timeline").json()["value"]]


class Service:
    """A running stack, and the connections to it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.http = httpx.Client(timeout=60)
        self._people: dict[str, Person] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def __getattr__(self, name: str) -> Person:
        """A person by name. They sign in once: to make a token takes longer than many a request."""
        if name not in self._people:
            self._people[name] = Person(self, name)
        return self._people[name]

    def advance(self, duration: str) -> str:
        """Let time pass, and everything that becomes due be done; on an engine of real time only the latter."""
        url = f"{self.stack.controls}/admin/devhost/clock"
        answer = self.http.post(url, json={"advance": duration}, timeout=300)
        if answer.status_code == 409 and "keeps real time" in answer.text:
            pytest.skip("This test moves the clock, and func comes without a library for it.")
        assert answer.status_code == 200, answer.text
        if self.stack.controls != self.stack.url:
            self._wait_for_mails()
        return answer.json()["now"]

    def _wait_for_mails(self) -> None:
        """Wait until no more mails come: the real engine does not say when the sweep and the handlers are done."""
        calm, count = 0, -1
        for _ in range(_LOOKS):
            before, count = count, len(self.mails(""))
            calm = calm + 1 if count == before else 0
            if calm == _CALM_LOOKS:
                return
            time.sleep(_BETWEEN_LOOKS)

    def mails(self, deal_name: str) -> list[dict[str, Any]]:
        """The mails that name a deal, in order of arrival."""
        kept = self.http.get(f"{self.stack.controls}/admin/devhost/mail").json()["value"]
        return [mail for mail in kept if deal_name in mail["subject"]]

    def mails_to_readers_of(self, referral_id: str) -> list[dict[str, Any]]:
        """The mails to the readers of a referral, and to the customer of a lead, in order of arrival."""
        return [mail for mail in self.mails("") if f"<{referral_id}@" in mail["headers"]["References"]]

    def told(self, deal_name: str) -> Counter[tuple[str, str]]:
        """How often who was told what of a deal: the subjects, without its name."""
        return Counter(_told(mail) for mail in self.mails(deal_name))

    def told_by_deal(self) -> dict[str, Counter[tuple[str, str]]]:
        """The same of all deals, by their names."""
        told: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
        for mail in self.mails(""):
            if name := _NAMED.search(mail["subject"]):
                told[name[1]][_told(mail)] += 1
        return told


def _told(mail: dict[str, Any]) -> tuple[str, str]:
    """To whom a mail went, and its subject without the deal's name."""
    return ", ".join(mail["to"]), _UNNAMED.sub("", mail["subject"])


def deal(name: str, *partners: str, **changes: Any) -> dict[str, Any]:
    """rae's deal with Adventure Works that asks Microsoft for help and invites partners."""
    contact = {
        "firstName": "Cara",
        "lastName": "Cole",
        "phoneNumber": "+1 425 555 0101",
        "email": "cara@adventure-works.com",
    }
    rae = {
        "firstName": "Rae",
        "lastName": "Rivers",
        "phoneNumber": "+1 206 555 0102",
        "email": "rae@contoso.com",
    }
    return {
        "name": name,
        "location": "contoso-seattle",
        "externalReferenceId": "CRM-CONTOSO-7",
        "campaignId": "CAMPAIGN-SPRING",
        "customerProfile": {
            "name": "Adventure Works",
            "address": {"country": "US"},
            "size": "1001to5000employees",
            "ids": ADVENTURE_WORKS[0]["ids"],
            "team": [contact],
        },
        "consent": {"consentToToShareInfoWithOthers": True},
        "details": {
            "notes": "Our private plan.",
            "dealValue": 250000,
            "currency": "USD",
            "closingDateTime": "2030-03-31T00:00:00Z",
            "requirements": {"solutions": [{"id": "SOL-CONTOSO-ERP"}]},
        },
        "team": [rae],
        "inviteContext": {"assistanceRequestCode": "CustomerTechnicalArchitecture", "notes": "Please help."},
        "invitations": [invitation(partner) for partner in partners],
        **changes,
    }


def private(name: str, **changes: Any) -> dict[str, Any]:
    """The same deal without Microsoft's help or visibility."""
    return deal(name, **{"inviteContext": {}, **changes})


def partner_led(name: str, *partners: str, **changes: Any) -> dict[str, Any]:
    """The same deal, which Microsoft's sellers may view."""
    body = deal(name, *partners, **{"inviteContext": {}, **changes})
    body["consent"] = {**body["consent"], "consentToShareReferralWithMicrosoftSellers": True}
    return body


def assessment(name: str, **changes: Any) -> dict[str, Any]:
    """A solution assessment of Contoso's."""
    body = private(name, **changes)
    body["details"] = {**body["details"], "requirements": {"solutions": [{"id": "SA-CLOUD-MIGRATION"}]}}
    return body


def sellers_deal(name: str, *partners: str, **changes: Any) -> dict[str, Any]:
    """A deal that sam creates."""
    sam = {
        "firstName": "Sam",
        "lastName": "Okonjo",
        "phoneNumber": "+1 206 555 0101",
        "email": "sam@microsoft.com",
    }
    return deal(name, *partners, **{"location": None, "inviteContext": {}, "team": [sam], **changes})


REGISTRATIONS = "/v1.0/registrations"
"""The form of a registration without faults."""
LEADS = "/v1.0/leads"
CARA = {
    "firstName": "Cara",
    "lastName": "Cole",
    "phoneNumber": "+1 425 555 0101",
    "email": "cara@relecloud.com",
}
ESTIMATE = {"dealValue": 30000, "currency": "USD", "closingDateTime": "2030-06-30T00:00:00Z"}


def lead(name: str, *recipients: str, **changes: Any) -> dict[str, Any]:
    """Relecloud's request for information to these companies; a colon parts off a location."""
    details = {
        "notes": "We need help with our plant.",
        "requirements": {
            "industries": [{"id": "Manufacturing"}],
            "products": [{"id": "Azure"}],
            "services": [],
        },
        **changes.pop("details", {}),
    }
    return {
        "name": name,
        "customerProfile": {
            "name": "Relecloud",
            "address": {"country": "US", "city": "Portland"},
            "size": "251to1000employees",
            "team": [CARA],
        },
        "consent": {"consentToToShareInfoWithOthers": True, "consentToContact": True},
        "details": details,
        "recipients": [_addressed(recipient) for recipient in recipients],
        **changes,
    }


def _addressed(recipient: str) -> dict[str, Any]:
    organization, _, place = recipient.partition(":")
    target = {"target": {"type": "BusinessProfileLocation", "id": place}} if place else {}
    return {"organizationId": organization, **target}


def won(service: "Service", name: str, **changes: Any) -> str:
    """A deal of rae's that Microsoft accepted and that is won; its id."""
    made = service.rae.create(deal(name, **changes))
    service.sam.act(service.sam.referral_in(made["engagementId"])["id"], "accept")
    assert service.rae.act(made["id"], "win").status_code == 200
    return str(made["id"])


def replacing(path: str, value: object) -> dict[str, Any]:
    """One operation of a JSON Patch."""
    return {"op": "replace", "path": path, "value": value}


MICROSOFT = {"organizationId": "msft", "assistanceRequestCode": "GeneralOrOther"}


def invitation(partner: str, **changes: Any) -> dict[str, Any]:
    return {
        "organizationId": partner,
        "assistanceRequestCode": "ProofOfConceptOrDemo",
        "notes": "Can you show it?",
        "dealValue": 40000,
        "currency": "USD",
        "solutions": [{"id": "SOL-FABRIKAM-IOT"}],
        **changes,
    }


def eventually(check: Any, seconds: float = 60) -> Any:
    """Ask until there is a true answer; bounded, for what only real time brings (a process that starts)."""
    end = time.monotonic() + seconds
    while not (answer := check()) and time.monotonic() < end:
        time.sleep(0.05)
    assert answer
    return answer
