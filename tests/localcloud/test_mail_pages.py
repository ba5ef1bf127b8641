from html.parser import HTMLParser

import pytest

VIEW = "/admin/devhost/mail/view"
ATTACK = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>"


class Elements(HTMLParser):
    """The elements of a page with their attributes, as a browser parses them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def named(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture
def page(http):
    async def read(path, status=200):
        async with http.get(path) as answer:
            assert (answer.status, answer.content_type) == (status, "text/html")
            return await answer.text(), answer.headers

    return read


async def test_without_mails_the_list_says_so(page):
    text, _ = await page(VIEW)
    assert "No mails yet" in text


async def test_the_list_shows_the_newest_first_with_links(client, page, a_message):
    for subject in ("one", "two"):
        await client.begin_send(a_message(subject=subject), polling=False)
    text, _ = await page(VIEW)
    assert [link["href"] for link in Elements(text).named("a")] == [f"{VIEW}/2", f"{VIEW}/1"]
    assert text.index("two") < text.index("one</span>")


async def test_a_long_list_goes_on_with_older_mails(client, page, a_message):
    for _ in range(101):
        await client.begin_send(a_message(), polling=False)
    first, _ = await page(VIEW)
    assert Elements(first).named("a")[-1]["href"] == f"{VIEW}?before=2"
    rest, _ = await page(f"{VIEW}?before=2")
    assert [link["href"] for link in Elements(rest).named("a")] == [f"{VIEW}/1", VIEW]


async def test_a_mail_is_shown_with_its_headers_and_both_parts(client, page, a_message):
    message = a_message("rae@contoso.com", html="<p>Please <b>look</b>.</p>")
    message["recipients"]["cc"] = [{"address": "lee@fabrikam.com", "displayName": "Lee"}]
    message["headers"] = {"X-Referral": "r-1"}
    await client.begin_send(message, polling=False, operation_id="op-1")
    text, _ = await page(f"{VIEW}/1")
    for shown in (
        "rae@contoso.com",
        "Lee &lt;lee@fabrikam.com&gt;",
        "X-Referral",
        "op-1, sent once",
        "Please look.",
    ):
        assert shown in text
    (frame,) = Elements(text).named("iframe")
    assert frame["srcdoc"].startswith("<p>Please <b>look</b>.</p>")


async def test_what_a_mail_carries_stays_text(client, page, a_message):
    message = a_message(subject=ATTACK, plainText=ATTACK, html=ATTACK)
    message["recipients"]["cc"] = [{"address": "lee@fabrikam.com", "displayName": ATTACK}]
    message["headers"] = {ATTACK: ATTACK}
    await client.begin_send(message, polling=False)
    for path in (VIEW, f"{VIEW}/1"):
        elements = Elements((await page(path))[0])
        assert elements.named("script") == []
        assert elements.named("img") == []
    (frame,) = elements.named("iframe")
    assert frame["srcdoc"].startswith(ATTACK)


async def test_the_html_part_may_neither_run_scripts_nor_load_anything(client, page, a_message):
    await client.begin_send(a_message(html="<p>x</p>"), polling=False)
    text, headers = await page(f"{VIEW}/1")
    (frame,) = Elements(text).named("iframe")
    assert not {"allow-scripts", "allow-same-origin", "allow-forms"} & set(frame["sandbox"].split())
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "img-src data:;" in policy


@pytest.mark.parametrize("number", ["1", "999999999999"])
async def test_a_mail_that_is_not_there_has_a_page_that_leads_back(page, number):
    text, _ = await page(f"{VIEW}/{number}", status=404)
    assert [link["href"] for link in Elements(text).named("a")] == [VIEW]
