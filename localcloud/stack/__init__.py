"""The whole service on one machine: Azurite, the local cloud's server and the app's host on one data directory."""
