"""What only the real engine can show of settings, slots and the purge; devhost has no hubs and no slots."""

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueServiceClient

from localcloud.platform.engine_clock import HUB_SETTING
from localcloud.process.ports import free_ports
from localcloud.stack.hosts import Func
from localcloud.stack.stack import Stack
from tests.live import REFERRALS, Service, eventually, invitation, private
from tests.platform.waiting_deals import INVITED

HUB = "anotherhub"


@pytest.fixture(scope="module")
def engine(func: Func, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose task hub is named by an app setting."""
    data = tmp_path_factory.mktemp("engine") / "data"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(HUB_SETTING, HUB)
        with Stack(data, host=func, samples=True) as stack, Service(stack) as running:
            yield running


def tables(service: Service) -> TableServiceClient:
    return TableServiceClient.from_connection_string(service.stack.azurite.connection_string)


def instances(service: Service, referral_id: str) -> list[str]:
    """How the engine's instances of a referral are, by the engine's own table."""
    with tables(service) as account:
        found = account.get_table_client(f"{HUB}Instances").query_entities(f"PartitionKey eq '{referral_id}'")
        return [row["RuntimeStatus"] for row in found]


def test_an_app_setting_names_the_task_hub(engine: Service) -> None:
    made = engine.rae.create(private("In another hub", invitations=[invitation("fabrikam")]))
    own = engine.kim.referral_in(made["engagementId"])
    eventually(lambda: engine.told("In another hub") == {INVITED: 1})
    eventually(lambda: instances(engine, own["id"]) == ["Running"])
    assert instances(engine, made["id"]) == [], "nobody waits for the creator"
    with tables(engine) as account:
        names = {table.name for table in account.list_tables()}
    assert f"{HUB}History" in names
    assert "cosellreferralsHistory" not in names


def test_a_service_whose_task_hub_is_deleted_is_not_ready_until_its_host_starts_again(
    engine: Service,
) -> None:
    """Commands are taken meanwhile. Before tests that move the clock: a host whose locks are over ends itself."""
    eventually(lambda: health(engine).status_code == 200)
    for kind, delete in {"queue": delete_queues, "table": delete_tables}.items():
        gone = delete(engine)
        assert eventually(lambda names=gone, of=kind: all_named(engine, of, names))
    engine.rae.create(private("Without a hub"))
    engine.stack.host.stop()
    engine.stack.restart(engine.stack.host)
    eventually(lambda: health(engine).status_code == 200)


def health(service: Service) -> httpx.Response:
    return service.http.get(f"{service.stack.url}/healthz", timeout=10)


def all_named(service: Service, kind: str, names: set[str]) -> bool:
    """Whether the service is not ready, and the log names all of these as the reason."""
    answer = health(service)
    log = service.stack.data.log("func").read_text(encoding="utf-8", errors="replace")
    assert not any(name in answer.text for name in names)
    return answer.status_code == 503 and all(f"{kind} {name}" in log for name in names)


def delete_queues(service: Service) -> set[str]:
    """Delete the queues of the hub; gives their names."""
    text = service.stack.azurite.connection_string
    with QueueServiceClient.from_connection_string(text) as account:
        names = {queue.name for queue in account.list_queues(name_starts_with=HUB)}
        for name in names:
            account.delete_queue(name)
    assert names == {f"{HUB}-workitems", *(f"{HUB}-control-{number:02d}" for number in range(4))}
    return names


def delete_tables(service: Service) -> set[str]:
    """Delete the hub's tables of histories and instances; gives their names."""
    names = {f"{HUB}History", f"{HUB}Instances"}
    with tables(service) as account:
        for name in names:
            account.delete_table(name)
    return names


def test_finished_instances_leave_the_engine_and_waiting_ones_stay(
    engine: Service, clocked_func: Func
) -> None:
    del clocked_func  # says that the clock can be moved
    made = [
        engine.rae.create(private(name, invitations=[invitation("fabrikam")])) for name in ("Purged", "Stays")
    ]
    own, waiting = (engine.kim.referral_in(each["engagementId"]) for each in made)
    eventually(lambda: instances(engine, own["id"]) == instances(engine, waiting["id"]) == ["Running"])
    assert engine.kim.act(own["id"], "decline", {"reason": "TimelineTooShort"}).status_code == 200
    eventually(lambda: instances(engine, own["id"]) == ["Completed"])
    engine.advance("P2DT1H")  # at its end timer functions run
    assert instances(engine, own["id"]) == []
    assert instances(engine, waiting["id"]) == ["Running"]
    assert engine.kim.read(own["id"])["substatus"] == "Declined"


@pytest.mark.usefixtures("own_host_names")
def test_a_slot_on_productions_storage_is_not_ready_and_says_why(
    engine: Service, func: Func, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HUB_SETTING, HUB)
    monkeypatch.setenv("WEBSITE_SLOT_NAME", "staging")
    addresses = replace(engine.stack.addresses, host=free_ports(1)[0])
    slot = engine.stack.add_host(replace(func, node="staging"), addresses, "staging")
    try:
        for path in ("/healthz", REFERRALS):
            answer = httpx.get(addresses.url + path, timeout=60)
            assert answer.status_code == 503
            assert "not set up correctly" in answer.text
        log = engine.stack.data.log("staging").read_text(encoding="utf-8", errors="replace")
        assert all(word in log for word in ("staging", "Production", "storage account of its own"))
        assert engine.http.get(f"{engine.stack.url}/healthz").status_code == 200
    finally:
        slot.stop()
