"""The demo is played as people see it, on whichever host the tests run on."""

from samples.demo.__main__ import main
from tests.live import Service


def test_every_scene_of_the_demo_goes_as_it_should(service_of_its_own: Service) -> None:
    """Each scene compares states, mails and timelines with what its steps should bring, and stops the demo if not."""
    stack = service_of_its_own.stack
    where = ["--url", stack.url, "--controls", stack.controls, "--data", str(stack.data.path)]
    assert main(where) == 0
