"""The only place that builds real collaborators: one frozen :class:`Tool`, shared by web, worker and CLI."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

from requests.adapters import BaseAdapter
from sqlalchemy.exc import SQLAlchemyError

from lti_tool import __version__, telemetry
from lti_tool.credentials.multikey import encode_ed25519
from lti_tool.errors import ConfigurationInvalid, ErrorCode, LaunchRefused, PlatformFailed
from lti_tool.keyring import LTI, STATES, Algorithm, Keyring, KeyState, Signer, issuer_purpose, token_purpose
from lti_tool.lti.connector import PlatformConnector
from lti_tool.lti.key_sets import KeySets
from lti_tool.lti.launch import LaunchValidator
from lti_tool.lti.notices import NoticeReader
from lti_tool.lti.oidc import LoginRedirect, begin_login, named_registration
from lti_tool.outbound import Answer, Outbound, OutboundPolicy
from lti_tool.queue import Queue
from lti_tool.services.addresses import PublicUrls
from lti_tool.services.administering import Administering
from lti_tool.services.attesting import Attesting
from lti_tool.services.awarding import Awarding
from lti_tool.services.call_budgets import CallBudgets
from lti_tool.services.checking import Checking
from lti_tool.services.columns import Columns
from lti_tool.services.configuring import Configuring
from lti_tool.services.copying import Copying
from lti_tool.services.correcting import Correcting
from lti_tool.services.currency import Currency
from lti_tool.services.deciding import Deciding
from lti_tool.services.doubting import Doubting
from lti_tool.services.editing import Editing
from lti_tool.services.ending_soon import EndingSoon
from lti_tool.services.endorsing import Endorsing
from lti_tool.services.evidence import Submissions
from lti_tool.services.expiring import Expiring
from lti_tool.services.explaining import Explaining
from lti_tool.services.frameworks import Frameworks
from lti_tool.services.freshness import Ages
from lti_tool.services.gating import Gating
from lti_tool.services.health import Health
from lti_tool.services.hosting import Hosting
from lti_tool.services.inviting import Inviting
from lti_tool.services.issuers import Issuers
from lti_tool.services.issuing import Issuing
from lti_tool.services.launching import Launching
from lti_tool.services.matrix import Matrix
from lti_tool.services.milestone_versions import MilestoneVersions
from lti_tool.services.milestones import Milestones
from lti_tool.services.notifying import NOTICES_PATH, Notices
from lti_tool.services.overview import Overview
from lti_tool.services.own_columns import OwnColumns
from lti_tool.services.own_documents import OwnDocuments
from lti_tool.services.pathways import Pathways
from lti_tool.services.persons import Persons
from lti_tool.services.pictures import Pictures
from lti_tool.services.privacy import Privacy
from lti_tool.services.progress import CourseProgress
from lti_tool.services.public import PublicRecords
from lti_tool.services.publishing import Publishing
from lti_tool.services.records import Records
from lti_tool.services.registration import Registrations
from lti_tool.services.reissuing import Reissuing
from lti_tool.services.renewing import Renewing
from lti_tool.services.replaying import Replaying
from lti_tool.services.retroactive import Retroactive
from lti_tool.services.reviews import Reviews
from lti_tool.services.revoking import Revoking
from lti_tool.services.scoring import Scoring
from lti_tool.services.sharing import Sharing
from lti_tool.services.simulating import Simulating
from lti_tool.services.staffing import Staffing
from lti_tool.services.status_lists import StatusLists
from lti_tool.services.syncing import Syncing
from lti_tool.services.tokens import Tokens
from lti_tool.services.transcripts import Transcripts
from lti_tool.services.verifying import Verifier, Verifying
from lti_tool.services.versions import Versions
from lti_tool.services.wallet import Wallet
from lti_tool.settings import Settings
from lti_tool.store.database import Database

Clock = Callable[[], datetime]

JWKS_SECONDS = 5.0
"""A person waits for it: a launch with an unknown key reads the platform's key set once."""
JWKS_BYTES = 256 * 1024

NOT_READY = "not-ready"
"""A file of this name in the data folder keeps a load balancer away: a restore, or the demo's seeding, is
under way."""


