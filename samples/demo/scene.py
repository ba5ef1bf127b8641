"""What scenes have in common: the people, the deal's ids, the states as its creator saw them last.

Each step says what it expects of the parties' states and of the mails, and stops where the service differs.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from http import HTTPStatus
from typing import Any

from samples.demo.screen import Screen
from samples.demo.service import REFERRALS, Service, UnexpectedAnswer
from samples.world import SamplePerson, person

NEW, ACCEPTED, WON = "New/Pending", "Active/Accepted", "Closed/Won"
EXPIRED, DECLINED = "Closed/Expired", "Closed/Declined"
RAE = person("rae@contoso.com")
SAM = person("sam@microsoft.com")
KIM = person("kim@fabrikam.com")
NIA = person("nia@northwindtraders.com")
TOM = person("tom@tailspintoys.com")
LOU = person("lou@litwareinc.com")
WEB = person("web@solutionproviders.com")
DEE = person("dee@microsoft.com")
VERA = person("vera@microsoft.com")
LEADS = "/v1.0/leads"
PARTNER_LED = "/v1.0/engagements?dealType=PartnerLed"


class Scene:
    """One deal, played. `creator` is who made it, and through whom its parties are looked at."""

    def __init__(self, service: Service, screen: Screen) -> None:
        self.service = service
        self.screen = screen
        self.creator = RAE
        self.engagement = ""
        self._referrals: dict[str, str] = {}
        self._leads: dict[str, SamplePerson] = {}
        self._states: dict[str, str] = {}

    def path_of(self, someone: SamplePerson) -> str:
        """Return where a person's own referral of the deal is."""
        return f"{REFERRALS}/{self._referrals[someone.email]}"

    def create(self, creator: SamplePerson, body: dict[str, Any], shown: str) -> dict[str, Any]:
        """Create the scene's deal."""
        self.creator = creator
        created: dict[str, Any] = self.service.post(creator, REFERRALS, body, HTTPStatus.CREATED)
        self.engagement = created["engagementId"]
        self._referrals[creator.email] = created["id"]
        self.screen.call(f"POST {REFERRALS}  201", f"{body['name']}; {shown}")
        return created

    def submit(self, body: dict[str, Any], companies: Mapping[str, SamplePerson], shown: str) -> None:
        """Send a request for information; of each company that it reaches, this person looks at its lead."""
        answer = self.service.post(WEB, LEADS, body, HTTPStatus.CREATED)
        self.screen.call(f"POST {LEADS}  201", f"{body['name']}; {shown}")
        for outcome in answer["recipients"]:
            told = "delivered" if outcome["delivered"] else outcome["reason"]
            self.screen.note(f"{outcome['organizationId']}: {told}")
            if outcome["delivered"]:
                self._leads[outcome["organizationId"]] = companies[outcome["organizationId"]]
                self._referrals[companies[outcome["organizationId"]].email] = outcome["referralId"]
        self.service.advance("PT0S")

    def read(self, someone: SamplePerson) -> dict[str, Any]:
        """Read a person's own referral of the deal."""
        found: dict[str, Any] = self.service.get(someone, self.path_of(someone))
        return found

    def find(self, *people: SamplePerson) -> None:
        """Let people find their own referrals of the deal in their lists; only then are its mails known by links."""
        query = f"{REFERRALS}?$filter=engagementId eq '{self.engagement}'"
        for someone in people:
            found = self.service.get(someone, query)["value"]
            if len(found) != 1:
                raise UnexpectedAnswer(
                    f"{someone.email} should find one referral of the deal and finds {len(found)}."
                )
            self._referrals[someone.email] = found[0]["id"]

    def act(self, someone: SamplePerson, verb: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Let a person do something with its referral."""
        path = f"{self.path_of(someone)}/{verb}"
        expected = HTTPStatus.CREATED if verb == "invitations" else HTTPStatus.OK
        answer: dict[str, Any] = self.service.post(someone, path, body, expected)
        shown = ", ".join(f"{name}: {value}" for name, value in body.items() if name not in _LONG)
        self.screen.call(f"POST {path}  {expected.value}", shown)
        self.service.advance("PT0S")
        return answer

    def patch(self, someone: SamplePerson, **changes: object) -> dict[str, Any]:
        """Let a person edit its referral; the names are JSON Pointers with two underscores for a slash."""
        etag = self.read(someone)["eTag"]
        pointers = {f"/{name.replace('__', '/')}": value for name, value in changes.items()}
        operations = [{"op": "replace", "path": path, "value": value} for path, value in pointers.items()]
        answer: dict[str, Any] = self.service.patch(someone, self.path_of(someone), etag, operations)
        shown = ", ".join(f"{path}: {value}" for path, value in pointers.items())
        self.screen.call(f"PATCH {self.path_of(someone)}  200", f"If-Match: {etag}; {shown}")
        self.service.advance("PT0S")
        return answer

    def review(
        self, someone: SamplePerson, record: Mapping[str, Any], body: Mapping[str, object]
    ) -> dict[str, Any]:
        """Let a reviewer decide about a registration as it is now."""
        path = f"/v1.0/registrations/{record['id']}"
        etag = self.service.get(someone, path)["eTag"]
        answer: dict[str, Any] = self.service.post(someone, f"{path}/review", body, etag=etag)
        self.screen.call(f"POST {path}/review  200", f"If-Match: {etag}; decision: {body['decision']}")
        self.service.advance("PT0S")
        return answer

    def is_refused(self, someone: SamplePerson, verb: str, body: Mapping[str, object]) -> None:
        """Show that the rules refuse something, and the sentence that says why."""
        path = f"{self.path_of(someone)}/{verb}"
        reason = self.service.refused(someone, "POST", path, HTTPStatus.CONFLICT, body)
        self.screen.call(f"POST {path}  409")
        self.screen.note(reason)

    def pass_time(self, duration: str) -> None:
        """Let time pass until everything that became due is done."""
        now = self.service.advance(duration)
        self.screen.call("POST /admin/devhost/clock  200", f"advance: {duration}")
        self.screen.time(now)

    def show(self, changes: Mapping[str, str], mails: AbstractSet[SamplePerson | str] = frozenset()) -> None:
        """Show states and mails, and compare them with what the step should have changed and sent."""
        before, after = self._states, self._parties()
        self._states = after
        self.screen.states(before, after)
        arrived = self.service.new_mails(frozenset(self._referrals.values()))
        self.screen.mails(arrived)
        self.check("The states", after, {**before, **changes})
        readers = sorted(to for mail in arrived for to in mail.to)
        self.check("The mails' readers", readers, sorted(_address(reader) for reader in mails))

    def show_timeline(self, someone: SamplePerson) -> list[str]:
        """Show what a person's timeline keeps; gives the kinds of its entries."""
        path = f"{self.path_of(someone)}/timeline"
        self.screen.call(f"GET {path}  200")
        entries = self.service.get(someone, path)["value"]
        for entry in entries:
            moment = datetime.fromisoformat(entry["dateTime"])
            self.screen.entry(moment, entry["kind"], entry["actor"]["organizationId"] or "the clock")
        return [entry["kind"] for entry in entries]

    def is_shown_to_sellers(self) -> bool:
        """Say whether a seller of Microsoft's finds the deal among the partner-led ones."""
        listed = self.service.get(SAM, PARTNER_LED)["value"]
        return self.engagement in {each["id"] for each in listed}

    def check(self, what: str, found: object, expected: object) -> None:
        """Raise `UnexpectedAnswer` where the service did something else."""
        if found != expected:
            raise UnexpectedAnswer(f"{what} should be {expected}, and are {found}.")

    def _parties(self) -> dict[str, str]:
        if self._leads:  # each a record of its own, which nobody else sees
            found = [self.read(someone) for someone in self._leads.values()]
            return {each["organizationName"]: f"{each['status']}/{each['substatus']}" for each in found}
        view = self.service.get(self.creator, f"/v1.0/engagements/{self.engagement}")
        return {
            party["organizationName"]: f"{party['status']}/{party['substatus']}" for party in view["parties"]
        }


_LONG = frozenset({"team", "invitations"})


def _address(reader: SamplePerson | str) -> str:
    return reader if isinstance(reader, str) else reader.email


def who(someone: SamplePerson) -> str:
    """Return a person as a step's headline names it."""
    return f"{someone.first_name} {someone.last_name} ({someone.organization})"
