"""Apps in a few lines, and what becomes of each where it is read: by the platform, and by devhost.

`tests/platform` shows the same apps to the real indexer.
"""

_HEAD = """\
import functools
import typing
import azure.durable_functions as df
import azure.functions as func
from azure.functions.decorators.core import BindingDirection, DataType, InputBinding

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
"""


def app(source: str) -> str:
    return _HEAD + source


def activity(parameters: str, returned: str = "None", name: str = "work", binding: str = "step") -> str:
    return app(
        f'@app.activity_trigger(input_name="{binding}")\ndef {name}({parameters}) -> {returned}: return None\n'
    )


def page(parameters: str, returned: str = "str", more: str = "") -> str:
    return app(f'@app.route(route="x")\n{more}def page({parameters}) -> {returned}: return ""\n')


def timer(parameters: str, more: str = "") -> str:
    decorator = '@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")'
    return app(f"{decorator}\n{more}def tick({parameters}) -> None: ...\n")


def routes(*functions: tuple[str, str, list[str]]) -> str:
    return app(
        "".join(
            f"@app.route(route={route!r}, methods={methods!r})\ndef {name}(req: func.HttpRequest) -> str: return ''\n"
            for name, route, methods in functions
        )
    )


_REFUSED_TYPE = "which the platform refuses; write a class"
_UNRESOLVED = "has annotations that cannot be read"