@dataclass(frozen=True)
class Tool:
    """Every collaborator and service of one process."""

    settings: Settings
    clock: Clock
    database: Database
    outbound: Outbound
    keyring: Keyring
    queue: Queue
    call_budgets: CallBudgets
    connector: PlatformConnector
    key_sets: KeySets
    launch_validator: LaunchValidator
    registrations: Registrations
    launching: Launching
    configuring: Configuring
    columns: Columns
    copying: Copying
    own_columns: OwnColumns
    syncing: Syncing
    awarding: Awarding
    deciding: Deciding
    gating: Gating
    issuing: Issuing
    status_lists: StatusLists
    own_documents: OwnDocuments
    revoking: Revoking
    reviews: Reviews
    scoring: Scoring
    wallet: Wallet
    progress: CourseProgress
    editing: Editing
    publishing: Publishing
    versions: Versions
    simulating: Simulating
    explaining: Explaining
    matrix: Matrix
    milestones: Milestones
    milestone_versions: MilestoneVersions
    pathways: Pathways
    retroactive: Retroactive
    replaying: Replaying
    attesting: Attesting
    submissions: Submissions
    sharing: Sharing
    tokens: Tokens
    transcripts: Transcripts
    verifying: Verifying
    endorsing: Endorsing
    public: PublicRecords
    hosting: Hosting
    records: Records
    frameworks: Frameworks
    staffing: Staffing
    overview: Overview
    administering: Administering
    issuers: Issuers
    reissuing: Reissuing
    expiring: Expiring
    ending_soon: EndingSoon
    currency: Currency
    renewing: Renewing
    correcting: Correcting
    health: Health
    checking: Checking
    notices: Notices
    privacy: Privacy
    persons: Persons
    pictures: Pictures
    inviting: Inviting

    def begin_login(self, form: Mapping[str, str]) -> LoginRedirect:
        """Step 1 of a launch.

        :raises LaunchRefused: LOGIN_…, REGISTRATION_….
        """
        try:
            return begin_login(
                form, self.registrations, _secret(self.settings), self.clock, self.settings.base_url
            )
        except LaunchRefused as refused:
            if refused.code is not ErrorCode.REGISTRATION_UNKNOWN:
                refused.registration_id = named_registration(form, self.registrations)
            raise

    def readiness(self) -> Mapping[str, str]:
        """What keeps this process from serving launches, by part; empty when it is ready."""
        problems: dict[str, str] = {}
        checks: tuple[tuple[str, Callable[[], object]], ...] = (
            ("database", self.database.require_migrated),
            ("queue", self.queue.length),
            ("keys", lambda: self.keyring.signer(LTI)),
        )
        for part, check in checks:
            try:
                check()
            except ConfigurationInvalid as error:
                problems[part] = error.code.value
            except (OSError, SQLAlchemyError):
                problems[part] = ErrorCode.INTERNAL.value
        if (self.settings.data_dir / NOT_READY).exists():
            problems["data"] = NOT_READY
        return problems

    def close(self) -> None:
        """Give back connections; for commands and tests, which end before their process does."""
        self.health.close()
        self.database.dispose()
        self.queue.close()


def spare_the_collector() -> None:
    """Let Python's garbage collector look at young objects every 50,000 instead of every 700.

    A pass over a university's course makes a million findings, which are no garbage: at Python's own setting
    looking at them takes as long as making them. Garbage in circles is rare here, and waits a little longer.
    """
    gc.set_threshold(50_000, 20, 20)


