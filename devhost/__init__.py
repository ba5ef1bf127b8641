"""Runs the function_app.py of an Azure Functions app (Python v2 model, Durable Functions 1.x) on one machine."""

from devhost.errors import DevhostError, StartError
from devhost.host import Host
from devhost.running import running

__all__ = ["DevhostError", "Host", "StartError", "running"]
