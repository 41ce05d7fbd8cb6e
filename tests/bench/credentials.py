"""Credentials: signing, awarding end to end, status lists, verifying."""

from __future__ import annotations

import gzip
import json
import multiprocessing
import random
import resource
import statistics
import time
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import pyld.jsonld
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lti_tool.bootstrap import IssuerKeyring
from lti_tool.credentials import signing
from lti_tool.credentials.contexts import document_loader
from lti_tool.credentials.multikey import encode_base58
from lti_tool.credentials.status_list import StatusList, build_status_list_credential
from lti_tool.credentials.verification import Verdict, verify
from lti_tool.keyring import Keyring
from lti_tool.services.awarding import Awarding
from lti_tool.services.issuing import Issuing, PublicUrls
from lti_tool.store import tables
from lti_tool.store.dialects import insert_all_if_absent
from tests import factories
from tests.bench.measuring import Figure, at_least, at_most, figure, interleave, processes_cpu
from tests.bench.schools import Grounds, Place, learners, memberships
from tests.factories import NOW, Course
from tests.unit.credentials import badges

SIGNED, BY_PYLD, RAW = 600, 6, 2000
AWARDS = 2000
MOODLE_PER_SECOND = 52.0
"""Moodle core 4.4 awarding badges by cron, 92 queries each; measured once, on the machine of the targets."""


def bench(grounds: Grounds) -> Iterator[Figure]:
    """``sign_…``, ``status_list_…``, ``verify_…``, then ``award_issue`` on each database."""
    yield from _signing()
    yield from _status_list()
    yield from _verifying()
    for kind in grounds.kinds:
        with grounds.place(kind) as place:
            yield from _awarding(grounds, place, "" if kind == "sqlite" else f"_{kind}")


def _signing() -> Iterator[Figure]:
    signer = badges.Key()
    documents = [badges.badge(number) for number in range(SIGNED)]
    key = Ed25519PrivateKey.generate()

    def ours() -> None:
        for document in documents:
            signing.sign_credential(document, signer, NOW)

    def pyld() -> None:
        for document in documents[:BY_PYLD]:
            _pyld_digest(document)
            json.dumps({**document, "proof": encode_base58(key.sign(bytes(64)))})

    def raw() -> None:
        for _ in range(RAW):
            key.sign(bytes(64))

    ours()
    taken = interleave({"ours": ours, "pyld": pyld, "raw": raw}, 3)
    rate = SIGNED / taken["ours"]
    yield figure(
        "sign_credential_vs_pyld", rate, "credentials/s", "PyLD, the full algorithm each time",
        BY_PYLD / taken["pyld"], at_least(100),
    )  # fmt: skip
    yield figure(
        "sign_credential_vs_raw", rate, "credentials/s", "raw Ed25519 of 64 bytes, cryptography",
        RAW / taken["raw"], at_least(0.2),
    )  # fmt: skip


def _pyld_digest(document: Mapping[str, Any]) -> bytes:
    """Both canonical forms by PyLD, hashed; contexts come from memory."""
    options = {"algorithm": "URDNA2015", "format": "application/n-quads", "documentLoader": document_loader}
    proof = signing.proof_options(badges.Key().verification_method, "2026-03-01T12:00:00Z")
    return b"".join(
        sha256(pyld.jsonld.normalize(each, options).encode()).digest()
        for each in ({"@context": document["@context"], **proof}, document)
    )


