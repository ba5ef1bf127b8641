"""The durable HTTP API, and the SDK's client on it."""

import json
from datetime import UTC, datetime

import azure.durable_functions as df
import azure.functions as func
import pytest

from tests.devhost.conftest import Drive
from tests.devhost.driver import Driver, new_app


def orders() -> df.DFApp:
    app = new_app()

    @app.orchestration_trigger(context_name="context")
    def order(context):
        context.set_custom_status({"stage": "waiting"})
        approval = yield context.wait_for_external_event("approved")
        context.set_custom_status(None)
        return {"approval": approval}

    @app.orchestration_trigger(context_name="context")
    def instant(context):
        return "done"

    @app.orchestration_trigger(context_name="context")
    def failing(context):
        raise ValueError("no")

    @app.route(route="call/{what}")
    @app.durable_client_input(client_name="client")
    async def call(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
        try:
            return func.HttpResponse(repr(await calls[req.route_params["what"]](client)))
        except Exception as failure:  # noqa: BLE001 - the SDK raises nothing narrower
            return func.HttpResponse(str(failure), status_code=500)

    return app


async def _purge_all(client: df.DurableOrchestrationClient) -> int:
    deleted = await client.purge_instance_history_by(
        datetime(2020, 1, 1, tzinfo=UTC), None, [df.OrchestrationRuntimeStatus.Completed]
    )
    return deleted.instances_deleted


async def _status(client: df.DurableOrchestrationClient) -> tuple:
    status = await client.get_status("one", show_input=True)
    return status.runtime_status.value, status.custom_status, status.input_, status.output


async def _names(client: df.DurableOrchestrationClient) -> list:
    return [one.instance_id for one in await client.get_status_all()]


async def _completed(client: df.DurableOrchestrationClient) -> list:
    wanted = [df.OrchestrationRuntimeStatus.Completed, df.OrchestrationRuntimeStatus.Failed]
    return [one.instance_id for one in await client.get_status_by(runtime_status=wanted)]


async def _missing(client: df.DurableOrchestrationClient) -> bool:
    return bool(await client.get_status("nobody"))


async def _purge_one(client: df.DurableOrchestrationClient) -> int:
    return (await client.purge_instance_history("one")).instances_deleted


calls = {
    "start": lambda client: client.start_new("order", "one", {"pizza": 1}),
    "start-anonymous": lambda client: client.start_new("order"),
    "start-unknown": lambda client: client.start_new("ordr"),
    "start-instant": lambda client: client.start_new("instant", "two"),
    "raise-nobody": lambda client: client.raise_event("nobody", "approved", 1),
    "raise": lambda client: client.raise_event("one", "approved", {"ok": True}),
    "terminate": lambda client: client.terminate("one", "not today, thanks"),
    "terminate-nobody": lambda client: client.terminate("nobody", "x"),
    "status": _status,
    "names": _names,
    "completed": _completed,
    "missing": _missing,
    "purge": _purge_one,
    "purge-all": _purge_all,
    "entity": lambda client: client.signal_entity(df.EntityId("a", "b"), "c"),
}


async def call(d: Driver, what: str) -> str:
    return (await d.http.get(f"/api/call/{what}")).text


async def test_the_sdk_s_client_starts_raises_and_reads(drive: Drive) -> None:
    async with drive(orders()) as d:
        assert await call(d, "start") == "'one'"
        await d.settle()
        assert await call(d, "status") == repr(("Running", {"stage": "waiting"}, '{"pizza": 1}', None))
        assert await call(d, "raise") == "None"
        await d.settle()
        assert await call(d, "status") == repr(
            ("Completed", None, '{"pizza": 1}', {"approval": '{"ok": true}'})
        )


async def test_an_id_that_runs_already_is_refused_and_a_finished_one_is_replaced(drive: Drive) -> None:
    async with drive(orders()) as d:
        await call(d, "start")
        assert "'Message': 'An Orchestration instance with the status" in await call(d, "start")
        await d.settle()
        assert "with the status Running already exists" in await call(d, "start")
        await call(d, "raise")
        await d.settle()
        assert await call(d, "start") == "'one'"
        await d.settle()
        assert (await d.status())["runtimeStatus"] == "Running"


async def test_host_json_may_allow_a_running_instance_to_be_replaced(drive: Drive) -> None:
    settings = {"extensions": {"durableTask": {"overridableExistingInstanceStates": "AnyState"}}}
    async with drive(orders(), host_json=settings) as d:
        await d.start("order")
        await d.settle()
        await d.start("instant")
        assert await d.outcome() == ("Completed", "done")


async def test_an_instance_without_an_id_gets_one(drive: Drive) -> None:
    async with drive(orders()) as d:
        assert len(await call(d, "start-anonymous")) == len("''") + 32


@pytest.mark.parametrize("instance_id", ["@entity", "a%3Fb", "a%23b", "x" * 257])
async def test_an_id_that_cannot_be_used_is_refused(drive: Drive, instance_id: str) -> None:
    async with drive(orders()) as d:
        answer = await d.http.post(f"/durabletask/orchestrators/order/{instance_id}")
        assert answer.status_code == 400
        assert "cannot be used" in answer.json()["ExceptionMessage"]


async def test_an_unknown_orchestrator_is_started_and_fails(drive: Drive) -> None:
    async with drive(orders()) as d:
        instance_id = (await call(d, "start-unknown")).strip("'")
        status, output = await d.outcome(instance_id)
        assert status == "Failed"
        assert output.startswith("Orchestrator function 'ordr' failed: The function 'ordr' doesn't exist")
        assert "'failing', 'instant', 'order'" in output


async def test_errors_have_the_shapes_of_the_extension(drive: Drive) -> None:
    async with drive(orders()) as d:
        await d.start("order")
        await d.start("instant", "ended")
        await d.settle()

        async def asked(method: str, path: str) -> tuple[int, bytes]:
            answer = await d.http.request(method, f"/durabletask{path}", json=1)
            return answer.status_code, answer.content

        refused = {"Message": "An Orchestration instance with the status Running already exists."}
        running = (
            "Only orchestrations in a terminal state can be purged, but the orchestration with instance ID one "
            "has status Running"
        )
        status, body = await asked("POST", "/orchestrators/order/one")
        assert (status, json.loads(body)) == (409, refused)
        status, body = await asked("DELETE", "/instances/one")
        assert (status, json.loads(body)) == (412, running)
        assert await asked("DELETE", "/instances/nobody") == (404, b"")
        for what in ("raiseEvent/approved", "terminate"):
            assert await asked("POST", f"/instances/nobody/{what}") == (404, b"")
            assert await asked("POST", f"/instances/ended/{what}") == (410, b"")


async def test_terminating_ends_an_instance_with_the_reason_and_keeps_its_custom_status(drive: Drive) -> None:
    async with drive(orders()) as d:
        await call(d, "start")
        await d.settle()
        await call(d, "terminate")
        await d.settle()
        assert await call(d, "status") == repr(
            ("Terminated", {"stage": "waiting"}, '{"pizza": 1}', "not today, thanks")
        )
        assert await call(d, "terminate") == "None"
        assert (await call(d, "raise")).startswith("Instance with ID one is gone")
        assert await call(d, "raise-nobody") == "No instance with ID nobody found."
        assert await call(d, "terminate-nobody") == "No instance with ID 'nobody' found."


async def test_purging_deletes_finished_instances_only(drive: Drive) -> None:
    async with drive(orders()) as d:
        await call(d, "start")
        await call(d, "start-instant")
        await d.settle()
        assert "unexpected status code 412" in await call(d, "purge")
        assert await call(d, "purge-all") == "1"
        assert await call(d, "names") == repr(["one"])
        await call(d, "raise")
        await d.settle()
        assert await call(d, "purge") == "1"
        assert await call(d, "purge") == "0"
        assert await call(d, "purge-all") == "0"
        assert await call(d, "names") == "[]"


async def test_queries_select_by_status_prefix_time_and_page(drive: Drive) -> None:
    async with drive(orders()) as d:
        for number in range(3):
            await d.start("instant", f"a{number}")
        await d.start("order", "b_")
        await d.start("failing", "bx")
        await d.settle()
        assert await call(d, "completed") == repr(["a0", "a1", "a2", "bx"])

        async def ids(**query: str) -> list[str]:
            return [
                one["instanceId"]
                for one in (await d.http.get("/durabletask/instances/", params=query)).json()
            ]

        assert await ids(instanceIdPrefix="b_") == ["b_"]
        assert await ids(runtimeStatus="Running,Suspended") == ["b_"]
        assert await ids(runtimeStatus="Suspended") == []
        assert await ids(createdTimeFrom="2100-01-01T00:00:00.000000Z") == []
        assert len(await ids(createdTimeTo="2100-01-01T00:00:00.000000Z")) == 5
        first = await d.http.get("/durabletask/instances", params={"top": 3})
        token = first.headers["x-ms-continuation-token"]
        rest = await d.http.get("/durabletask/instances", headers={"x-ms-continuation-token": token})
        assert [one["instanceId"] for one in rest.json()] == ["b_", "bx"]
        assert "x-ms-continuation-token" not in rest.headers


async def test_the_status_of_an_unknown_instance_is_falsy_for_the_client(drive: Drive) -> None:
    async with drive(orders()) as d:
        assert await call(d, "missing") == "False"
        answer = await d.http.get("/durabletask/instances/nobody")
        assert (answer.status_code, answer.content) == (404, b"")


async def test_a_failed_instance_is_200_unless_asked_otherwise(drive: Drive) -> None:
    async with drive(orders()) as d:
        await d.start("failing")
        await d.settle()
        url = "/durabletask/instances/one"
        assert (await d.http.get(url)).status_code == 200
        assert (
            await d.http.get(url, params={"returnInternalServerErrorOnFailure": "true"})
        ).status_code == 500


async def test_input_and_history_are_shown_when_asked_for(drive: Drive) -> None:
    async with drive(orders()) as d:
        await d.start("order", data={"pizza": 1})
        await d.settle()
        assert (await d.status())["input"] == '{"pizza": 1}'
        assert (await d.status(showInput="false"))["input"] is None
        assert "historyEvents" not in await d.status()
        history = (await d.status(showHistory="true", showHistoryOutput="true"))["historyEvents"]
        assert history[0]["EventType"] == "ExecutionStarted"
        assert history[0]["Input"] == '{"pizza": 1}'


async def test_starting_may_wait_for_the_outcome(drive: Drive) -> None:
    async with drive(orders()) as d:
        base = "/runtime/webhooks/durabletask/orchestrators"
        done = await d.http.post(f"{base}/instant", params={"timeout": "5"})
        assert (done.status_code, done.json()) == (200, "done")
        failed = await d.http.post(f"{base}/failing", params={"timeout": "5"})
        assert (failed.status_code, failed.json()["runtimeStatus"]) == (500, "Failed")
        running = await d.http.post(f"{base}/order", params={"timeout": "0.05"})
        assert running.status_code == 202


async def test_the_management_urls_work(drive: Drive) -> None:
    async with drive(orders()) as d:
        started = await d.http.post("/runtime/webhooks/durabletask/orchestrators/order/one")
        urls = started.json()
        assert started.headers["Location"] == urls["statusQueryGetUri"]
        await d.http.post(urls["sendEventPostUri"].replace("{eventName}", "approved"), json="yes")
        assert await d.outcome() == ("Completed", {"approval": "yes"})
        assert (await d.http.get(urls["statusQueryGetUri"])).json()["instanceId"] == "one"
        assert (await d.http.delete(urls["purgeHistoryDeleteUri"])).json() == {"instancesDeleted": 1}


async def test_entities_are_unsupported_for_the_client_too(drive: Drive) -> None:
    async with drive(orders()) as d:
        assert "501" in await call(d, "entity")


async def test_an_input_that_is_not_json_is_refused(drive: Drive) -> None:
    async with drive(orders()) as d:
        answer = await d.http.post("/durabletask/orchestrators/order", content="{")
        assert answer.status_code == 400
        assert "not JSON" in answer.json()["ExceptionMessage"]


@pytest.mark.parametrize("query", [{"top": "many"}, {"createdTimeFrom": "yesterday"}])
async def test_a_query_that_cannot_be_read_is_refused(drive: Drive, query: dict) -> None:
    async with drive(orders()) as d:
        assert (await d.http.get("/durabletask/instances", params=query)).status_code == 400
