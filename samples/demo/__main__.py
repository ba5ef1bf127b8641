"""Play the demo: `python -m samples.demo --url URL --data DIR`; exit code 1 if the service behaves unexpectedly."""

import argparse
import sys
from pathlib import Path

from samples.demo.scene import Scene
from samples.demo.scenes import (
    assessment,
    choosing_again,
    co_sell,
    created_by_microsoft,
    partner_to_partner,
    registration,
    request_for_information,
    upgrade,
)
from samples.demo.screen import Screen
from samples.demo.service import Service, UnexpectedAnswer

SCENES = (
    co_sell.play,
    upgrade.play,
    partner_to_partner.play,
    assessment.play,
    created_by_microsoft.play,
    request_for_information.play,
    choosing_again.play,
    registration.play,
)


def main(arguments: list[str]) -> int:
    """Play all scenes, and print where the mails can be seen."""
    options = _parse(arguments)
    screen = Screen()
    try:
        with Service(options.url, options.controls or options.url, options.data) as service:
            screen.time(service.now())
            for play in SCENES:
                screen.closing()
                screen.title((play.__doc__ or "").rstrip("."))
                play(Scene(service, screen))
    except UnexpectedAnswer as unexpected:
        print(f"\nThe demo stopped. {unexpected}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    screen.closing(
        "Everything went as expected.",
        f"The mails as people see them: {options.controls or options.url}/admin/devhost/mail/view",
    )
    return 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="demo",
        description="Play a deal of each type and a request for information against a running service.",
    )
    parser.add_argument(
        "--url", required=True, help="where the service answers, such as http://127.0.0.1:7071"
    )
    parser.add_argument(
        "--controls", help="where its clock is moved and its mails are read; default: the same"
    )
    parser.add_argument(
        "--data",
        required=True,
        type=Path,
        metavar="DIR",
        help="its data directory, whose key signs the tokens",
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
