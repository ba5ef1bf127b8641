import ast
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import jwt
import pytest

from localcloud.commands import bootstrap, checks, dispatch, operations, parser, serve
from localcloud.commands.token import Identity, find_caller
from localcloud.errors import InstallError, UnknownCallerError
from localcloud.issuer import signing_key
from localcloud.process.locks import DataLock, Holder
from localcloud.stack.data_directory import Addresses, DataDirectory

PROJECT = Path(__file__).resolve().parents[2]
TENANT, PERSON = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
APPLICATION = "aaaaaaaa-3333-4333-8333-333333333333"


@pytest.fixture
def world(tmp_path):
    organization = {
        "tenantId": TENANT,
        "people": [{"email": "rae@contoso.com", "oid": PERSON}],
        "applications": [{"name": "Web site", "oid": APPLICATION}],
    }
    (tmp_path / "world.json").write_text(json.dumps({"organizations": [organization]}))
    return tmp_path / "world.json"


def test_a_person_is_found_by_email_in_any_letter_case(world):
    assert find_caller("Rae@Contoso.COM", world) == Identity(TENANT, PERSON)


def test_an_application_is_found_by_its_name_or_its_ids(world):
    found = Identity(TENANT, APPLICATION, application=True)
    assert find_caller("web SITE", world) == find_caller(f"{TENANT}/{APPLICATION.upper()}", world) == found


def test_a_person_can_be_given_by_ids(tmp_path):
    assert find_caller(f"{TENANT}/{PERSON}", tmp_path / "none.json") == Identity(TENANT, PERSON)


def test_the_error_for_an_unknown_person_lists_the_known_ones(world):
    with pytest.raises(
        UnknownCallerError, match=r"^Nobody is called kim\. Give one of rae@contoso\.com, web site; "
    ):
        find_caller("kim", world)


def test_token_prints_the_token_and_nothing_else(tmp_path, capsys):
    assert (
        dispatch.dispatch(parser.parse(["token", "--as", f"{TENANT}/{PERSON}", "--data", str(tmp_path)])) == 0
    )
    (line,) = capsys.readouterr().out.splitlines()
    key = signing_key(tmp_path).private.public_key()
    claims = jwt.decode(line, key, algorithms=["RS256"], audience="api://cosell-referrals")
    assert (claims["tid"], claims["oid"], claims["scp"]) == (TENANT, PERSON, "access_as_user")


@pytest.mark.parametrize("caller", [["Solution Providers web site"], [f"{TENANT}/{PERSON}", "--application"]])
def test_the_token_of_an_application_has_the_application_role(tmp_path, capsys, caller):
    assert dispatch.dispatch(parser.parse(["token", "--as", *caller, "--data", str(tmp_path)])) == 0
    (line,) = capsys.readouterr().out.splitlines()
    claims = jwt.decode(line, options={"verify_signature": False})
    assert (claims["roles"], "scp" in claims) == (["Referrals.Access"], False)


def test_token_for_an_unknown_person_exits_with_2(tmp_path, capsys):
    assert dispatch.dispatch(parser.parse(["token", "--as", "nobody", "--data", str(tmp_path)])) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)


def test_mail_prints_the_settings_of_another_host_and_serves(tmp_path, monkeypatch, capsys):
    served = []
    monkeypatch.setattr(serve, "serve_local_cloud", lambda arguments: served.append(arguments) or 0)
    assert serve.mail(parser.parse(["mail", "--port", "0", "--data", str(tmp_path)])) == 0
    printed = capsys.readouterr().out
    values, _ = json.JSONDecoder().raw_decode(printed[printed.index("{") :])
    assert set(values["Values"]) == {
        "MAIL_ENDPOINT",
        "MAIL_ACCESS_KEY",
        "MAIL_SENDER",
        "MAIL_EVENTS_KEY",
        "AUTH_ISSUER",
        "AUTH_AUDIENCE",
        "AUTH_JWKS_URL",
    }
    assert values["Values"]["MAIL_ENDPOINT"].endswith(served[0][served[0].index("--port") + 1])


def test_mail_passes_on_the_url_for_delivery_reports(tmp_path, monkeypatch, capsys):
    served = []
    monkeypatch.setattr(serve, "serve_local_cloud", lambda arguments: served.append(arguments) or 0)
    url = "http://localhost:7071/v1.0/mail-events"
    where = ["--port", "0", "--data", str(tmp_path)]
    serve.mail(parser.parse(["mail", "--mail-events-url", url, *where]))
    serve.mail(parser.parse(["mail", *where]))
    assert served[0][-2:] == ["--mail-events-url", url]
    assert "--mail-events-url" not in served[1]