def build_tool(
    settings: Settings,
    *,
    clock: Clock | None = None,
    mounts: Mapping[str, BaseAdapter] | None = None,
    queue: Queue | None = None,
) -> Tool:
    """Build everything from the settings; nothing is called yet, and nothing is migrated.

    :param clock: aware UTC now; the machine's unless given.
    :param mounts: URL prefix to adapter, instead of the network (tests).
    :param queue: instead of the one of the settings (tests).
    :raises ConfigurationInvalid: SETTINGS_INVALID where the queue cannot be opened.
    """
    clock = clock or _now
    spare_the_collector()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database_url)
    keyring = Keyring(settings.keys_dir, settings.read_keys_passphrase())
    queue = queue or Queue(settings.queue_url)
    outbound = Outbound(
        OutboundPolicy.of(
            settings.outbound_allow, is_development=settings.is_development, base_url=settings.base_url
        ),
        user_agent=f"LTI-Badges/{__version__} (+{settings.base_url})",
        mounts=mounts,
        refuse_in_transaction=settings.is_development or mounts is not None,
        observe=telemetry.observe_outbound,
        clock=clock,
    )
    secret = _secret(settings)
    call_budgets = CallBudgets(database, clock, settings.calls_per_minute)
    ages = Ages(database, clock, call_budgets)
    health = Health(database, clock, writes_by_itself=mounts is None)
    connector = PlatformConnector(outbound, keyring, clock, budget=call_budgets, observer=health)
    key_sets = KeySets(lambda url: ask_for_key_set(outbound, url).body, clock, observer=health)
    urls = PublicUrls(settings.base_url)
    registrations = Registrations(database, clock)
    issuer_keys = IssuerKeyring(keyring)
    issuing = Issuing(database, issuer_keys, clock, urls, queue)
    milestones = Milestones(database, clock, issuing, queue)
    pathways = Pathways(database, clock)
    awarding = Awarding(database, clock, milestones.decide)
    status_lists = StatusLists(database, issuer_keys, clock, urls)
    own_documents = OwnDocuments(issuing, status_lists)
    revoking = Revoking(database, clock, queue)
    doubting = Doubting(database, clock)
    undo = timedelta(hours=settings.review_undo_hours)
    reviews = Reviews(database, clock, queue, revoking, doubting, undo)
    scoring = Scoring(database, connector, clock, queue, awarding, issuing, call_budgets)
    deciding = Deciding(awarding, issuing, scoring, doubting)
    pictures = Pictures(database, clock)
    public = PublicRecords(database, issuing, urls, keyring)
    sharing = Sharing(database, clock, urls)
    tokens = Tokens(database, issuer_keys, urls, sharing)
    transcripts = Transcripts(database, clock, issuing, tokens)
    hosting = Hosting(database, issuing, urls)
    verifying = Verifying(outbound, clock, own_documents, public, tokens, hosting, settings.base_url)
    columns = Columns(database, connector, clock)
    copying = Copying(database, clock, columns)
    own_columns = OwnColumns(database, connector, clock)
    syncing = Syncing(
        database, connector, clock, queue, awarding, issuing, call_budgets, scoring, doubting, own_columns
    )
    return Tool(
        settings=settings,
        clock=clock,
        database=database,
        outbound=outbound,
        keyring=keyring,
        queue=queue,
        call_budgets=call_budgets,
        connector=connector,
        key_sets=key_sets,
        launch_validator=LaunchValidator(registrations, key_sets, clock, secret, settings.base_url),
        registrations=registrations,
        launching=Launching(database, clock, secret),
        configuring=Configuring(database, clock, lambda: keyring.signer(LTI), settings.base_url),
        columns=columns,
        copying=copying,
        own_columns=own_columns,
        syncing=syncing,
        awarding=awarding,
        deciding=deciding,
        gating=Gating(database, clock, syncing, deciding),
        issuing=issuing,
        status_lists=status_lists,
        own_documents=own_documents,
        revoking=revoking,
        reviews=reviews,
        scoring=scoring,
        wallet=Wallet(database, awarding, urls, ages, milestones.of_learner, pathways.beside),
        progress=CourseProgress(database, awarding, ages),
        attesting=Attesting(database, clock, columns, deciding),
        submissions=Submissions(database, clock, deciding, settings.evidence_max_file_bytes),
        editing=Editing(database, clock),
        publishing=Publishing(database, clock, queue, deciding),
        versions=Versions(database, clock, queue, deciding, awarding),
        simulating=Simulating(database, awarding),
        explaining=Explaining(database, awarding),
        replaying=Replaying(database),
        matrix=Matrix(database, awarding, ages),
        milestones=milestones,
        milestone_versions=MilestoneVersions(database, clock, queue),
        pathways=pathways,
        retroactive=Retroactive(database, clock, queue, issuing, scoring, milestones.decide),
        sharing=sharing,
        tokens=tokens,
        transcripts=transcripts,
        verifying=verifying,
        endorsing=Endorsing(database, clock, issuer_keys, urls, queue, verifying),
        public=public,
        hosting=hosting,
        records=Records(database, clock, urls),
        frameworks=Frameworks(database, clock),
        staffing=Staffing(database, clock, secret, settings.base_url),
        overview=Overview(database, clock, keyring, urls, queue, ages),
        administering=Administering(database, clock, registrations, revoking),
        issuers=Issuers(database, clock, pictures),
        reissuing=Reissuing(
            database,
            issuer_keys,
            clock,
            urls,
            queue,
            status_lists.sign,
            issuing.documents_now,
            issuing.achievement_now,
        ),
        correcting=Correcting(database, clock, queue),
        expiring=Expiring(database, issuer_keys, clock, urls),
        ending_soon=EndingSoon(database, clock),
        currency=Currency(database, clock),
        renewing=Renewing(database, issuer_keys, clock, urls),
        inviting=Inviting(database, clock, outbound, registrations, secret, settings.base_url),
        health=health,
        checking=Checking(database, connector, key_sets),
        privacy=Privacy(database, clock, urls, queue),
        persons=Persons(database, clock, secret, queue, urls),
        pictures=pictures,
        notices=Notices(
            database,
            connector,
            NoticeReader(registrations, key_sets, clock),
            clock,
            queue,
            settings.base_url + NOTICES_PATH,
            copying,
        ),
    )


def make_keys(keyring: Keyring) -> None:
    """Make the key that LMSs know, if there is none; issuers' keys are made with their first badge."""
    keyring.ensure(LTI)


