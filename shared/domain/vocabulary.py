"""The closed sets of values of the domain, spelled as on the wire (docs/api.md)."""

from types import MappingProxyType
from typing import Literal, get_args

Status = Literal["New", "Active", "Closed"]
Substatus = Literal["Pending", "Accepted", "Won", "Lost", "Declined", "Expired"]
Direction = Literal["Incoming", "Outgoing"]
Sharing = Literal["Independent", "Shared"]
Qualification = Literal["None", "Direct", "MarketingQualified", "SalesQualified"]
DealType = Literal["Private", "PartnerLed", "PartnerToPartner", "CoSell", "SolutionAssessment"]
TargetType = Literal["BusinessProfileLocation", "SolutionProfile"]

Role = Literal[
    "MpnPartnerAdmin",
    "ReferralsAdmin",
    "ReferralsUser",
    "MicrosoftSeller",
    "DealReviewer",
    "RoutingAdmin",
    "LeadIntake",
]
OrganizationKind = Literal["partner", "microsoft"]

HelpCode = Literal[
    "NoHelpRequired",
    "WorkloadSpecificValueProposition",
    "CustomerTechnicalArchitecture",
    "ProofOfConceptOrDemo",
    "QuotesOrLicensing",
    "PostSalesCustomerSuccess",
    "GeneralOrOther",
]
NO_HELP: HelpCode = "NoHelpRequired"

ClosingReason = Literal[
    "BudgetNotAdequate",
    "CustomerDidNotRespond",
    "ChoseAnotherVendor",
    "RequirementNotMet",
    "NotACustomer",
    "TimelineTooShort",
    "AbuseSpamOrPhishing",
    "Other",
]
DEAL_CLOSED = "DealClosed"  # the reason of a withdrawal (L8); never chosen by a person

CustomerSize = Literal[
    "1to9employees",
    "10to50employees",
    "51to250employees",
    "251to1000employees",
    "1001to5000employees",
    "5001to10000employees",
    "10001to20000employees",
    "Morethan20000employees",
]

SalesStage = Literal["Created", "Accepted", "Qualified", "Developed", "Proposed", "Negotiated", "Won"]
STAGE_PERCENTAGES: MappingProxyType[SalesStage, int] = MappingProxyType(
    {
        "Created": 10,
        "Accepted": 10,
        "Qualified": 20,
        "Developed": 40,
        "Proposed": 60,
        "Negotiated": 80,
        "Won": 100,
    }
)

MICROSOFT = "msft"
"""The id of the one organization of kind `microsoft`."""

HELP_CODES: tuple[HelpCode, ...] = get_args(HelpCode)
CLOSING_REASONS: tuple[ClosingReason, ...] = get_args(ClosingReason)
