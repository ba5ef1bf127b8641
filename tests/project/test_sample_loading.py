"""The sample world never meets a mail service that could reach real mailboxes."""

import pytest

from samples.load import NotOnLoopback, require_loopback


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:7072", "http://localhost:1", "http://[::1]:5", "http://127.9.9.9"]
)
def test_a_mail_endpoint_on_loopback_is_fine(endpoint: str) -> None:
    require_loopback(endpoint)


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://contoso.communication.azure.com",
        "http://10.0.0.1",
        "http://127.0.0.1.example.com",
        "",
        "127.0.0.1:80",
    ],
)
def test_any_other_is_refused_with_a_sentence(endpoint: str) -> None:
    with pytest.raises(NotOnLoopback, match="--no-samples"):
        require_loopback(endpoint)
