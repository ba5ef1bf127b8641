"""The loopback ports of one running service, and the file that tells other commands about them."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from localcloud.azurite import AzuritePorts
from localcloud.errors import DamagedFileError
from localcloud.private_files import replace_private
from localcloud.process.ports import HOST, free_ports


@dataclass(frozen=True)
class Addresses:
    host: int
    mail: int
    azurite: AzuritePorts
    controls: str = ""
    """Where mails are read and the clock is moved."""

    @classmethod
    def drawn(cls, host: int) -> "Addresses":
        """Return free ports for everything; `host` stands as given unless it is 0."""
        drawn, mail, *storage = free_ports(5)
        return cls(host or drawn, mail, AzuritePorts(*storage))

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.host}"

    @property
    def mail_url(self) -> str:
        return f"http://{HOST}:{self.mail}"

    def write(self, file: Path) -> None:
        replace_private(file, json.dumps(asdict(self), indent=2).encode())

    @classmethod
    def read(cls, file: Path) -> "Addresses | None":
        """Return what `file` tells, or None if there is no such file. Raises DamagedFileError."""
        try:
            content = json.loads(file.read_bytes())
            return cls(
                content["host"], content["mail"], AzuritePorts(**content["azurite"]), content["controls"]
            )
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedFileError(
                f"{file} is damaged. Start the service again; it writes the file anew."
            ) from error