def _status_list() -> Iterator[Figure]:
    size = 131_072
    revoked = sorted(random.Random(1).sample(range(size), size // 100))
    signer = badges.Key()
    bits = bytearray(size // 8)
    for index in revoked:
        bits[index // 8] |= 0x80 >> index % 8

    def ours() -> None:
        document = build_status_list_credential(
            list_url="https://badges.example/status/1",
            issuer=badges.ISSUER,
            bits=StatusList.of(revoked, size),
            valid_from=NOW,
            purpose="revocation",
        )
        signing.sign_credential(document, signer, NOW)

    def floor() -> None:
        gzip.compress(bytes(bits), 6, mtime=0)

    taken = interleave({"ours": ours, "floor": floor}, 5)
    yield figure(
        "status_list_encode_sign", taken["ours"] * 1000, "CPU ms", "gzip -6 of 1 % set bits alone",
        taken["floor"] * 1000, at_most(20),
    )  # fmt: skip


def _verifying() -> Iterator[Figure]:
    document = badges.badge()
    signed = json.dumps(badges.signed(document)).encode()
    web = badges.published()
    public = badges.Key().private.public_key()
    signature = badges.Key().private.sign(bytes(64))

    def ours() -> None:
        for _ in range(3):
            assert verify(signed, fetch=web, now=badges.NOW).verdict is Verdict.VALID

    def pyld_alone() -> None:
        for _ in range(3):
            _pyld_digest(document)
            public.verify(signature, bytes(64))

    ours()
    taken = interleave({"ours": ours, "pyld": pyld_alone}, 3, stopwatch=_with_children)
    yield figure(
        "verify_credential", 3 / taken["ours"], "credentials/s",
        "PyLD: the badge's proof alone, without its issuer's and status list's",
        3 / taken["pyld"], at_least(0.3),
    )  # fmt: skip


def _with_children() -> float:
    """CPU seconds of this process and of the judges it starts (strangers' badges are judged in a process of
    their own).
    """
    running = processes_cpu(child.pid for child in multiprocessing.active_children() if child.pid)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime + running


def _awarding(grounds: Grounds, place: Place, ending: str) -> Iterator[Figure]:
    database = place.database
    keys = IssuerKeyring(Keyring(grounds.folder / f"keys{ending}"))
    awarding = Awarding(database, lambda: NOW)
    issuing = Issuing(database, keys, lambda: NOW, PublicUrls("https://badges.example"), _NoHints())
    scratch = sa.Table(
        "bench_credentials",
        sa.MetaData(),
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("award_id", sa.String(32), unique=True),
        sa.Column("document", sa.Text),
    )
    with database.write() as session:
        scratch.create(session.connection())
    key = Ed25519PrivateKey.generate()
    text = badges.signed()
    document = json.dumps(text)

    def raw() -> None:
        rows = [
            {"id": tables.new_id(), "award_id": tables.new_id(), "document": document} for _ in range(AWARDS)
        ]
        for _ in rows:
            key.sign(bytes(64))
        with database.write() as session:
            session.connection().execute(scratch.insert(), rows)

    ours: list[float] = []
    references: list[float] = []
    for _ in range(3):
        course = _earned(place)
        started = place.stopwatch()
        report = awarding.decide_context(course.organisation_id, course.context_id)
        assert len(issuing.issue_for(report.award_ids)) == AWARDS
        ours.append(place.stopwatch() - started)
        references.append(interleave({"raw": raw}, 1, stopwatch=place.stopwatch)["raw"])
    rate = AWARDS / statistics.median(ours)
    yield figure(
        f"award_issue{ending}_vs_raw", rate, "awards/CPU s", "raw Ed25519 + one bulk insert",
        AWARDS / statistics.median(references), at_least(0.6),
    )  # fmt: skip
    yield figure(
        f"award_issue{ending}_vs_moodle", rate, "awards/CPU s",
        "Moodle core badges (recorded once, not in this run)", MOODLE_PER_SECOND, at_least(50),
    )  # fmt: skip


class _NoHints:
    """Nobody waits for a hint."""

    def offer(self, task: str, **ids: str) -> None:
        """Forget it."""


def _earned(place: Place) -> Course:
    """A course in which ``AWARDS`` learners have earned a badge that nobody has decided about."""
    course = factories.course(place.database)
    placed = factories.placed(place.database, course)
    learner_ids = tuple(tables.new_id() for _ in range(AWARDS))
    with place.database.write() as session:
        insert_all_if_absent(session, tables.Learner, learners(course, learner_ids), on=("id",))
        insert_all_if_absent(session, tables.Membership, memberships(course, learner_ids), on=("id",))
    factories.grade(place.database, course, placed, learner_ids, 90)
    return course
