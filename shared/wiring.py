"""The composition root: builds the clients and repositories once per process, on first use, not at import."""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from azure.communication.email.aio import EmailClient
from azure.core.credentials import AzureKeyCredential
from azure.core.pipeline.transport import AioHttpTransport
from azure.data.tables.aio import TableServiceClient

from shared import clock
from shared.auth.callers import Callers
from shared.auth.rate_limits import RateLimits
from shared.auth.tokens import SigningKeys, TokenVerifier, fetch_from
from shared.domain.ids import OperationId
from shared.errors import ConfigurationError
from shared.mail.daily_limit import DailyLimit
from shared.mail.delivery import Delivery
from shared.mail.gate import MailGate
from shared.mail.notices import Notices
from shared.mail.readers import MailReaders
from shared.mail.service import CONNECT_SECONDS as MAIL_CONNECT_SECONDS
from shared.mail.service import READ_SECONDS as MAIL_READ_SECONDS
from shared.mail.service import AzureMailService, MailService
from shared.settings import Settings, TableAccount, read_limits, read_settings
from shared.storage.applications import Applications
from shared.storage.azure_errors import CONNECT_SECONDS, READ_SECONDS, RETRIES
from shared.storage.azure_tables import AzureTables
from shared.storage.choices import Choices
from shared.storage.claims import claim, hub_claim, tables_claim
from shared.storage.directory import Directory
from shared.storage.directory_search import DirectorySearch
from shared.storage.engagements import Engagements
from shared.storage.heartbeats import Heartbeats
from shared.storage.idempotency import IdempotencyKeys
from shared.storage.inquiries import Inquiries
from shared.storage.intents import Intents
from shared.storage.locations import Locations
from shared.storage.mail import MailRecords
from shared.storage.mailboxes import Mailboxes
from shared.storage.people import People
from shared.storage.profiles import Profiles
from shared.storage.provider_search import ProviderSearch
from shared.storage.quotas import Quotas
from shared.storage.referrals import Referrals
from shared.storage.registrations import Registrations
from shared.storage.routing import Routing
from shared.storage.schema import prepare_storage
from shared.storage.tables import Tables
from shared.workflow.announce import Announcements
from shared.workflow.commit import Commits
from shared.workflow.conversations import Conversations
from shared.workflow.due_work import DueWork
from shared.workflow.follow_up import Background, FollowUps
from shared.workflow.intake import Intake
from shared.workflow.invitations import Invitations
from shared.workflow.mail_reports import Reports
from shared.workflow.perform import Performer
from shared.workflow.purge import Purge
from shared.workflow.sweep import Sweep
from shared.workflow.visibility import Visibility

