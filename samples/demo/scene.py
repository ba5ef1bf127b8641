"""The base of all scenes: the people, the ids of the deal, and the parties' last known states.

Each step states which changes of states and which mails it expects; the demo stops if the service differs.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from http import HTTPStatus
from typing import Any

from samples.demo.screen import Screen
from samples.demo.service import REFERRALS, Mail, Service, UnexpectedAnswer
from samples.world import SamplePerson, application, person

NEW, ACCEPTED, WON = "New/Pending", "Active/Accepted", "Closed/Won"
EXPIRED, DECLINED = "Closed/Expired", "Closed/Declined"
RAE = person("rae@contoso.com")
SAM = person("sam@microsoft.com")
KIM = person("kim@fabrikam.com")
NIA = person("nia@northwindtraders.com")
TOM = person("tom@tailspintoys.com")
LOU = person("lou@litwareinc.com")
WEB = application("Solution Providers web site")
DEE = person("dee@microsoft.com")
VERA = person("vera@microsoft.com")
LEADS = "/v1.0/leads"
PARTNER_LED = "/v1.0/engagements?dealType=PartnerLed"


class Scene:
    """One scene about one deal. The states of the parties are read as its `creator`.

    `arrived` are the mails that were shown last.
    """

    def __init__(self, service: Service, screen: Screen) -> None:
        self.service = service
        self.screen = screen
        self.creator = RAE
        self.engagement = ""
        self.arrived: list[Mail] = []
        self._referrals: dict[str, str] = {}
        self._leads: dict[str, SamplePerson] = {}
        self._states: dict[str, str] = {}

    def path_of(self, someone: SamplePerson) -> str:
        """The path of a person's own referral of the deal."""
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
        """Send a request for information; `companies` maps each recipient to the person who handles its lead."""
        answer = self.service.post(WEB, LEADS, body, HTTPStatus.CREATED)
        self.screen.call(f"POST {LEADS}  201", f"{body['name']}; {shown}")
        for outcome in answer["recipients"]:
            result = "delivered" if outcome["delivered"] else outcome["reason"]
            self.screen.note(f"{outcome['organizationId']}: {result}")
            if outcome["delivered"]:
                self._leads[outcome["organizationId"]] = companies[outcome["organizationId"]]
                self._referrals[companies[outcome["organizationId"]].email] = outcome["referralId"]
        self.service.advance("PT0S")

    def read(self, someone: SamplePerson) -> dict[str, Any]:
        """Read a person's own referral of the deal."""
        found: dict[str, Any] = self.service.get(someone, self.path_of(someone))
        return found

    def find(self, *people: SamplePerson) -> None:
        """Let people find their own referrals of the deal in their lists, so that their mails can be recognized."""
        query = f"{REFERRALS}?$filter=engagementId eq '{self.engagement}'"
        for someone in people:
            found = self.service.get(someone, query)["value"]
            if len(found) != 1:
                raise UnexpectedAnswer(
                    f"{someone.email} should find one referral of the deal and finds {len(found)}."
                )
            self._referrals[someone.email] = found[0]["id"]

    def perform(self, someone: SamplePerson, command: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Let a person perform a command on its referral."""
        path = f"{self.path_of(someone)}/{command}"
        expected = HTTPStatus.CREATED if command == "invitations" else HTTPStatus.OK
        answer: dict[str, Any] = self.service.post(someone, path, body, expected)
        shown = ", ".join(f"{name}: {value}" for name, value in body.items() if name not in _LONG)
        self.screen.call(f"POST {path}  {expected.value}", shown)
        self.service.advance("PT0S")
        return answer

    def patch(self, someone: SamplePerson, **changes: object) -> dict[str, Any]:
        """Let a person edit its referral; the names of `changes` are JSON Pointers with `__` instead of `/`."""
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
        """Let a reviewer review the current version of a registration."""
        path = f"/v1.0/registrations/{record['id']}"
        etag = self.service.get(someone, path)["eTag"]
        answer: dict[str, Any] = self.service.post(someone, f"{path}/review", body, etag=etag)
        self.screen.call(f"POST {path}/review  200", f"If-Match: {etag}; decision: {body['decision']}")
        self.service.advance("PT0S")
        return answer

    def is_refused(self, someone: SamplePerson, verb: str, body: Mapping[str, object]) -> None:
        """Show that a command is refused, and the error message."""
        path = f"{self.path_of(someone)}/{verb}"
        reason = self.service.refused(someone, "POST", path, HTTPStatus.CONFLICT, body)
        self.screen.call(f"POST {path}  409")
        self.screen.note(reason)

    def pass_time(self, duration: str) -> None:
        """Advance the time (ISO 8601 duration) and wait until everything that is due is done."""
        now = self.service.advance(duration)
        self.screen.call("POST /admin/devhost/clock  200", f"advance: {duration}")
        self.screen.time(now)

    def show(self, changes: Mapping[str, str], mails: AbstractSet[SamplePerson | str] = frozenset()) -> None:
        """Show states and mails, and check them against the expected changes and readers."""
        before, after = self._states, self._parties()
        self._states = after
        self.screen.states(before, after)
        self.arrived = arrived = self.service.new_mails(frozenset(self._referrals.values()))
        self.screen.mails(arrived)
        self.check("The states", after, {**before, **changes})
        readers = sorted(to for mail in arrived for to in mail.to)
        self.check("The mails' readers", readers, sorted(_address(reader) for reader in mails))

    def needs(self, someone: SamplePerson) -> str | None:
        """Why the deal is in a person's list of work; None if it is not."""
        path = "/v1.0/my-work"
        work = self.service.get(someone, path)["value"]
        own = self._referrals[someone.email]
        whys = [each["why"] for each in work if each["referral"] and each["referral"]["id"] == own]
        self.screen.call(f"GET {path}  200", f"why: {', '.join(whys) or 'nothing to do'}")
        return whys[0] if whys else None

    def write(self, someone: SamplePerson, text: str) -> None:
        """Let a person write in the conversation of the deal."""
        path = f"/v1.0/engagements/{self.engagement}/messages"
        self.service.post(someone, path, {"text": text}, HTTPStatus.CREATED)
        self.screen.call(f"POST {path}  201", text)

    def search(self, someone: SamplePerson, words: str) -> list[str]:
        """The names of the referrals that words find."""
        path = f"{REFERRALS}?$search={words}&$top=5"
        found = [each["name"] for each in self.service.get(someone, path)["value"]]
        self.screen.call(f"GET {path}  200", ", ".join(found))
        return found

    def show_timeline(self, someone: SamplePerson) -> list[str]:
        """Show the timeline of a person's referral; returns the kinds of its entries."""
        path = f"{self.path_of(someone)}/timeline"
        self.screen.call(f"GET {path}  200")
        entries = self.service.get(someone, path)["value"]
        for entry in entries:
            moment = datetime.fromisoformat(entry["dateTime"])
            self.screen.entry(moment, entry["kind"], entry["actor"]["organizationId"] or "the clock")
        return [entry["kind"] for entry in entries]

    def is_shown_to_sellers(self) -> bool:
        """Whether Microsoft's sellers see the deal in the list of partner-led deals."""
        listed = self.service.get(SAM, PARTNER_LED)["value"]
        return self.engagement in {each["id"] for each in listed}

    def check(self, what: str, found: object, expected: object) -> None:
        """Raise `UnexpectedAnswer` if a value is not as expected."""
        if found != expected:
            raise UnexpectedAnswer(f"{what}: expected {expected}, found {found}.")

    def _parties(self) -> dict[str, str]:
        if self._leads:  # each lead is visible only to its recipient
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
    """A person's name for the headline of a step."""
    return f"{someone.first_name} {someone.last_name} ({someone.organization})"
