from html.parser import HTMLParser
from urllib.parse import urlencode

import pytest

from localcloud.mail.reports import Report
from localcloud.mail.store import MailStore

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


async def test_an_empty_list_says_so(page):
    text, _ = await page(VIEW)
    assert "No mails yet" in text


async def test_the_list_shows_the_newest_first_with_links(client, page, a_message):
    for subject in ("one", "two"):
        await client.begin_send(a_message(subject=subject), polling=False)
    text, _ = await page(VIEW)
    assert [link["href"] for link in Elements(text).named("a")] == [f"{VIEW}/2", f"{VIEW}/1"]
    assert text.index("two") < text.index("one</span>")


async def test_a_long_list_continues_with_older_mails(client, page, a_message):
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


async def test_the_content_of_a_mail_is_escaped(client, page, a_message):
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
async def test_the_page_of_an_unknown_mail_links_back(page, number):
    text, _ = await page(f"{VIEW}/{number}", status=404)
    assert [link["href"] for link in Elements(text).named("a")] == [VIEW]


THREAD = "<deal-1@referrals.example>"


def in_thread(message, thread=THREAD):
    return {**message, "headers": {"References": thread}}


async def test_the_list_shows_the_mails_to_one_address_and_says_so(client, page, a_message):
    for address in ("rae@contoso.com", "lee@fabrikam.com", "rae@contoso.com"):
        await client.begin_send(a_message(address), polling=False)
    text, _ = await page(f"{VIEW}?to=RAE%40contoso.com")
    assert [link["href"] for link in Elements(text).named("a")] == [VIEW, f"{VIEW}/3", f"{VIEW}/1"]
    assert "<h1>Mails to RAE@contoso.com</h1>" in text


async def test_an_address_without_mails_has_a_list_that_says_so(client, page, a_message):
    await client.begin_send(a_message(), polling=False)
    text, _ = await page(f"{VIEW}?to=kim%40contoso.com")
    assert "No such mails" in text


async def test_a_long_list_to_one_address_continues_with_older_mails_to_it(client, page, a_message):
    await client.begin_send(a_message("lee@fabrikam.com"), polling=False)
    for _ in range(101):
        await client.begin_send(a_message(), polling=False)
    narrowed = f"{VIEW}?to=rae%40contoso.com"
    first, _ = await page(narrowed)
    assert Elements(first).named("a")[-1]["href"] == f"{narrowed}&before=3"
    rest, _ = await page(f"{narrowed}&before=3")
    assert [link["href"] for link in Elements(rest).named("a")] == [VIEW, f"{VIEW}/2", narrowed]


async def test_a_mail_links_to_its_thread_and_to_its_recipients_mails(client, page, a_message):
    await client.begin_send(in_thread(a_message()), polling=False)
    await client.begin_send(in_thread(a_message(), "<deal-2@referrals.example>"), polling=False)
    await client.begin_send(in_thread(a_message("lee@fabrikam.com")), polling=False)
    detail, _ = await page(f"{VIEW}/1")
    assert "&lt;deal-1@referrals.example&gt;" in detail
    back, to, thread = (link["href"] for link in Elements(detail).named("a"))
    assert (back, to) == (VIEW, f"{VIEW}?to=rae%40contoso.com")
    listed, _ = await page(thread)
    assert [link["href"] for link in Elements(listed).named("a")] == [VIEW, f"{VIEW}/3", f"{VIEW}/1"]
    assert "<h1>Mails of one thread</h1>" in listed


async def test_a_mail_without_a_thread_has_no_thread_link(client, page, a_message):
    await client.begin_send(a_message(), polling=False)
    assert "thread" not in (await page(f"{VIEW}/1"))[0]


async def test_the_filters_of_the_list_are_escaped(page):
    text, _ = await page(f"{VIEW}?{urlencode({'to': ATTACK, 'thread': ATTACK})}")
    assert Elements(text).named("script") == []


async def test_delivery_reports_are_a_table_with_headers_and_are_in_the_list(
    client, page, a_message, tmp_path
):
    await client.begin_send(a_message(), polling=False)
    store = MailStore(tmp_path / "data" / "mail" / "mail.sqlite")
    store.keep_report(1, Report("rae@contoso.com", "Bounced", ATTACK))
    store.close()
    detail, _ = await page(f"{VIEW}/1")
    elements = Elements(detail)
    assert [header["scope"] for header in elements.named("th")] == ["col", "col", "col", "row"]
    assert "Bounced" in detail
    assert elements.named("script") == []
    assert "Bounced" in (await page(VIEW))[0]


async def test_a_mail_without_reports_shows_no_table(client, page, a_message):
    await client.begin_send(a_message(), polling=False)
    assert Elements((await page(f"{VIEW}/1"))[0]).named("table") == []


@pytest.mark.parametrize(
    ("html", "language"),
    [
        ('<!doctype html>\n<html dir="ltr" lang="ko"><p>x</p></html>', "ko"),
        ("<HTML LANG=pt-BR><p>x</p></HTML>", "pt-BR"),
        ('<p lang="ko">x</p>', ""),
        ('<html lang="&quot; onload=alert(1)"><p>x</p>', ""),
        ("<p>x</p>", ""),
    ],
)
async def test_the_text_of_a_mail_has_the_mails_language_and_the_page_its_own(
    client, page, a_message, html, language
):
    await client.begin_send(a_message(html=html), polling=False)
    elements = Elements((await page(f"{VIEW}/1"))[0])
    for tag in ("h1", "iframe", "pre"):
        (element,) = elements.named(tag)
        assert element["lang"] == language
    assert elements.named("html") == [{"lang": "en"}]


async def test_the_frame_of_a_mail_is_named_by_its_heading(client, page, a_message):
    await client.begin_send(a_message(html="<p>x</p>"), polling=False)
    elements = Elements((await page(f"{VIEW}/1"))[0])
    (frame,) = elements.named("iframe")
    assert frame["aria-labelledby"] in {heading.get("id") for heading in elements.named("h2")}
