"""`dev.py token` and `dev.py mail`: parts of the local cloud for other clients and hosts."""

import json
from argparse import Namespace

from localcloud import issuer
from localcloud.__main__ import main as serve
from localcloud.commands.people import find_person
from localcloud.process.foreground import tell
from localcloud.process.locks import DataLock
from localcloud.process.ports import HOST, free_ports, require_free
from localcloud.project import PROJECT
from localcloud.stack.data_directory import DataDirectory
from localcloud.stack.environment import service_settings

_PATIENCE = 20.0


def token(options: Namespace) -> int:
    """Print a bearer token and nothing else."""
    person = find_person(options.person, PROJECT / "samples" / "world.json")
    print(issuer.token(options.data.resolve(), tid=person.tid, oid=person.oid))
    return 0


def mail(options: Namespace) -> int:
    """Serve the mail sink and the issuer alone, for a function app under another host."""
    data = DataDirectory.prepared(options.data)
    lock = DataLock(data.lock)
    lock.acquire(patience=_PATIENCE, report=tell)
    try:
        port = options.port or free_ports(1)[0]
        require_free(port)
        url = f"http://{HOST}:{port}"
        print("Settings for local.settings.json:")
        print(json.dumps({"Values": service_settings(data, url)}, indent=2))
        print(f"Mails: {url}/admin/devhost/mail/view", flush=True)
        where = ["--data", str(data.path), "--port", str(port)]
        events = ["--mail-events-url", options.mail_events_url] if options.mail_events_url else []
        return serve([*where, "--clock-offset-file", str(data.clock_offset), *events])
    finally:
        lock.release()
