"""The enumerations of the domain, with the values of the API (docs/api.md)."""

from types import MappingProxyType
from typing import Literal, get_args

Status = Literal["New", "Active", "Closed"]
Substatus = Literal["Pending", "Accepted", "Won", "Lost", "Declined", "Expired"]
Direction = Literal["Incoming", "Outgoing"]
Sharing = Literal["Independent", "Shared"]
Qualification = Literal["None", "Direct", "MarketingQualified", "SalesQualified"]
DealType = Literal["Private", "PartnerLed", "PartnerToPartner", "CoSell", "SolutionAssessment", "Lead"]
SolutionKind = Literal["MyCompany", "Microsoft", "ThirdParty", "SolutionAssessment"]
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
OrganizationKind = Literal["partner", "microsoft", "application"]
"""An application is a registered service, such as the web site that submits requests for information."""
ContactAlert = Literal["hot", "overdue"]
"""The alert on a lead whose customer requested contact (R5)."""
WarningCode = Literal[
    "privateNotRegistrable",
    "convertBeforeWon",
    "notesNotShared",
    "defaultLocation",
    "notKept",
]
"""What a referral's `warnings` say: the request was carried out, but not everything may be as its sender expects."""

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
ABUSE: ClosingReason = "AbuseSpamOrPhishing"
DEAL_CLOSED = "DealClosed"  # the reason of a withdrawal (L8); a person cannot choose it

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

OpenStage = Literal[
    "Created",
    "Accepted",
    "Qualified",
    "Developed",
    "Proposed",
    "Negotiated",
    "SecureCustomerLoe",
    "CollectData",
    "PrepareAssessmentReport",
    "PresentToCustomer",
]
"""The stages of a deal that is not closed: all except Won, which only the outcome sets (S1)."""
SalesStage = Literal[OpenStage, "Won"]
STAGE_PERCENTAGES: MappingProxyType[SalesStage, int] = MappingProxyType(
    {
        "Created": 10,
        "Accepted": 10,
        "Qualified": 20,
        "Developed": 40,
        "Proposed": 60,
        "Negotiated": 80,
        "SecureCustomerLoe": 20,
        "CollectData": 40,
        "PrepareAssessmentReport": 60,
        "PresentToCustomer": 80,
        "Won": 100,
    }
)
STANDARD_STAGES: tuple[SalesStage, ...] = ("Qualified", "Developed", "Proposed", "Negotiated")
"""The stages between the initial one and the outcome (S1)."""
ASSESSMENT_STAGES: tuple[SalesStage, ...] = (
    "SecureCustomerLoe",
    "CollectData",
    "PrepareAssessmentReport",
    "PresentToCustomer",
)
"""The stages of a solution assessment: all mandatory, in this order (S5)."""

RegistrationKind = Literal["IsvConnect", "IpCoSell"]
RegistrationStatus = Literal["Draft", "Submitted", "ReviewPending", "ActionRequired", "Approved", "Rejected"]
ContractType = Literal["New", "Renewal"]
ContractTerm = Literal["Finite", "Perpetual"]
Deployment = Literal["Azure", "Other"]
ConsumptionTenant = Literal["Customer", "Partner"]
ReviewDecision = Literal["approve", "reject", "requestAction"]
ISV_CONNECT = "IsvConnect"
IP_INCENTIVES: frozenset[str] = frozenset({"AzureIpCoSell", "BizAppsPremium", "BizAppsStandard"})
"""The tags of solutions with an IP incentive: their deals are reviewed (G4)."""

MICROSOFT = "msft"
"""The id of the one organization of kind `microsoft`."""

CUSTOMER_SIZES: tuple[CustomerSize, ...] = get_args(CustomerSize)
HELP_CODES: tuple[HelpCode, ...] = get_args(HelpCode)
CLOSING_REASONS: tuple[ClosingReason, ...] = get_args(ClosingReason)
