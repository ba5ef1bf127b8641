"""Record in a timeline that a mail was refused for good (M6)."""

from datetime import datetime

from shared.domain.change import Change, CommandContext
from shared.domain.ids import derived_operation
from shared.domain.lifecycle import record_failed_mail
from shared.domain.referral import Referral
from shared.mail.notices import Undeliverable
from shared.storage.known_referrals import KnownReferrals
from shared.workflow.commit import Commits


async def record_refusal(
    commits: Commits,
    mail: Undeliverable,
    now: datetime,
    known: KnownReferrals,
    since: int | None = None,
) -> None:
    """Append the entry to the reader's timeline, once. `since` is that of `append_entry_once`; raises as it does."""

    def failed(referral: Referral, context: CommandContext) -> Change:
        return record_failed_mail(referral, mail.message, mail.address, mail.reason, context)

    operation_id = derived_operation("mailRefused", mail.operation_id)
    await commits.append_entry_once(mail.reader, operation_id, failed, now, known=known, since=since)