@dataclass(frozen=True)
class IssuerSigner:
    """One issuer's key under its DID."""

    signer: Signer
    did: str

    @property
    def algorithm(self) -> Algorithm:
        """The JWA name of what the key does."""
        return self.signer.algorithm

    @property
    def verification_method(self) -> str:
        """The DID URL of the key."""
        return f"{self.did}#{self.signer.kid}"

    def sign(self, data: bytes) -> bytes:
        """As :meth:`Signer.sign`."""
        return self.signer.sign(data)


@dataclass(frozen=True)
class IssuerKeyring:
    """The keyring, as issuing asks for it."""

    keyring: Keyring

    def signer(self, issuer_id: str, did: str) -> IssuerSigner:
        """The issuer's active key, made if it has none yet."""
        purpose = issuer_purpose(issuer_id)
        try:
            return IssuerSigner(self.keyring.signer(purpose), did)
        except ConfigurationInvalid as error:
            if error.code is not ErrorCode.KEY_MISSING:
                raise
        self.keyring.ensure(purpose)
        return IssuerSigner(self.keyring.signer(purpose), did)

    def rotate(self, issuer_id: str, now: datetime, *, is_of_tokens: bool = False) -> str:
        """A new active key; its id."""
        purpose = token_purpose(issuer_id) if is_of_tokens else issuer_purpose(issuer_id)
        return self.keyring.rotate(purpose, now).kid

    def is_key_of(self, issuer_id: str, kid: str) -> bool:
        """Whether the issuer has, or had, this key."""
        return self._purpose_of(issuer_id, kid) is not None

    def compromise(self, issuer_id: str, kid: str, now: datetime) -> str:
        """Publish a key no more; the id of the key that signs instead.

        :raises ConfigurationInvalid: ``key_missing`` where the issuer has no such key.
        """
        purpose = self._purpose_of(issuer_id, kid) or issuer_purpose(issuer_id)
        return self.keyring.compromise(purpose, kid, now).kid

    def _purpose_of(self, issuer_id: str, kid: str) -> str | None:
        every: tuple[KeyState, ...] = (*STATES, "compromised")
        for purpose in (issuer_purpose(issuer_id), token_purpose(issuer_id)):
            if any(key.kid == kid for key in self.keyring.of(purpose, every)):
                return purpose
        return None

    def token_signer(self, issuer_id: str, did: str, algorithm: str) -> IssuerSigner:
        """The issuer's active key for tokens of a kind, made if it has none yet."""
        purpose, kind = token_purpose(issuer_id), cast("Algorithm", algorithm)
        try:
            return IssuerSigner(self.keyring.signer(purpose, kind), did)
        except ConfigurationInvalid as error:
            if error.code is not ErrorCode.KEY_MISSING:
                raise
        self.keyring.ensure(purpose, kind)
        return IssuerSigner(self.keyring.signer(purpose, kind), did)

    def token_keys(self, issuer_id: str) -> Sequence[tuple[str, Mapping[str, str]]]:
        """``(kid, JWK)`` of every key for tokens, the active ones first."""
        return [
            (signer.kid, signer.public_jwk())
            for signer in self.keyring.verification_keys(token_purpose(issuer_id))
        ]

    def public_keys(self, issuer_id: str) -> Sequence[tuple[str, str]]:
        """``(kid, Multikey)`` of every key, the active ones first."""
        return [
            (signer.kid, encode_ed25519(signer.raw_public_key))
            for signer in self.keyring.verification_keys(issuer_purpose(issuer_id))
        ]


def ask_for_key_set(outbound: Outbound, url: str) -> Answer:
    """What a platform's JWKS URL answers, under the outgoing policy and within a launch's patience.

    :raises OutboundRefused: see :meth:`Outbound.request`.
    :raises PlatformFailed: as there; ``platform_answer_invalid`` for a status that is no success.
    """
    answer = outbound.request(
        "GET",
        url,
        audience="platform",
        headers={"Accept": "application/json"},
        timeout=JWKS_SECONDS,
        max_bytes=JWKS_BYTES,
    )
    if not answer.is_success:
        raise PlatformFailed(
            ErrorCode.PLATFORM_ANSWER_INVALID,
            f"the key set answered {answer.status}",
            http_status=answer.status,
        )
    return answer


def build_verifier(*, mounts: Mapping[str, BaseAdapter] | None = None) -> Verifier:
    """What judges badges where there is no installation: it needs no settings, and keeps nothing.

    :param mounts: as of :func:`build_tool`.
    """
    outbound = Outbound(OutboundPolicy(), user_agent=f"LTI-Badges/{__version__}", mounts=mounts, clock=_now)
    return Verifier(outbound, _now)


def _secret(settings: Settings) -> bytes:
    return settings.secret_key.get_secret_value().encode()


def _now() -> datetime:
    return datetime.now(UTC)
