"""The subcommands of dev.py."""
