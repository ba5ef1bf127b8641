import hmac
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256

import pytest

from localcloud.mail.refusals import RefusedError
from localcloud.mail.signatures import SignedRequest, http_date, verify

KEY = b"the access key"
NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def signed(*, key: bytes = KEY, sent: datetime = NOW, body: bytes = b'{"a": 1}') -> SignedRequest:
    date, target, host = (
        format_datetime(sent, usegmt=True),
        "/emails:send?api-version=2025-09-01",
        "127.0.0.1:7072",
    )
    digest = b64encode(sha256(body).digest()).decode()
    text = f"POST\n{target}\n{date};{host};{digest}"
    signature = b64encode(hmac.new(key, text.encode(), sha256).digest()).decode()
    headers = {
        "Host": host,
        "x-ms-date": date,
        "x-ms-content-sha256": digest,
        "Authorization": f"HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={signature}",
    }
    return SignedRequest("POST", target, headers, body)


def refusal(request: SignedRequest, now: datetime = NOW) -> str:
    with pytest.raises(RefusedError) as refused:
        verify(request, key=KEY, now=now)
    assert (refused.value.status, refused.value.code) == (401, "Denied")
    return refused.value.message


def test_a_request_signed_with_the_key_is_accepted():
    verify(signed(), key=KEY, now=NOW)


def test_another_key_is_refused():
    assert "access key" in refusal(signed(key=b"another key"))


def test_a_changed_body_is_refused():
    assert "hash of the received body" in refusal(replace(signed(), body=b'{"a": 2}'))


def test_a_changed_body_whose_hash_was_changed_as_well_is_refused():
    request = replace(signed(), body=b"other")
    digest = b64encode(sha256(b"other").digest()).decode()
    assert "signature" in refusal(
        replace(request, headers={**request.headers, "x-ms-content-sha256": digest})
    )


@pytest.mark.parametrize(
    "change",
    [
        {"method": "GET"},
        {"target": "/emails:send?api-version=2023-03-31"},
        {"target": "/emails%3Asend?api-version=2025-09-01"},
    ],
)
def test_the_signature_covers_verb_and_raw_target(change):
    assert "signature" in refusal(replace(signed(), **change))


def test_the_signature_covers_the_host_with_its_port():
    request = signed()
    assert "signature" in refusal(replace(request, headers={**request.headers, "Host": "127.0.0.1"}))


@pytest.mark.parametrize("minutes", [-5, 5])
def test_five_minutes_of_skew_are_allowed(minutes):
    verify(signed(), key=KEY, now=NOW + timedelta(minutes=minutes))


@pytest.mark.parametrize("seconds", [-301, 301])
def test_more_than_five_minutes_of_skew_are_refused(seconds):
    assert "x-ms-date" in refusal(signed(), now=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("header", ["Authorization", "x-ms-date", "x-ms-content-sha256"])
def test_a_request_without_one_of_the_headers_is_refused(header):
    request = signed()
    refusal(
        replace(request, headers={name: text for name, text in request.headers.items() if name != header})
    )


def test_a_bearer_token_is_not_a_signature():
    request = signed()
    assert "Sign the request" in refusal(
        replace(request, headers={**request.headers, "Authorization": "Bearer x"})
    )


@pytest.mark.parametrize(
    "text", ["", "yesterday", "Sat, 21 Nov 2026 10:00:00 +0900", "Sat, 99 Nov 2026 10:00:00 GMT"]
)
def test_text_that_is_not_an_http_date_is_none(text):
    assert http_date(text) is None
