"""A worker of the platform without a host: reads messages as JSON lines, answers them as JSON lines.

Started by tests/platform/worker.py with the app's Python, in the app's folder; `argv[1]` is the folder of the
runtime's own packages. As on the platform, the app's packages come first on the path, the runtime's next and the
app's folder last; coroutines run on one loop, other functions in the runtime's threads.
"""

import asyncio
import json
import logging
import os
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import TextIO


async def serve(protos: SimpleNamespace, answers: TextIO) -> None:
    """Answer each line as soon as its answer is known, until there are no more."""
    import azure_functions_runtime as runtime
    from google.protobuf import json_format

    runtime.start_threadpool_executor()

    async def answer(line: str) -> None:
        asked = json_format.Parse(line, protos.StreamingMessage())
        kind = asked.WhichOneof("content")
        request = SimpleNamespace(
            name=kind, request=asked, properties={"host": "127.0.0.1", "protos": protos}
        )
        replied = {_REPLY[kind]: await getattr(runtime, kind)(request)}
        reply = protos.StreamingMessage(request_id=asked.request_id, **replied)
        shown = json_format.MessageToDict(
            reply, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
        print(json.dumps(shown), file=answers, flush=True)

    lines: asyncio.Queue[str] = asyncio.Queue()
    _read_into(lines)
    async with asyncio.TaskGroup() as running:
        while line := await lines.get():
            running.create_task(answer(line))
    runtime.stop_threadpool_executor()


_REPLY = {
    "worker_init_request": "worker_init_response",
    "functions_metadata_request": "function_metadata_response",
    "function_load_request": "function_load_response",
    "invocation_request": "invocation_response",
}


def _read_into(lines: "asyncio.Queue[str]") -> None:
    """Read in a thread, so that a function which blocks the loop is seen to block the loop and nothing else."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        while line := sys.stdin.readline():
            loop.call_soon_threadsafe(lines.put_nowait, line)
        loop.call_soon_threadsafe(lines.put_nowait, "")

    threading.Thread(target=read, daemon=True).start()


def main() -> None:
    """Arrange the path, keep standard output for answers, and serve."""
    sys.path.append(sys.argv[1])
    from rpc_messages import messages

    sys.path[:1] = []  # this script's folder: an app has none of it
    sys.path.append(str(Path.cwd()))
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    asyncio.run(serve(messages(), answers))


if __name__ == "__main__":
    main()
