"""The HTTP operations of the service: the blueprints that the function app serves and the contract describes."""

from api import (
    closed_deals,
    contract_pages,
    conversion,
    creation,
    editing,
    engagements,
    health,
    invitations,
    leads,
    life_cycle,
    lookups,
    mail_events,
    people,
    profiles,
    providers,
    reference_data,
    referral_list,
    referrals,
    registration_list,
    registrations,
    reviews,
    routing_rules,
    stage_maps,
)

HTTP = tuple(
    module.blueprint
    for module in (
        *(creation, referral_list, referrals, life_cycle, editing, invitations, engagements),
        *(leads, conversion, providers, profiles, routing_rules, mail_events),
        *(registrations, closed_deals, registration_list, reviews),
        *(lookups, reference_data, people, stage_maps, contract_pages, health),
    )
)
