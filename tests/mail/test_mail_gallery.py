"""Every message in both languages with the sample world: whole, and fit to be looked at."""

from html.parser import HTMLParser
from typing import get_args

import pytest

from samples.mail_gallery import SampleMail, sample_mails
from shared.domain.messages import CUSTOMER_MAILS, MailKind
from shared.mail.rendering import TEXT_WIDTH, available_languages, display_width

LINK = "http://portal.example/referrals/00000000-0000-7000-8000-000000000000"
GALLERY = list(sample_mails("http://portal.example"))


class Colors(HTMLParser):
    """The elements that have a colour of their own, and whether the dark style may change it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fixed: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        style = attributes.get("style") or ""
        if ("color:" in style or "background:" in style) and not attributes.get("class"):
            self.fixed.append(tag)


def test_the_gallery_has_every_kind_in_every_language() -> None:
    shown = {(picture.kind, picture.language) for picture in GALLERY}
    assert shown == {(kind, language) for kind in get_args(MailKind) for language in available_languages()}


@pytest.mark.parametrize("picture", GALLERY, ids=lambda p: f"{p.kind}-{p.language}")
def test_a_mail_of_the_sample_world_is_whole(picture: SampleMail) -> None:
    mail = picture.mail
    assert mail.subject.strip() == mail.subject
    assert ("ERP renewal" in mail.subject) == (picture.kind not in CUSTOMER_MAILS), "M7"
    for part in (mail.text, mail.html):
        assert "{{" not in part
        assert "None" not in part
        assert (LINK in part) == (picture.kind not in CUSTOMER_MAILS)
    assert max(display_width(line) for line in mail.text.splitlines() if line != LINK) <= TEXT_WIDTH
    assert f'lang="{picture.language}"' in mail.html


@pytest.mark.parametrize("picture", GALLERY, ids=lambda p: f"{p.kind}-{p.language}")
def test_every_colour_can_follow_the_dark_style(picture: SampleMail) -> None:
    assert Colors(picture.mail.html).fixed == []