# Refused by the worker, and so the whole app: source, and what devhost says.
REFUSED_BY_THE_WORKER: dict[str, tuple[str, str]] = {
    "a builtin with parameters": (
        activity("step: dict[str, str]"),
        f"'work' annotates 'step' with dict[str, str], {_REFUSED_TYPE}",
    ),
    "a union": (activity("step: dict | None"), f"'work' annotates 'step' with dict | None, {_REFUSED_TYPE}"),
    "an optional": (activity("step: typing.Optional[dict]"), _REFUSED_TYPE),
    "a tuple of types": (activity("step: typing.Tuple[str, str]"), _REFUSED_TYPE),
    "a callable": (activity("step: typing.Callable[[], None]"), _REFUSED_TYPE),
    "a new type": (app('Key = typing.NewType("Key", str)\n') + activity("step: Key"), _REFUSED_TYPE),
    "a type variable": (activity('step: typing.TypeVar("T")'), _REFUSED_TYPE),
    "a name that does not resolve": (activity('step: "Missing"'), f"'work' {_UNRESOLVED} (NameError"),
    "a result that does not resolve": (activity("step: dict", '"Missing"'), f"'work' {_UNRESOLVED}"),
    "a function that is an object": (
        app(
            "class Work:\n    __name__ = 'work'\n    def __call__(self, step): ...\n"
            "app.activity_trigger(input_name='step')(Work())\n"
        ),
        f"'work' {_UNRESOLVED}",
    ),
    "a request of another type": (page("req: dict"), "'page' annotates 'req' with dict, which does not fit"),
    "a request of any type": (page("req: typing.Any"), "does not fit its binding 'httpTrigger'"),
    "a request of a generic type": (
        page("req: typing.Dict[str, str]"),
        "does not fit its binding 'httpTrigger'",
    ),
    "a request with a data type": (
        app(
            '@app.generic_trigger(arg_name="req", type="httpTrigger", data_type=DataType.STRING)\n'
            "def page(req: dict): ...\n"
        ),
        "does not fit its binding 'httpTrigger'",
    ),
    "a timer of another type": (
        timer("timer: func.HttpRequest"),
        "'tick' annotates 'timer' with HttpRequest, which does not fit its binding 'timerTrigger'",
    ),
    "a client of another type": (
        page(
            "req: func.HttpRequest, client: df.DurableOrchestrationClient",
            more='@app.generic_input_binding(arg_name="client", type="durableClient")\n',
        ),
        "annotates 'client' with DurableOrchestrationClient, which does not fit its binding 'durableClient'",
    ),
    "an orchestrator whose context has another name": (
        app('@app.orchestration_trigger(context_name="turn")\ndef order(turn): ...\n'),
        "'order' annotates 'context', which has no binding, with OrchestrationContext",
    ),
    "a context of another type": (
        page("req: func.HttpRequest, context: dict"),
        "'page' annotates 'context', which has no binding, with dict",
    ),
    "a context that may be missing": (
        page("req: func.HttpRequest, context: func.Context | None"),
        "'page' annotates 'context', which has no binding, with ",
    ),
    "an output for an input": (
        activity("step: func.Out[str]"),
        "its binding 'activityTrigger' is not an output",
    ),
    "a bare output": (activity("step: func.Out"), "its binding 'activityTrigger' is not an output"),
    "an output without its type": (
        page(
            "req: func.HttpRequest, out: str",
            more='@app.generic_output_binding(arg_name="out", type="http")\n',
        ),
        "'page' has the binding 'http' ('out', OUT), which devhost does not support",
    ),
    "an answer that may be missing": (
        page("req: func.HttpRequest", "func.HttpResponse | None"),
        "'page' is annotated to return azure.functions._http.HttpResponse | None; the platform accepts",
    ),
    "no answer": (page("req: func.HttpRequest", "None"), "'page' is annotated to return NoneType"),
    "bytes for an answer": (page("req: func.HttpRequest", "bytes"), "is annotated to return bytes"),
    "a generic answer": (page("req: func.HttpRequest", "list[str]"), "is annotated to return list[str]"),
    "any answer": (page("req: func.HttpRequest", "typing.Any"), "is annotated to return Any"),
    "an output for an answer": (page("req: func.HttpRequest", "func.Out[str]"), "is annotated to return"),
    "a parameter without a binding": (
        page("req: func.HttpRequest, extra: str"),
        "'page' declares 'extra' without a binding",
    ),
    "a default for a parameter without a binding": (
        activity("step: dict, more=1"),
        "'work' declares 'more' without a binding",
    ),
    "further arguments": (activity("step: dict, **more"), "'work' declares 'more' without a binding"),
    "a binding without a parameter": (
        app('@app.route(route="x", trigger_arg_name="request")\ndef page() -> str: return ""\n'),
        "'page' has a binding 'request' but no such parameter",
    ),
    "a client for an orchestrator": (
        app(
            '@app.generic_input_binding(arg_name="client", type="durableClient")\n'
            '@app.orchestration_trigger(context_name="context")\n'
            "def order(context, client): ...\n"
        ),
        "has a binding 'client' but no such parameter",
    ),
    "a binding in both directions": (
        app(
            "class Both(InputBinding):\n"
            "    @staticmethod\n    def get_binding_name(): return 'durableClient'\n"
            "    def __init__(self, name):\n        super().__init__(name)\n"
            "        self._direction = BindingDirection.INOUT\n"
            "        self._dict['direction'] = BindingDirection.INOUT\n"
        )
        + '@app.route(route="x")\ndef page(req, client): ...\n'
        "app._function_builders[-1].add_binding(Both(name='client'))\n",
        "'page' has the binding 'durableClient' ('client', INOUT), which devhost does not support",
    ),
    "an answer that comes in": (
        app(
            '@app.activity_trigger(input_name="step")\n'
            '@app.generic_input_binding(arg_name="$return", type="http")\n'
            "def work(step): ...\n"
        ),
        "'work' has the binding 'http' ('$return', IN), which devhost does not support",
    ),
    "two functions of one name": (
        routes(("page", "x", []), ("page", "y", [])),
        "does not have a unique function name",
    ),
    "no trigger": (
        app('@app.function_name("idle")\ndef idle(): ...\n'),
        "idle does not have a trigger",
    ),
    "two triggers": (
        activity("step: dict").replace("@app", '@app.route(route="x")\n@app', 1),
        "A trigger was already registered",
    ),
    "two apps": (activity("step") + "other = func.FunctionApp()\n", "has 2 FunctionApp or DFApp"),
    "one app under two names": (activity("step") + "other = app\n", "has 2 FunctionApp or DFApp at module"),
    "no app": ("x = 1\n", "has no FunctionApp or DFApp"),
    "an import that fails": (app("import nowhere_to_be_found\n"), "cannot be imported: ModuleNotFoundError"),
    "a mistake at import": (app("1 / 0\n"), "cannot be imported: ZeroDivisionError"),
    "a retry policy that cannot be read": (
        timer(
            "timer: func.TimerRequest",
            '@app.retry(strategy="fixed_delay", max_retry_count="3", delay_interval="soon")\n',
        ),
        "'tick' has a retry policy, which devhost does not support",
    ),
}

