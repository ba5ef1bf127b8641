"""The HTTP operations of the service: the blueprints that the function app serves and the contract describes."""

from api.contract import pages as contract_pages
from api.directory import lookups, people, profiles, reference_data, stage_maps
from api.directory import routing as routing_rules
from api.leads import providers
from api.leads import submit as leads
from api.platform import health, mail_events
from api.referrals import convert as conversion
from api.referrals import create as creation
from api.referrals import edit as editing
from api.referrals import engagements, invitations
from api.referrals import list as referral_list
from api.referrals import read as referrals
from api.referrals import transitions as life_cycle
from api.registrations import closed_deals
from api.registrations import list as registration_list
from api.registrations import review as reviews
from api.registrations import submit as registrations

HTTP = tuple(
    module.blueprint
    for module in (
        *(creation, referral_list, referrals, life_cycle, editing, invitations, engagements),
        *(leads, conversion, providers, profiles, routing_rules, mail_events),
        *(registrations, closed_deals, registration_list, reviews),
        *(lookups, reference_data, people, stage_maps, contract_pages, health),
    )
)
