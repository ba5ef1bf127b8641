"""Reads apps with the platform's indexer: run by a Python 3.13 that has `azure-functions-runtime` on its path.

Takes a JSON object of sources by name on standard input; answers with a JSON object: the refusal of each, or null.
"""

import contextlib
import importlib
import json
import os
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

from azure_functions_runtime.bindings.meta import load_binding_registry
from azure_functions_runtime.functions import Registry
from azure_functions_runtime.loader import index_function_app, process_indexed_function


class _Message(SimpleNamespace):
    """Stands in for any message of the worker's protocol."""


class _BindingInfo(_Message):
    undefined, out, inout = 0, 1, 2


_PROTOCOL = SimpleNamespace(BindingInfo=_BindingInfo, RpcFunctionMetadata=_Message, RpcRetryOptions=_Message)


def refusal(source: str, folder: Path) -> str | None:
    """What the indexer says of an app that it refuses."""
    (folder / "function_app.py").write_text(source, encoding="utf-8")
    sys.modules.pop("function_app", None)
    importlib.invalidate_caches()
    try:
        functions = index_function_app("function_app.py")
        process_indexed_function(_PROTOCOL, Registry(), functions, str(folder))
    except Exception as refused:  # noqa: BLE001 - whatever the indexer raises refuses the app
        return f"{type(refused).__name__}: {refused}"
    return None


def main() -> None:
    sys.dont_write_bytecode = True
    load_binding_registry()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        os.chdir(folder)
        sys.path.append(folder)
        refusals = {name: refusal(source, Path(folder)) for name, source in json.load(sys.stdin).items()}
    print(json.dumps(refusals))  # noqa: T201 - its answer


if __name__ == "__main__":
    main()