# Taken by the worker, and then refused or left out by the host.
REFUSED_BY_THE_HOST: dict[str, tuple[str, str]] = {
    "no functions": (app(""), "The app has no functions"),
    "a name with a leading underscore": (
        activity("step", name="_work"),
        "Function '_work' has a name that the platform refuses",
    ),
    "a name that is not ASCII": (
        activity("step", name="wörk"),
        "'wörk' has a name that the platform refuses",
    ),
    "the host's name": (
        activity("step", name="Host"),
        "Function 'Host' has a name that the platform refuses",
    ),
    "a long name": (activity("step", name="w" * 129), "has a name that the platform refuses"),
    "a binding with an underscore": (
        activity("a_step", binding="a_step"),
        "'work' has the binding 'a_step', a name that the platform refuses",
    ),
    "two bindings of one name": (
        page(
            "req: func.HttpRequest, Req",
            more='@app.generic_input_binding(arg_name="Req", type="durableClient")\n',
        ),
        "Function 'page' has two bindings called 'req'",
    ),
    "names in another letter case": (
        routes(("page", "x", []), ("Page", "y", [])),
        "The functions 'page' and 'Page' differ only in letter case",
    ),
    "one durable name": (
        app(
            '@app.activity_trigger(input_name="x", activity="Work")\ndef one(x): ...\n'
            '@app.activity_trigger(input_name="x", activity="work")\ndef two(x): ...\n'
        ),
        "The functions 'one' and 'two' share the durable name 'work'",
    ),
    "one route": (routes(("one", "x", []), ("two", "/X/", ["GET"])), "'one' and 'two' share the route '/X/'"),
    "one route and one of the methods": (
        routes(("one", "x", ["GET", "PUT"]), ("two", "x", ["PUT"])),
        "share the route 'x' and a method",
    ),
    "one route with other parameters": (
        routes(("one", "x/{id:int}/{*rest}", ["GET"]), ("two", "x/{key:int}/{*more}", ["GET"])),
        "share the route 'x/{key:int}/{*more}' and a method",
    ),
    "a route of the host's": (routes(("one", "/Admin/x", [])), "are the host's own"),
}

ACCEPTED: dict[str, str] = {
    "no annotations": app('@app.activity_trigger(input_name="step")\ndef work(step): ...\n'),
    "a generic type of the typing module": activity("step: typing.Dict[str, str]", "dict[str, str]"),
    "a bare generic type": activity("step: typing.List"),
    "a class of one's own": app("class Step(typing.TypedDict):\n    id: str\n") + activity("step: Step"),
    "a literal": activity('step: typing.Literal["a"]'),
    "anything": activity("step: typing.Any"),
    "a text that resolves": activity('step: "dict"'),
    "a remark beside the type": activity('step: typing.Annotated[dict, "a step"]'),
    "postponed annotations": "from __future__ import annotations\n" + activity("step: dict", "dict | None"),
    "a bound context": activity("context: dict", binding="context"),
    "the invocation's context": page("req: func.HttpRequest, context: func.Context"),
    "a client": page(
        "req: func.HttpRequest, client: df.DurableOrchestrationClient",
        "func.HttpResponse",
        '@app.durable_client_input(client_name="client")\nasync ',
    ),
    "a client's text": page(
        "req, client: str", more='@app.generic_input_binding(arg_name="client", type="durableClient")\n'
    ),
    "an orchestrator annotated at will": app(
        '@app.orchestration_trigger(context_name="context")\n'
        'def order(context: "Missing | None") -> "Missing": ...\n'
    ),
    "a wrapped function": app(
        "def logged(call):\n    @functools.wraps(call)\n    def log(*args, **kwargs): return call(*args, **kwargs)\n"
        "    return log\n"
    )
    + '@app.activity_trigger(input_name="step")\n@logged\ndef work(step: dict): ...\n',
    "one route with other methods": routes(("read", "x/{id}", ["GET"]), ("write", "x/{id}", ["PUT"])),
    "routes that differ in a constraint": routes(("one", "x/{id:int}", []), ("two", "x/{id}", [])),
    "a name in every allowed sign": app('@app.function_name("a-B_9")\n')
    + '@app.activity_trigger(input_name="step")\ndef work(step): ...\n',
}
