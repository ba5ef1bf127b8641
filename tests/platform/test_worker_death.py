"""A worker that dies with calls in flight: devhost's fault does to instances what the real engine does."""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from localcloud.process.waiting import wait_until
from localcloud.stack.hosts import Devhost, Func, Host
from localcloud.stack.stack import Stack

APP = '''
import asyncio, os, time
from pathlib import Path
import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
folder = Path(os.environ["NOTES"])

def begin(name):
    """Whoever is new here holds; whoever comes again does not."""
    note = folder / name
    again = note.exists()
    note.touch()
    return 0 if again else 15

@app.orchestration_trigger(context_name="context")
def computing(context):
    time.sleep(begin("computing"))
    return (yield context.call_activity("quick", "computed"))

@app.orchestration_trigger(context_name="context")
def careless(context):
    return (yield context.call_activity("slow", "careless"))

@app.orchestration_trigger(context_name="context")
def careful(context):
    try:
        return (yield context.call_activity("slow", "careful"))
    except Exception as failure:
        return "caught " + str(failure)

@app.orchestration_trigger(context_name="context")
def parked(context):
    return (yield context.wait_for_external_event("go"))

@app.activity_trigger(input_name="text")
async def slow(text: str) -> str:
    await asyncio.sleep(begin(text))
    return text

@app.activity_trigger(input_name="text")
async def quick(text: str) -> str:
    return text

@app.route(route="page")
async def page(req: func.HttpRequest) -> func.HttpResponse:
    await asyncio.sleep(begin("page"))
    return func.HttpResponse("page")

@app.route(route="die")
async def die(req: func.HttpRequest) -> func.HttpResponse:
    os._exit(3)

@app.route(route="start/{name}")
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client) -> func.HttpResponse:
    name = req.route_params["name"]
    await client.start_new(name, name)
    return func.HttpResponse("started")
'''
ALL = ("parked", "computing", "careless", "careful")


@pytest.fixture(params=["devhost", "func"])
def stack(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    folder, notes = tmp_path / "app", tmp_path / "notes"
    folder.mkdir()
    notes.mkdir()
    (folder / "function_app.py").write_text(APP)
    (folder / "host.json").write_text(json.dumps({"version": "2.0"}))
    monkeypatch.setenv("NOTES", str(notes))
    host: Host = Devhost((sys.executable, "-m", "devhost", "--app", str(folder)))
    if request.param == "func":
        func: Func = request.getfixturevalue("func")
        host = replace(func, app=folder)
    with Stack(tmp_path / "data", host=host) as running:
        yield running


def instance(stack: Stack, name: str) -> tuple[str, Any]:
    found = httpx.get(f"{stack.url}/runtime/webhooks/durabletask/instances/{name}", timeout=30).json()
    return found["runtimeStatus"], found["output"]


def begun(tmp_path: Path) -> set[str]:
    return {file.name for file in (tmp_path / "notes").iterdir()}


def test_calls_in_flight_fail_and_nothing_else(stack: Stack, tmp_path: Path) -> None:
    for name in ALL:
        assert httpx.get(f"{stack.url}/api/start/{name}", timeout=60).status_code == 200
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{stack.url}/api/page", timeout=2)
    assert wait_until(lambda: begun(tmp_path) == {"page", *ALL} - {"parked"}, 60)
    if stack.host.name == "devhost":
        died = httpx.post(f"{stack.url}/admin/devhost/worker-died", timeout=30)
        assert died.json() == {"failedCalls": 4}
    else:
        assert httpx.get(f"{stack.url}/api/die", timeout=30).status_code == 500

    assert wait_until(lambda: instance(stack, "careful")[0] == "Completed", 60)
    assert wait_until(
        lambda: {instance(stack, name)[0] for name in ("computing", "careless")} == {"Failed"}, 60
    )
    outputs = {name: instance(stack, name)[1] for name in ALL}
    failed = "Orchestrator function '{}' failed: "
    assert outputs["computing"].startswith(
        failed.format("computing") + "One or more errors occurred. (The worker"
    )
    assert outputs["careless"].startswith(
        failed.format("careless") + "Activity function 'slow' failed: The worker"
    )
    assert outputs["careful"].startswith("caught Activity function 'slow' failed: The worker")
    assert instance(stack, "parked") == ("Running", None)

    for name in ("computing", "careless"):
        assert wait_until(lambda name=name: restart_round(stack, name), 60)
        assert wait_until(lambda name=name: instance(stack, name)[0] == "Completed", 60)
    event = f"{stack.url}/runtime/webhooks/durabletask/instances/parked/raiseEvent/go"
    assert httpx.post(event, json="gone", timeout=30).status_code == 202
    assert wait_until(lambda: instance(stack, "parked") == ("Completed", "gone"), 60)


def restart_round(stack: Stack, name: str) -> bool:
    return httpx.get(f"{stack.url}/api/start/{name}", timeout=60).status_code == 200
