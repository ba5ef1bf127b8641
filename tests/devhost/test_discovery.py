"""Discovery: what devhost does not support, and the error for it. And host.json."""

from datetime import timedelta
from pathlib import Path

import azure.durable_functions as df
import azure.functions as func
import pytest

from devhost import StartError
from devhost.discovery import discover
from devhost.host_json import HostSettings, host_settings, read_host_json
from tests.devhost.driver import new_app


def with_http(**options: object) -> df.DFApp:
    app = new_app()

    @app.route(**options)
    def page(req: func.HttpRequest) -> str:
        return ""

    return app


def queue_trigger() -> df.DFApp:
    app = new_app()

    @app.queue_trigger(arg_name="message", queue_name="q", connection="c")
    def take(message: func.QueueMessage) -> None: ...

    return app


def queue_output() -> df.DFApp:
    app = new_app()

    @app.route(route="x")
    @app.queue_output(arg_name="out", queue_name="q", connection="c")
    def send(req: func.HttpRequest, out: func.Out[str]) -> None: ...

    return app


def entity() -> df.DFApp:
    app = new_app()

    @app.entity_trigger(context_name="context")
    def counter(context): ...

    return app


def retry() -> df.DFApp:
    app = new_app()

    @app.retry(strategy="fixed_delay", max_retry_count="3", delay_interval="00:00:01")
    @app.timer_trigger(arg_name="timer", schedule="0 * * * * *")
    def tick(timer: func.TimerRequest) -> None: ...

    return app


def entity_name() -> df.DFApp:
    app = new_app()

    @app.orchestration_trigger(context_name="context", orchestration="@mine")
    def work(context): ...

    return app


def coroutine() -> df.DFApp:
    app = new_app()

    @app.orchestration_trigger(context_name="context")
    async def work(context): ...

    return app


@pytest.mark.parametrize(
    ("app", "sentence"),
    [
        (queue_trigger(), "'take' has the trigger 'queueTrigger', which devhost does not support"),
        (entity(), "'counter' has the trigger 'entityTrigger', which devhost does not support"),
        (queue_output(), "'send' has the binding 'queue' ('out', OUT), which devhost does not support"),
        (retry(), "'tick' has a retry policy, which devhost does not support"),
        (entity_name(), "'@mine' begins with '@'"),
        (coroutine(), "'work' is 'async def'"),
    ],
)
def test_an_unsupported_function_is_refused(app: df.DFApp, sentence: str) -> None:
    with pytest.raises(StartError) as refusal:
        discover(app)
    assert sentence in str(refusal.value)


def test_a_function_that_needs_a_key_is_refused() -> None:
    app = with_http(route="secret", auth_level=func.AuthLevel.FUNCTION)
    with pytest.raises(StartError, match="'page' requires a key of the level 'FUNCTION'"):
        discover(app)


def test_a_function_can_be_disabled_by_the_environment() -> None:
    assert discover(with_http(route="x"), {"AzureWebJobs.page.Disabled": "true"}) == ()
    assert len(discover(with_http(route="x"), {"AzureWebJobs.page.Disabled": "false"})) == 1


def test_one_app_object_can_be_discovered_again() -> None:
    app = with_http()
    assert discover(app) == discover(app)


def test_a_missing_host_json_means_the_defaults(tmp_path: Path) -> None:
    assert read_host_json(tmp_path, {}) == HostSettings()


def test_host_json_is_read_ignoring_case() -> None:
    document = {
        "functionTimeout": "00:05:00",
        "extensions": {
            "http": {"routePrefix": "/v1/"},
            "DurableTask": {
                "hubName": "Hub",
                "maxConcurrentActivityFunctions": 3,
                "maxConcurrentOrchestratorFunctions": 2,
            },
        },
    }
    assert host_settings(document, {}) == HostSettings(
        route_prefix="v1",
        function_timeout=timedelta(minutes=5),
        hub_name="Hub",
        max_concurrent_activities=3,
        max_concurrent_orchestrators=2,
    )


def test_the_environment_overrides_host_json() -> None:
    overrides = {
        "AzureFunctionsJobHost__extensions__http__routePrefix": "",
        "AzureFunctionsJobHost__functionTimeout": "-1",
    }
    settings = host_settings({"extensions": {"http": {"routePrefix": "v1"}}}, overrides)
    assert (settings.route_prefix, settings.function_timeout) == ("", None)


@pytest.mark.parametrize(
    "document",
    [
        {"functionTimeout": "soon"},
        {"extensions": {"durableTask": {"maxConcurrentActivityFunctions": 0}}},
        {"extensions": {"durableTask": {"maxConcurrentActivityFunctions": "many"}}},
        {"extensions": []},
        *({"extensions": {"durableTask": {"hubName": name}}} for name in ("my-hub", "2hub", "ab", "h" * 46)),
    ],
)
def test_an_invalid_value_is_refused(document: dict) -> None:
    with pytest.raises(StartError, match=r"host\.json has a value that cannot be used"):
        host_settings(document, {})


def test_a_host_json_that_is_not_an_object_is_refused(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text("[]")
    with pytest.raises(StartError, match="must hold a JSON object"):
        read_host_json(tmp_path, {})
