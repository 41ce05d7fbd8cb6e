"""Credentials: status lists, verifying."""

from __future__ import annotations

import gzip
import json
import multiprocessing
import random
import resource
import time
from collections.abc import Iterator

from lti_tool.credentials import signing
from lti_tool.credentials.status_list import StatusList, build_status_list_credential
from lti_tool.credentials.verification import Verdict, verify
from tests.bench.measuring import Figure, at_least, at_most, figure, interleave, processes_cpu
from tests.bench.schools import Grounds
from tests.bench.signing import pyld_digest
from tests.factories import NOW
from tests.unit.credentials import badges


def bench(_grounds: Grounds) -> Iterator[Figure]:
    """``status_list_…`` and ``verify_…``."""
    yield from _status_list()
    yield from _verifying()


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
            pyld_digest(document)
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
