"""The form of a registration as the wire has it, without faults; it names no solution."""

from typing import Any

FORM: dict[str, Any] = {
    "contractType": "New",
    "contract": {
        "value": 250000,
        "currency": "USD",
        "signDateTime": "2026-11-01T00:00:00Z",
        "startDateTime": "2026-12-01T00:00:00Z",
        "endDateTime": "2027-12-01T00:00:00Z",
        "term": "Finite",
    },
    "solutionValue": 200000,
    "deployedOn": "Azure",
    "consumptionTenant": "Customer",
    "contact": {
        "firstName": "Rae",
        "lastName": "Lindqvist",
        "phoneNumber": "+1 206 555 0102",
        "email": "rae@contoso.com",
    },
    "contractNamesPartnerAndSolution": True,
}
