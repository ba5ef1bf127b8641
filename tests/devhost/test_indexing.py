"""At its start devhost refuses what the platform refuses, and accepts what the platform accepts."""

import sys
from pathlib import Path

import pytest

from devhost import StartError
from devhost.discovery import discover, load_app
from devhost.functions import Function
from tests.devhost.example_apps import (
    ACCEPTED,
    REFUSED_BY_THE_HOST,
    REFUSED_BY_THE_WORKER,
    activity,
    page,
    timer,
)

REFUSED = REFUSED_BY_THE_WORKER | REFUSED_BY_THE_HOST


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return tmp_path


def read(folder: Path, source: str) -> tuple[Function, ...]:
    (folder / "function_app.py").write_text(source, encoding="utf-8")
    return discover(load_app(folder), {})


@pytest.mark.parametrize("example", REFUSED)
def test_what_the_platform_refuses_is_refused_with_the_cause(folder: Path, example: str) -> None:
    source, sentence = REFUSED[example]
    with pytest.raises(StartError) as refusal:
        read(folder, source)
    assert sentence in str(refusal.value)


@pytest.mark.parametrize("example", ACCEPTED)
def test_what_the_platform_accepts_is_accepted(folder: Path, example: str) -> None:
    assert read(folder, ACCEPTED[example])


@pytest.mark.parametrize(
    ("source", "parameter"),
    [(page("req: str"), "req"), (page("req: bytes"), "req"), (timer("timer: str"), "timer")],
)
def test_what_the_platform_accepts_and_then_fails_at_each_call_is_refused(
    folder: Path, source: str, parameter: str
) -> None:
    with pytest.raises(StartError, match=f"annotates '{parameter}' with .*, which does not fit its binding"):
        read(folder, source)


def test_a_disabled_function_is_validated_too(folder: Path) -> None:
    (folder / "function_app.py").write_text(activity("step: dict[str, str]"), encoding="utf-8")
    with pytest.raises(StartError, match=", which the platform refuses; write a class"):
        discover(load_app(folder), {"AzureWebJobs.work.Disabled": "true"})


def test_a_blank_route_is_the_function_s_name(folder: Path) -> None:
    source = page("req: func.HttpRequest").replace('route="x"', 'route=" "')
    (function,) = read(folder, source)
    assert function.trigger.route == "page"
