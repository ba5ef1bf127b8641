"""The scenario: Contoso invites, Microsoft and Fabrikam accept, Northwind stays silent, Contoso wins.

Each step says what it expects of the parties' states and of the mails, and stops where the service differs.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from http import HTTPStatus
from typing import Any

from samples.demo import deal
from samples.demo.screen import Screen
from samples.demo.service import REFERRALS, Service, UnexpectedAnswer
from samples.world import SamplePerson, person

_PENDING, _ACCEPTED, _EXPIRED, _WON = "New/Pending", "Active/Accepted", "Closed/Expired", "Closed/Won"

RAE = "rae@contoso.com"
SAM = "sam@microsoft.com"
KIM = "kim@fabrikam.com"
NIA = "nia@northwindtraders.com"


class Scenario:
    """One run: the people, the deal's ids, and the states as Contoso saw them last."""

    def __init__(self, service: Service, screen: Screen) -> None:
        self._service = service
        self._screen = screen
        self._rae, self._sam, self._kim, self._nia = (person(email) for email in (RAE, SAM, KIM, NIA))
        self._engagement = ""
        self._referrals: dict[str, str] = {}
        self._states: dict[str, str] = {}

    def play(self) -> None:
        """Play it to the end. Raises `UnexpectedAnswer` where the service does something else."""
        self._screen.title("A co-sell deal, from the invitation to the win")
        self._screen.time(self._service.now())
        self._invite()
        self._find_referrals()
        self._accept_for_microsoft()
        self._accept_for_fabrikam()
        self._let_northwind_be_silent()
        self._win()
        self._show_timeline()

    def _invite(self) -> None:
        self._screen.step(
            f"{_who(self._rae)} makes a deal with {deal.CUSTOMER}, asks Microsoft for help, "
            "invites Fabrikam and Northwind"
        )
        body = deal.creation(self._rae, self._service.now())
        number = body["customerProfile"]["ids"][0]["id"]
        created = self._service.post(self._rae, REFERRALS, body, HTTPStatus.CREATED)
        self._engagement = created["engagementId"]
        self._referrals[RAE] = created["id"]
        self._screen.call(
            f"POST {REFERRALS}  201",
            f"{body['name']}, D-U-N-S {number}, {deal.CURRENCY} {deal.DEAL_VALUE:,}, SOL-CONTOSO-ERP; "
            "inviteContext: CustomerTechnicalArchitecture; invitations: fabrikam, northwind",
        )

    def _find_referrals(self) -> None:
        """Each invitee finds its own referral of the deal; only then are the deal's mails known by their links."""
        for invitee in (self._sam, self._kim, self._nia):
            self._referrals[invitee.email] = self._own_referral(invitee)["id"]
        self._service.advance("PT0S")
        self._show(
            {
                "Contoso": _ACCEPTED,
                "Microsoft": _PENDING,
                "Fabrikam": _PENDING,
                "Northwind Traders": _PENDING,
            },
            mails={SAM, KIM, NIA},
        )

    def _own_referral(self, someone: SamplePerson) -> dict[str, Any]:
        listed: list[dict[str, Any]] = self._service.get(someone, REFERRALS)["value"]
        own = [each for each in listed if each["engagementId"] == self._engagement]
        if len(own) != 1:
            raise UnexpectedAnswer(
                f"{someone.email} should find one referral of the deal in its list and finds {len(own)}."
            )
        return own[0]

    def _accept_for_microsoft(self) -> None:
        self._screen.step(f"{_who(self._sam)} accepts")
        self._act(self._sam, "accept", {"notes": "An architect is booked."})
        self._show({"Microsoft": _ACCEPTED}, mails={RAE})

    def _accept_for_fabrikam(self) -> None:
        self._screen.step(f"{_who(self._kim)} accepts, with another value")
        terms = {"dealValue": deal.OTHER_VALUE, "currency": deal.CURRENCY, "externalReferenceId": "FAB-88"}
        accepted = self._act(self._kim, "accept", {**terms, "team": [deal.member(self._kim)]})
        if accepted["details"]["dealValue"] != deal.OTHER_VALUE:
            raise UnexpectedAnswer(f"Fabrikam's own value should be {deal.OTHER_VALUE} now.")
        self._show({"Fabrikam": _ACCEPTED}, mails={RAE})

    def _let_northwind_be_silent(self) -> None:
        self._screen.step("Northwind says nothing for a day: the first reminder")
        self._pass_time("P1D")
        self._show({}, mails={NIA})
        self._screen.step("Three days before the end: the second reminder")
        self._pass_time("P10D")
        self._show({}, mails={NIA})
        self._screen.step("The 14 days are over: the invitation expires")
        self._pass_time("P3D")
        self._show({"Northwind Traders": _EXPIRED}, mails={RAE})

    def _win(self) -> None:
        self._screen.step(f"{_who(self._rae)} wins the deal")
        self._act(self._rae, "win", {"notes": "Signed today."})
        self._show({"Contoso": _WON}, mails={SAM, KIM})

    def _show_timeline(self) -> None:
        self._screen.step("What Northwind's own timeline keeps")
        path = f"{REFERRALS}/{self._referrals[NIA]}/timeline"
        self._screen.call(f"GET {path}  200")
        for entry in self._service.get(self._nia, path)["value"]:
            moment = datetime.fromisoformat(entry["dateTime"])
            self._screen.entry(moment, entry["kind"], entry["actor"]["organizationId"] or "the clock")

    def _act(self, someone: SamplePerson, verb: str, body: Mapping[str, object]) -> dict[str, Any]:
        path = f"{REFERRALS}/{self._referrals[someone.email]}/{verb}"
        answer: dict[str, Any] = self._service.post(someone, path, body)
        self._screen.call(
            f"POST {path}  200",
            ", ".join(f"{name}: {value}" for name, value in body.items() if name != "team"),
        )
        self._service.advance("PT0S")
        return answer

    def _pass_time(self, duration: str) -> None:
        now = self._service.advance(duration)
        self._screen.call("POST /admin/devhost/clock  200", f"advance: {duration}")
        self._screen.time(now)

    def _show(self, changes: Mapping[str, str], mails: AbstractSet[str]) -> None:
        """Show states and mails, and compare them with what the step should have changed and sent."""
        before, after = self._states, self._parties()
        self._states = after
        self._screen.states(before, after)
        arrived = self._service.new_mails(frozenset(self._referrals.values()))
        self._screen.mails(arrived)
        _compare("The states", after, {**before, **changes})
        _compare("The mails' readers", sorted(to for mail in arrived for to in mail.to), sorted(mails))

    def _parties(self) -> dict[str, str]:
        view = self._service.get(self._rae, f"/v1.0/engagements/{self._engagement}")
        return {
            party["organizationName"]: f"{party['status']}/{party['substatus']}" for party in view["parties"]
        }


def _compare(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise UnexpectedAnswer(f"{what} should be {expected}, and are {found}.")


def _who(someone: SamplePerson) -> str:
    return f"{someone.first_name} {someone.last_name} ({someone.organization})"