if TYPE_CHECKING:
    from azure.identity.aio import DefaultAzureCredential

    from shared.storage.task_hub import TaskHub


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Everything that triggers and activities use."""

    settings: Settings
    tables: Tables
    callers: Callers
    directory: Directory
    directory_search: DirectorySearch
    people: People
    locations: Locations
    applications: Applications
    referrals: Referrals
    idempotency_keys: IdempotencyKeys
    engagements: Engagements
    quotas: Quotas
    intents: Intents
    commits: Commits
    invitations: Invitations
    intake: Intake
    inquiries: Inquiries
    choices: Choices
    registrations: Registrations
    profiles: Profiles
    providers: ProviderSearch
    routing: Routing
    reports: Reports
    visibility: Visibility
    conversations: Conversations
    follow_ups: FollowUps
    due_work: DueWork
    sweep: Sweep
    heartbeats: Heartbeats
    purge: Purge


def assemble(
    settings: Settings,
    tables: Tables,
    mail: MailService,
    wall_clock: Callable[[], datetime] = clock.wall_clock,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Service:
    """Build the service on the given tables, mail service, wall clock and pause; tests pass their own."""
    directory = Directory(tables)
    referrals, engagements, intents = Referrals(tables), Engagements(tables), Intents(tables)
    records = MailRecords(tables)
    announcements = Announcements(intents=intents, wall_clock=wall_clock)
    idempotency_keys = IdempotencyKeys(tables)
    commits = Commits(
        referrals=referrals,
        engagements=engagements,
        idempotency_keys=idempotency_keys,
        announcements=announcements,
        new_operation_id=new_operation_id,
    )
    heartbeats = Heartbeats(tables)
    invitations = Invitations(
        referrals=referrals, engagements=engagements, announcements=announcements, commits=commits
    )
    visibility, background = Visibility(referrals), Background()
    inquiries, profiles, routing = Inquiries(tables), Profiles(tables), Routing(tables)
    choices = Choices(tables)
    registrations = Registrations(tables)
    providers = ProviderSearch(profiles, directory, referrals)
    intake = Intake(
        inquiries=inquiries,
        idempotency_keys=idempotency_keys,
        referrals=referrals,
        engagements=engagements,
        announcements=announcements,
        commits=commits,
    )
    verifier = TokenVerifier(
        SigningKeys(fetch_from(settings.auth_jwks_url)), settings.auth_issuer, settings.auth_audience
    )
    delivery = Delivery(
        records=records,
        service=mail,
        gate=MailGate(records, wall_clock),
        limit=DailyLimit(Mailboxes(tables), settings.limits.customer_mails_per_day),
        wall_clock=wall_clock,
        lease=settings.mail_lease,
    )
    notices = Notices(
        referrals=referrals,
        readers=MailReaders(
            directory=directory, profiles=profiles, registrations=registrations, routing=routing
        ),
        providers=providers,
        choices=choices,
        registrations=registrations,
        records=records,
        delivery=delivery,
        portal_url=settings.portal_url,
    )
    performer = Performer(
        referrals=referrals,
        commits=commits,
        invitations=invitations,
        intake=intake,
        registrations=registrations,
        visibility=visibility,
        notices=notices,
        choices=choices,
        wall_clock=wall_clock,
    )
    due_work = DueWork(commits=commits, performer=performer, intents=intents, wall_clock=wall_clock)
    conversations = Conversations(
        referrals=referrals,
        engagements=engagements,
        intents=intents,
        commits=commits,
        notices=notices,
        wall_clock=wall_clock,
    )
    return Service(
        settings=settings,
        tables=tables,
        callers=Callers(verifier, directory, clock.now),
        directory=directory,
        directory_search=DirectorySearch(tables),
        people=People(tables, directory),
        locations=Locations(tables, directory),
        applications=Applications(tables, directory),
        referrals=referrals,
        idempotency_keys=idempotency_keys,
        engagements=engagements,
        quotas=Quotas(tables, settings.limits),
        intents=intents,
        commits=commits,
        invitations=invitations,
        intake=intake,
        inquiries=inquiries,
        choices=choices,
        registrations=registrations,
        profiles=profiles,
        providers=providers,
        routing=routing,
        reports=Reports(records, commits),
        visibility=visibility,
        conversations=conversations,
        follow_ups=FollowUps(performer=performer, intents=intents, background=background),
        due_work=due_work,
        sweep=Sweep(
            referrals=referrals,
            registrations=registrations,
            intents=intents,
            due_work=due_work,
            background=background,
            conversations=conversations,
            heartbeats=heartbeats,
            wall_clock=wall_clock,
            pause=pause,
        ),
        heartbeats=heartbeats,
        purge=Purge(wall_clock=wall_clock),
    )


def new_operation_id() -> OperationId:
    """A new random operation id."""
    return OperationId(str(uuid.uuid4()))


class Wiring:
    """Holds the `Service` of a process and builds it on first use."""

    def __init__(self) -> None:
        self._service: Service | None = None
        self._building: asyncio.Task[Service] | None = None
        self._task_hub: TaskHub | None = None
        self._rate_limits: RateLimits | None = None

    async def service(self) -> Service:
        """The service of this process, on storage that its slot has claimed.

        Raises `ConfigurationError`, `ClaimedByAnotherSlot`, `DataOfAnotherVersion`, or `StoreUnavailable` while
        storage does not answer.
        Concurrent callers share one attempt; it continues if one of them is cancelled.
        """
        if self._service is None:
            if self._building is None or self._building.done():
                self._building = asyncio.create_task(self._build())
                self._building.add_done_callback(_retrieve_exception)
            self._service = await asyncio.shield(self._building)
        return self._service

    def rate_limits(self) -> RateLimits:
        """The limits on requests of this process, which need no storage. Raises `ConfigurationError`."""
        if self._rate_limits is None:
            self._rate_limits = RateLimits(read_limits())
        return self._rate_limits

    def task_hub(self, settings: Settings) -> "TaskHub | None":
        """The task hub, for health checks; None if it is not in Azure Storage."""
        if self._task_hub is None and settings.hub and settings.hub_partitions:
            self._task_hub = _task_hub(settings.hub, settings.hub_name, settings.hub_partitions)
        return self._task_hub

    async def _build(self) -> Service:
        # The clients log the URL of each request, and URLs contain ids of people and organizations.
        logging.getLogger("azure").setLevel(logging.WARNING)
        settings = read_settings()
        tables = AzureTables(table_service(settings))
        try:
            await claim(tables, tables_claim(settings.tables.setting), settings.slot)
            await _claim_hub(settings, tables)
            await prepare_storage(tables)
        except BaseException:
            await tables.close()
            raise
        return assemble(settings, tables, AzureMailService(email_client(settings), settings.mail_sender))


def _retrieve_exception(building: asyncio.Task[Service]) -> None:
    """Mark a failure as retrieved: asyncio logs an error if every caller has stopped waiting."""
    if not building.cancelled():
        building.exception()


async def _claim_hub(settings: Settings, tables: AzureTables) -> None:
    """Claim the task hub in its account, which may be the account of the tables."""
    if settings.hub is None:
        raise ConfigurationError(
            "Set AzureWebJobsStorage, or with the app's identity AzureWebJobsStorage__accountName or "
            "AzureWebJobsStorage__tableServiceUri, to the account of the task hub."
        )
    shared = settings.hub == settings.tables
    account = tables if shared else AzureTables(tables_client(settings.hub))
    try:
        await claim(account, hub_claim(settings.hub_name, settings.hub.setting), settings.slot)
    finally:
        if not shared:
            await account.close()


def _task_hub(account: TableAccount, name: str, partitions: int) -> "TaskHub":
    # Imported only for /healthz: the queue client is a slow import that nothing else needs.
    from azure.storage.queue.aio import QueueServiceClient  # noqa: PLC0415

    from shared.storage.task_hub import AzureTaskHub  # noqa: PLC0415

    if account.connection_string:
        queues = QueueServiceClient.from_connection_string(account.connection_string, **_options())
    elif account.queue_endpoint:
        queues = QueueServiceClient(account.queue_endpoint, _identity(), **_options())
    else:
        raise ConfigurationError(
            f"Set {account.setting}__accountName, or {account.setting}__queueServiceUri to the address of its queues."
        )
    return AzureTaskHub(tables_client(account), queues, name, partitions)


wiring = Wiring()


def _options() -> dict[str, Any]:
    """The options of a client of a storage account, with a transport of its own."""
    return {
        "transport": _transport(CONNECT_SECONDS, READ_SECONDS),
        "retry_total": RETRIES,
        "logging_enable": False,
    }


def table_service(settings: Settings) -> TableServiceClient:
    """The client of the service's tables."""
    return tables_client(settings.tables)


