"""The demo is played as people see it, on whichever host the tests run on."""

import pytest

from samples.demo.__main__ import SCENES, main
from tests.live import Service


def test_every_scene_of_the_demo_goes_as_it_should(
    service_of_its_own: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = service_of_its_own.stack
    arguments = ["--url", stack.url, "--controls", stack.controls, "--data", str(stack.data.path)]
    assert main(arguments) == 0, capsys.readouterr().err
    shown = capsys.readouterr().out
    assert all((scene.__doc__ or "").rstrip(".") in shown for scene in SCENES)
    assert "Everything went as it should." in shown
