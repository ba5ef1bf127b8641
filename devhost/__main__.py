"""`python -m devhost`."""

import logging
import os
import sys

from devhost.cli import main

code = main()
logging.shutdown()
sys.stdout.flush()
# A function that hangs in a thread cannot be cancelled, and the interpreter would wait for it.
os._exit(code)