def tables_client(account: TableAccount) -> TableServiceClient:
    """The client of an account's tables, by connection string or by the app's identity."""
    options = _options()
    if account.connection_string:
        return TableServiceClient.from_connection_string(account.connection_string, **options)
    if not account.endpoint:
        raise ConfigurationError(f"Set {account.setting} to the address of an account's tables.")
    return TableServiceClient(endpoint=account.endpoint, credential=_identity(), **options)


def email_client(settings: Settings) -> EmailClient:
    """The client of the mail service. It does not retry: `shared.mail.delivery` decides about retries."""
    credential = AzureKeyCredential(settings.mail_access_key) if settings.mail_access_key else _identity()
    return EmailClient(
        settings.mail_endpoint,
        credential,
        retry_total=0,
        transport=_transport(MAIL_CONNECT_SECONDS, MAIL_READ_SECONDS),
    )


def _transport(connect_seconds: int, read_seconds: int) -> AioHttpTransport:
    """HTTP without the settings of the environment, which are looked up for each request (`netrc`, proxies).

    A client with a transport of its own ignores the client's options for time limits.
    """
    return AioHttpTransport(
        use_env_settings=False, connection_timeout=connect_seconds, read_timeout=read_seconds
    )


def _identity() -> "DefaultAzureCredential":
    """The app's identity. Imported on use, because it is a slow import that local runs do not need."""
    from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415

    return DefaultAzureCredential(connection_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS)