@pytest.fixture
def modules(monkeypatch):
    ran = []

    def run_module(module, arguments, environment=None):
        ran.append((module, list(arguments), environment))
        return 1 if module == "ruff" else 0

    for place in (checks, operations):
        monkeypatch.setattr(place, "run_module", run_module)
    return ran


def test_lint_runs_all_four_checks_even_when_one_fails(monkeypatch, capsys):
    ran = []
    monkeypatch.setattr(
        checks, "run_python", lambda arguments: ran.append(arguments) or int("ruff" in arguments)
    )
    assert checks.lint(parser.parse(["lint"])) == 1
    assert len(ran) == 4
    assert capsys.readouterr().err.splitlines()[-1] == "Failed: ruff check, ruff format"


def test_the_import_check_fails_on_a_broken_contract(tmp_path):
    """A contract that is broken fails the check."""
    for name, source in {"upper": "import lower\n", "lower": ""}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(source)
    contract = 'name = "No"\ntype = "forbidden"\nsource_modules = ["upper"]\nforbidden_modules = ["lower"]\n'
    (tmp_path / "pyproject.toml").write_text(
        '[tool.importlinter]\nroot_packages = ["upper", "lower"]\n[[tool.importlinter.contracts]]\n'
        + contract
    )
    (arguments,) = [arguments for name, arguments in checks._checks() if name == "import-linter"]
    result = subprocess.run(
        [sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1, result.stderr
    assert "0 kept, 1 broken" in result.stdout


def test_test_and_bench_pass_their_arguments_on(modules, monkeypatch):
    monkeypatch.setattr(checks, "ensure_installed", lambda: None)
    assert checks.test(parser.parse(["test", "-x", "tests/rules", "-k", "a b"])) == 0
    assert checks.bench(parser.parse(["bench", "--help"])) == 0
    (tested, arguments, _), bench = modules
    assert (tested, arguments[-4:]) == ("pytest", ["-x", "tests/rules", "-k", "a b"])
    assert bench == ("bench", ["--help"], None)


def test_check_without_a_running_service_says_how_to_start_it(tmp_path, capsys):
    assert dispatch.dispatch(parser.parse(["check", "--data", str(tmp_path)])) == 1
    assert "python3 dev.py run --data" in capsys.readouterr().err


@pytest.fixture
def service(tmp_path):
    """The lock and the addresses of a running service in its data directory."""
    data = DataDirectory.prepared(tmp_path / "data")
    lock, addresses = DataLock(data.lock), Addresses.with_free_ports(0)
    lock.acquire(timeout=0, report=lambda _line: None)
    lock.set_holder(Holder(os.getpid(), addresses.url))
    addresses.write(data.addresses)
    yield data, addresses
    lock.release()


def test_check_and_directory_run_with_the_environment_of_the_service(service, modules, world):
    data, addresses = service
    where = ["--data", str(data.path)]
    operations.check(parser.parse(["check", "--wake", "contoso", *where]))
    operations.directory(parser.parse(["directory", "import", str(world), "--dry-run", *where]))
    (check, check_arguments, environment), (directory, directory_arguments, _) = modules
    assert (check, check_arguments) == ("shared.admin.check", ["--wake", "contoso"])
    assert (directory, directory_arguments) == (
        "shared.admin.directory_import",
        [str(world), "--dry-run"],
    )
    assert environment["MAIL_ENDPOINT"] == addresses.mail_url
    assert (
        f"TableEndpoint=http://127.0.0.1:{addresses.azurite.table}/"
        in environment["TABLES_CONNECTION_STRING"]
    )


def test_check_uses_the_service_that_the_environment_configures(tmp_path, modules, monkeypatch):
    monkeypatch.setenv("TABLES_ENDPOINT", "https://records.table.example")
    options = parser.parse(["check", "--restart", "--data", str(tmp_path / "nothing runs here")])
    assert operations.check(options) == 0
    assert modules == [("shared.admin.check", ["--restart"], None)]


def test_migrate_uses_the_service_that_the_environment_configures(tmp_path, modules, monkeypatch):
    """A service elsewhere may still run, so its silence is waited for."""
    monkeypatch.setenv("TABLES_ENDPOINT", "https://records.table.example")
    options = parser.parse(["migrate", "--data", str(tmp_path / "nothing is here")])
    assert operations.migrate(options) == 0
    assert modules == [("shared.admin.migrate", [], None)]


def test_demo_plays_against_the_running_service(service, modules):
    data, addresses = service
    operations.demo(parser.parse(["demo", "--data", str(data.path)]))
    where = ["--url", addresses.url, "--controls", addresses.controls, "--data", str(data.path)]
    assert modules == [("samples.demo", where, None)]


def test_demo_plays_against_a_given_url(tmp_path, modules):
    url = "http://127.0.0.1:9"
    operations.demo(parser.parse(["demo", "--url", url, "--data", str(tmp_path)]))
    where = ["--url", url, "--controls", url, "--data", str(tmp_path)]
    assert modules == [("samples.demo", where, None)]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["run", "--prot", "1"],
        ["run", "--port", "x"],
        ["run", "--port", "70000"],
        ["directory", "import", "none.json"],
        ["lint", "x"],
    ],
)
def test_a_mistake_on_the_command_line_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        parser.parse(arguments)
    assert ended.value.code == 2
    assert "usage: dev.py" in capsys.readouterr().err


