"""Matching a deal's customer with the customer directory (C7)."""

from dataclasses import dataclass, field

from shared.domain.directory import CustomerEntity, normalized_name
from shared.domain.draft import AddressDraft, CustomerDraft
from shared.domain.referral import Address, Customer
from shared.domain.refusals import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerMatch:
    """The directory entity that matches a draft (None: no match), or why the match is ambiguous."""

    entity: CustomerEntity | None = None
    faults: tuple[Fault, ...] = ()
    candidates: tuple[CustomerEntity, ...] = field(default=())


def match_customer(draft: CustomerDraft, entities: tuple[CustomerEntity, ...]) -> CustomerMatch:
    """Match a customer with `entities`: those with its name and country, or with its D-U-N-S number.

    - A known D-U-N-S number decides; with an unknown one there is no match.
    - Without a number, a single entity with the same name and country matches.
    - If there are several, the one without a number that has the sent address matches; otherwise the result has a
      fault and the `candidates`.
    """
    if draft.duns and (entity := next((e for e in entities if e.duns == draft.duns), None)):
        return _match_by_number(draft, entity)
    if draft.duns:
        return CustomerMatch()
    namesakes = tuple(entity for entity in entities if _is_namesake(draft, entity))
    if len(namesakes) > 1:
        same_address = [e for e in namesakes if not e.duns and e.address == _address(draft.address)]
        if len(same_address) == 1:
            return CustomerMatch(entity=same_address[0])
        message = (
            "Several companies have this name in this country: send the D-U-N-S number of one of them, "
            "or the full address of one without a number."
        )
        return CustomerMatch(
            faults=(Fault("invalidValue", "/customerProfile/ids", message),), candidates=namesakes
        )
    return CustomerMatch(entity=namesakes[0] if namesakes else None)


def build_customer(draft: CustomerDraft, entity: CustomerEntity | None) -> Customer:
    """The customer to store: the matched entity with the size, contacts and external ids of the draft."""
    team = tuple(contact.complete() for contact in draft.team)
    if entity is None:
        return Customer(
            name=draft.name or "", address=_address(draft.address), size=draft.size, ids=draft.ids, team=team
        )
    external = tuple(number for number in draft.ids if number.profile_type != "Duns")
    return Customer(
        name=entity.name,
        address=entity.address,
        size=draft.size or entity.size,
        ids=(*entity.ids, *external),
        team=team,
    )


def _match_by_number(draft: CustomerDraft, entity: CustomerEntity) -> CustomerMatch:
    if draft.address.country in {None, entity.address.country}:
        return CustomerMatch(entity=entity)
    message = (
        f"The company with this number is in {entity.address.country}: correct the country or the number."
    )
    return CustomerMatch(faults=(Fault("invalidValue", "/customerProfile/address/country", message),))


def _is_namesake(draft: CustomerDraft, entity: CustomerEntity) -> bool:
    same_name = normalized_name(draft.name or "") == normalized_name(entity.name)
    return same_name and draft.address.country == entity.address.country


def _address(draft: AddressDraft) -> Address:
    return Address(
        address_line1=draft.address_line1,
        address_line2=draft.address_line2,
        city=draft.city,
        state=draft.state,
        postal_code=draft.postal_code,
        country=draft.country or "",
        region=draft.region,
    )
