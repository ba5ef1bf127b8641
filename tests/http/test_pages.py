"""What browsers are told about responses and pages: to run nothing of others, and to show them in no other page."""

import re
import shutil
import subprocess
from base64 import b64encode
from hashlib import sha256

import httpx
import pytest

from tests.live import REFERRALS, Service, private

SAFE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}


def policy_of(answer: httpx.Response) -> dict[str, str]:
    """The directives of the content security policy."""
    parts = answer.headers["Content-Security-Policy"].split(";")
    return {name: sources for name, _, sources in (part.strip().partition(" ") for part in parts)}


def test_every_response_of_the_api_says_that_it_is_no_page(service: Service) -> None:
    """Errors too, and without a token."""
    for answer in (
        service.rae.get(REFERRALS),
        service.rae.get(f"{REFERRALS}/nothing"),
        service.http.get(service.stack.url + REFERRALS),
        service.http.get(f"{service.stack.url}/healthz"),
        service.http.get(f"{service.stack.url}/v1.0/openapi.json"),
    ):
        assert {name: answer.headers.get(name) for name in SAFE} == SAFE
        policy = policy_of(answer)
        assert (policy["default-src"], policy["frame-ancestors"]) == ("'none'", "'none'")
        assert "script-src" not in policy


def test_the_page_of_the_contract_may_run_its_own_script_alone(service: Service) -> None:
    page = service.http.get(f"{service.stack.url}/docs")
    assert {name: page.headers.get(name) for name in SAFE} == SAFE
    policy = policy_of(page)
    assert policy["default-src"] == "'none'"
    for element, directive in (("script", "script-src"), ("style", "style-src")):
        (content,) = re.findall(f"<{element}>(.*?)</{element}>", page.text, re.DOTALL)
        assert policy[directive] == f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"


@pytest.mark.skipif(shutil.which("chromium") is None, reason="There is no chromium on PATH.")
@pytest.mark.parametrize("path", ["/docs#getReferral", "/admin/devhost"])
def test_a_browser_runs_the_pages_own_script_and_finds_nothing_forbidden(service: Service, path: str) -> None:
    if path.startswith("/admin") and service.stack.host.name != "devhost":
        pytest.skip("The page is devhost's.")
    browser = subprocess.run(
        [
            "chromium",
            *("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0"),
            *("--virtual-time-budget=5000", "--dump-dom", service.stack.url + path),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "Content Security Policy" not in browser.stderr
    if path.startswith("/docs"):
        assert re.search(r'<details id="getReferral" open', browser.stdout)
    else:
        assert "list_referrals" in browser.stdout


def test_links_lead_to_the_services_own_address_whatever_the_client_calls_it(service: Service) -> None:
    """A cache or a log could spread an address that an attacker chose."""
    for number in range(2):
        service.rae.create(private(f"Page {number}"))
    answer = service.rae.get(
        f"{REFERRALS}?$top=1", headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    )
    assert answer.status_code == 200
    body = answer.json()
    assert body["@odata.nextLink"].startswith(f"{service.stack.url}{REFERRALS}?")
    assert body["@odata.context"].startswith(service.stack.url)
    assert "evil" not in answer.text
    assert service.rae.call("GET", body["@odata.nextLink"].removeprefix(service.stack.url)).status_code == 200