def test_old_pythons_can_read_dev_py():
    ast.parse((PROJECT / "dev.py").read_text(), feature_version=(3, 8))


def test_an_old_python_gets_a_message_with_the_needed_version():
    old = "import runpy, sys; sys.version_info = (3, 9, 2, 'final', 0)"
    script = f"{old}; runpy.run_path('dev.py', run_name='__main__')"
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (2, "dev.py needs Python 3.11 or newer; this is 3.9.\n")


def test_what_runs_before_the_environment_exists_needs_only_the_standard_library():
    script = "import localcloud.commands.bootstrap, localcloud.commands.parser, sys; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-S", "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    top = {name.partition(".")[0] for name in result.stdout.split()}
    assert top - set(sys.stdlib_module_names) <= {"localcloud", "__main__"}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with empty lock files; records the commands that run, and creates environments with fake Pythons."""
    for name in (bootstrap.DEVELOPMENT, bootstrap.DEPLOYMENT):
        (tmp_path / name).write_text("")
    ran = []

    def run_with_progress(title, command, **_rest):
        ran.append(title)
        if "venv" in command:
            python = Path(command[-1]) / "bin" / "python"
            python.parent.mkdir(parents=True, exist_ok=True)
            python.write_text("#!/bin/sh\nexit 0\n")
            python.chmod(python.stat().st_mode | stat.S_IXUSR)

    monkeypatch.setattr(bootstrap, "run_with_progress", run_with_progress)
    return tmp_path, ran


def prepare(path):
    bootstrap.prepare(path / ".venv", path / bootstrap.DEVELOPMENT, sys.executable)


def test_the_environment_is_made_once_and_installed_once_per_lock(project):
    path, ran = project
    for _ in range(2):
        prepare(path)
    assert ran == ["Making the virtual environment .venv", "Installing the locked packages"]
    (path / bootstrap.DEVELOPMENT).write_text("# changed")
    prepare(path)
    assert ran[2:] == ["Installing the locked packages"]


def test_an_environment_whose_python_is_gone_is_recreated(project):
    path, ran = project
    prepare(path)
    (path / ".venv" / "bin" / "python").unlink()
    prepare(path)
    assert ran[2:] == ["Making the virtual environment .venv", "Installing the locked packages"]


def test_the_error_for_a_python_without_venv_says_what_to_install(project, monkeypatch):
    path, ran = project
    monkeypatch.setattr(bootstrap, "find_spec", lambda _name: None)
    with pytest.raises(InstallError, match="apt install python3-venv"):
        prepare(path)
    assert ran == []


def test_deployed_packages_and_test_packages_are_in_separate_environments(project, monkeypatch):
    path, ran = project
    monkeypatch.setattr(bootstrap, "deployed_python", lambda: Path("/opt/python3.13"))
    assert bootstrap.deployed_environment(project=path) == path / ".venv-3.13"
    assert bootstrap.deployed_environment(bootstrap.DEVELOPMENT, path) == path / ".venv-3.13-dev"
    assert [title for title in ran if "Making" in title] == [
        "Making the virtual environment .venv-3.13",
        "Making the virtual environment .venv-3.13-dev",
    ]


def test_without_productions_python_the_error_is_one_line(project, monkeypatch):
    path, ran = project
    monkeypatch.setattr(bootstrap, "deployed_python", lambda: None)
    with pytest.raises(
        InstallError, match=r"Python 3\.13, which the app is deployed on, is not on this machine"
    ):
        bootstrap.deployed_environment(project=path)
    assert ran == []


def test_without_samples_a_person_must_be_given_by_ids(tmp_path):
    with pytest.raises(UnknownCallerError, match=r"Give TENANT_ID/OBJECT_ID\."):
        find_caller("rae@contoso.com", tmp_path / "none.json")
