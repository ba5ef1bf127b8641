import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_bytes

import pytest

from localcloud.clocks import domain_clock
from localcloud.errors import DamagedFileError, UnusableDataError
from localcloud.private_files import make_private, private_directory, read_or_create, replace_private

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def test_concurrent_creators_of_a_file_all_get_the_same_content(tmp_path):
    path = tmp_path / "deep" / "key"
    with ThreadPoolExecutor(8) as threads:
        read = list(threads.map(lambda _: read_or_create(path, lambda: token_bytes(32)), range(32)))
    assert set(read) == {path.read_bytes()}
    assert [file.name for file in path.parent.iterdir()] == ["key"]


def test_only_the_owner_can_read_private_files_and_directories(tmp_path):
    replace_private(private_directory(tmp_path / "data") / "file", b"x")
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "data" / "file").stat().st_mode) == 0o600


def test_a_directory_that_was_there_before_is_taken_from_others_with_all_that_is_in_it(tmp_path):
    data, outside = tmp_path / "data", tmp_path / "outside"
    (data / "azurite").mkdir(parents=True)
    for path in (outside, data / "azurite" / "table.json", data / "tool"):
        path.write_text("x")
        path.chmod(0o755)
    (data / "link").symlink_to(outside)
    data.chmod(0o777)
    make_private(data)
    modes = {path.name: stat.S_IMODE(path.lstat().st_mode) for path in (data, *data.rglob("*"))}
    assert modes.pop("link") == 0o777, "what links say of themselves means nothing"
    assert set(modes.values()) == {0o700}
    assert stat.S_IMODE(outside.stat().st_mode) == 0o755


@pytest.mark.parametrize("others", ["sticky", "home", "root"])
def test_a_directory_that_is_used_for_other_things_too_is_left_as_it_is(tmp_path, monkeypatch, others):
    """Otherwise `--data /tmp` would take the machine's temporary files from everybody else."""
    shared = Path("/") if others == "root" else tmp_path
    if others == "sticky":
        shared.chmod(0o1777)
    if others == "home":
        monkeypatch.setenv("HOME", str(tmp_path / "people" / "rae"))
    before = shared.stat().st_mode
    with pytest.raises(UnusableDataError, match="other things"):
        make_private(shared)
    assert shared.stat().st_mode == before


def test_a_replaced_file_holds_the_new_content_and_leaves_no_draft(tmp_path):
    for content in (b"one", b"two"):
        replace_private(tmp_path / "file", content)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("file", b"two")]


@pytest.mark.parametrize(
    ("text", "offset"),
    [("0\n", timedelta()), ("1500000", timedelta(seconds=1.5)), ("-60000000\n", -timedelta(minutes=1))],
)
def test_the_domain_clock_adds_the_microseconds_of_the_file(tmp_path, text, offset):
    (tmp_path / "offset").write_text(text)
    assert domain_clock(tmp_path / "offset", lambda: NOON)() == NOON + offset


def test_the_domain_clock_follows_the_file(tmp_path):
    clock = domain_clock(tmp_path / "offset", lambda: NOON)
    assert clock() == NOON
    (tmp_path / "offset").write_text("1000000")
    assert clock() == NOON + timedelta(seconds=1)


@pytest.mark.parametrize("text", ["", "soon", "1.5", "9" * 40, "é"])
def test_a_damaged_offset_is_named_with_its_file(tmp_path, text):
    (tmp_path / "offset").write_text(text, encoding="utf-8")
    with pytest.raises(DamagedFileError, match="offset must hold one decimal integer"):
        domain_clock(tmp_path / "offset", lambda: NOON)()
