"""The whole service on one machine: Azurite, the local cloud's server and the embedded host on one data directory."""

from localcloud.stack.addresses import Addresses
from localcloud.stack.data_directory import DataDirectory
from localcloud.stack.environment import app_environment
from localcloud.stack.stack import Stack

__all__ = ["Addresses", "DataDirectory", "Stack", "app_environment"]
