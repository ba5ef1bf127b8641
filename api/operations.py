"""Imports the modules of all HTTP operations, which declares the operations (see `api.http.operation`)."""

from api.contract import pages
from api.directory import (
    applications,
    locations,
    lookups,
    me,
    people,
    profiles,
    reference_data,
    routing,
    stage_maps,
)
from api.http.operation import OPERATIONS, http_blueprint
from api.leads import choices, providers
from api.leads import submit as submit_leads
from api.platform import health, mail_events
from api.referrals import (
    convert,
    create,
    edit,
    engagements,
    invitations,
    messages,
    my_work,
    read,
    summary,
    transitions,
)
from api.referrals import list as list_referrals
from api.registrations import closed_deals, drafts, eligibility, review
from api.registrations import list as list_registrations
from api.registrations import submit as submit_registrations

RESOURCES = (
    *(
        create,
        list_referrals,
        read,
        transitions,
        edit,
        invitations,
        engagements,
        messages,
        convert,
        my_work,
        summary,
    ),
    *(eligibility, submit_registrations, drafts, closed_deals, list_registrations, review),
    *(submit_leads, providers, choices),
    *(me, people, applications, locations, profiles, stage_maps, routing, lookups, reference_data),
    *(pages, health, mail_events),
)
blueprint = http_blueprint()
__all__ = ["OPERATIONS", "RESOURCES", "blueprint"]
