"""What `dev.py bench --against REF` does besides measuring: checkouts, counting, ratios, arguments."""

import os
import subprocess
import sys
import time

import pytest

from bench import processes
from bench.against import checkout as checkouts
from bench.against.__main__ import main, parser
from bench.against.checkout import checkout, resolve
from bench.against.ratios import compare, table
from bench.against.service import Service, Spent
from bench.errors import CheckoutError

LOCKS = ("requirements-dev.txt", "requirements.txt", "localcloud/azurite/package-lock.json")


def git(folder, *arguments):
    identity = ("-c", "user.name=A Developer", "-c", "user.email=developer@example.com")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def project(tmp_path):
    """A clone with two commits; only the newer one has the file `new`. Everything is installed in it."""
    folder = tmp_path / "project"
    for lock in LOCKS:
        (folder / lock).parent.mkdir(parents=True, exist_ok=True)
        (folder / lock).write_text("locked\n")
    git(tmp_path, "init", "--quiet", str(folder))
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "The first")
    (folder / "new").write_text("")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "The second")
    (folder / "localcloud/azurite/node_modules").mkdir()
    (folder / ".venv-3.13").mkdir()
    return folder


def test_another_commit_is_checked_out_beside_the_tree_and_removed_afterwards(project):
    with checkout("HEAD~1", project) as tree:
        assert not (tree / "new").exists()
        assert (project / "new").exists()
    assert not tree.exists()
    assert len(list((project / ".git").glob("worktrees/*"))) == 0


def test_a_checkout_is_removed_if_the_measurement_fails(project):
    with pytest.raises(ZeroDivisionError), checkout("HEAD", project) as tree:
        raise ZeroDivisionError
    assert not tree.exists()
    assert len(list((project / ".git").glob("worktrees/*"))) == 0


def test_what_is_installed_serves_both_trees_if_they_lock_the_same(project):
    with checkout("HEAD", project) as tree:
        assert (tree / ".venv").resolve() == type(tree)(sys.prefix).resolve()
        for folder in (".venv-3.13", "localcloud/azurite/node_modules"):
            assert (tree / folder).resolve() == project / folder
    assert (project / ".venv-3.13").is_dir()


def test_a_tree_with_another_lock_gets_an_environment_of_its_own(project, monkeypatch):
    for lock in LOCKS:
        (project / lock).write_text("locked otherwise\n")
    prepared = []
    monkeypatch.setattr(checkouts, "prepare", lambda *arguments: prepared.append(arguments))
    with checkout("HEAD", project) as tree:
        assert prepared == [(tree / ".venv", tree / "requirements-dev.txt", sys.executable)]
        assert not (tree / ".venv-3.13").exists()
        assert not (tree / "localcloud/azurite/node_modules").exists()


@pytest.mark.parametrize("ref", ["no-such-branch", "--all", ""])
def test_an_unknown_commit_is_refused_in_a_sentence(project, ref):
    with pytest.raises(CheckoutError, match=r"^This repository has no commit .*`git log` lists them\.$"):
        resolve(ref, project)


def test_a_folder_that_is_no_clone_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(CheckoutError, match="is not a git clone"):
        resolve("HEAD", tmp_path)


def test_a_mistake_in_the_commit_is_reported_without_a_traceback(monkeypatch, capsys):
    def refuse(ref):
        raise CheckoutError(f"no {ref}")

    monkeypatch.setattr("bench.against.__main__.resolve", refuse)
    assert main(["--against", "nothing"]) == 2
    assert capsys.readouterr().err == "no nothing\n"


@pytest.mark.parametrize("expiries", ["3", "-2", "many"])
def test_expiries_that_no_number_of_deals_makes_are_refused(expiries, capsys):
    with pytest.raises(SystemExit):
        parser().parse_args(["--against", "HEAD", "--expiries", expiries])
    assert "multiple of 2" in capsys.readouterr().err


def test_rounds_have_to_be_at_least_one(capsys):
    with pytest.raises(SystemExit):
        parser().parse_args(["--against", "HEAD", "--rounds", "0"])
    assert "1 or more" in capsys.readouterr().err


def test_a_ratio_is_the_median_of_the_ratios_of_rounds_and_not_of_medians():
    this = [{"cpu": 10.0}, {"cpu": 20.0}, {"cpu": 90.0}]
    other = [{"cpu": 10.0}, {"cpu": 40.0}, {"cpu": 30.0}]
    (compared,) = compare(this, other)
    assert (compared.this, compared.other) == (20.0, 30.0)
    assert (compared.ratio, compared.lowest, compared.highest) == (1.0, 0.5, 3.0)


def test_there_is_no_ratio_to_nothing():
    (compared,) = compare([{"requests": 1.0}], [{"requests": 0.0}])
    assert compared.ratio is None
    assert table([compared], "main").splitlines()[1].split() == ["requests", "1.00", "0.00", "-"]


def test_the_table_has_a_line_for_each_figure():
    rounds = [{"a": 1.0, "b": 1234.5}]
    first, *lines = table(compare(rounds, rounds), "main").splitlines()
    assert first.split()[:3] == ["this", "main", "ratio"]
    assert [line.split() for line in lines] == [
        ["a", "1.00", "1.00", "1.00", "1.00", "to", "1.00"],
        ["b", "1,234.50", "1,234.50", "1.00", "1.00", "to", "1.00"],
    ]


def test_storage_requests_are_counted_without_looks_into_queues(tmp_path):
    log = tmp_path / "azurite.log"
    log.write_text(
        "Azurite Table service is successfully listening\n"
        '127.0.0.1 - - [30/Nov/2026:17:05:55 +0000] "POST /localcloud/$batch HTTP/1.1" 202 -\n'
        '127.0.0.1 - - [30/Nov/2026:17:05:55 +0000] "GET /localcloud/hub-control-00/messages?n=32 HTTP/1.1" 200 -\n'
        '127.0.0.1 - - [30/Nov/2026:17:05:55 +0000] "POST /localcloud/hub-control-00/messages HTTP/1.1" 201 -\n'
    )
    service = Service("this", "devhost", "", "", "", os.getpid(), log, {})
    assert service.spent().storage_requests == 2


def test_what_was_spent_between_two_readings_is_their_difference():
    later, earlier = Spent({"worker": 5.0, "host": 2.0}, 30), Spent({"worker": 1.0, "host": 1.5}, 10)
    assert later.since(earlier) == Spent({"worker": 4.0, "host": 0.5}, 20)
    assert later.plus(earlier) == Spent({"worker": 6.0, "host": 3.5}, 40)


def test_a_family_is_a_process_with_its_descendants_and_the_time_of_those_that_ended():
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    program = (
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {burn!r}])\n"
        "print('ended', flush=True)\nsubprocess.run(['sleep', '60'])"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        child = None
        try:
            assert parent.stdout is not None
            assert parent.stdout.readline() == b"ended\n"
            end = time.monotonic() + 30
            while len(found := processes.family(parent.pid)) < 2 and time.monotonic() < end:
                time.sleep(0.01)
            itself, child = found
            assert (itself.pid, child.parent) == (parent.pid, parent.pid)
            assert itself.cpu_seconds >= 0.25
        finally:
            parent.kill()
            if child is not None:
                os.kill(child.pid, 9)


def test_a_process_that_has_ended_has_no_family():
    ended = subprocess.Popen(["true"])
    ended.wait()
    with pytest.raises(ProcessLookupError):
        processes.family(ended.pid)
