"""Azurite, the emulator of Azure Storage: installed from its lock file and run as a supervised process."""

from localcloud.azurite.install import ensure_installed
from localcloud.azurite.service import Azurite, AzuritePorts, connection_string, running

__all__ = ["Azurite", "AzuritePorts", "connection_string", "ensure_installed", "running"]
