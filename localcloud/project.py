"""Where the project lies. Standard library only."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
