"""The HTTP operations of the service: the blueprints that the function app serves and the contract describes."""

from api import (
    contract_pages,
    creation,
    editing,
    engagements,
    health,
    invitations,
    life_cycle,
    lookups,
    people,
    reference_data,
    referral_list,
    referrals,
    stage_maps,
)

HTTP = tuple(
    module.blueprint
    for module in (
        *(creation, referral_list, referrals, life_cycle, editing, invitations, engagements),
        *(lookups, reference_data, people, stage_maps, contract_pages, health),
    )
)
