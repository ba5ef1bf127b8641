"""What the function app needs around it on a machine without Azure.

Storage (Azurite, supervised), the mail service (a sink that speaks the Email REST API), the identity provider (a
development token issuer), and the commands of dev.py. Knows nothing of the app it serves.
"""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
"""The folder of the project."""
