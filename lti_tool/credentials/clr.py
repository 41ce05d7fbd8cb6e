"""Building a learner's record: signed badges in one credential (1EdTech CLR 2.0 ClrCredential).

Each badge keeps its own proof and is judged by it. The record adds who put them together, for whom, and how
what they stand for belongs together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from lti_tool.credentials.contexts import CLR_2_0_1, CREDENTIALS_V2, OPEN_BADGES_3_0_3
from lti_tool.credentials.documents import (
    Document,
    IssuerProfile,
    SubjectIdentity,
    build_profile,
    format_time,
)
from lti_tool.credentials.reading import MAXIMUM_CREDENTIALS, MAXIMUM_RECORD_BYTES

MAXIMUM_BADGES: Final = MAXIMUM_CREDENTIALS
"""In one record: what our own verifier takes, too."""
MAXIMUM_BADGE_BYTES: Final = MAXIMUM_RECORD_BYTES * 3 // 4 - 32 * 1024
"""Of all badges in one record, for the same reason: as a token the whole is longer by a third."""


def build_record(
    *,
    id_: str,
    name: str,
    issuer: IssuerProfile,
    subject: SubjectIdentity,
    valid_from: datetime,
    badges: Sequence[Mapping[str, Any]],
    replacements: Sequence[tuple[str, str]] = (),
    is_partial: bool = False,
) -> Document:
    """An unsigned ClrCredential.

    It has no status of its own: each badge in it has one, and a newer record replaces it.

    :param id_: a URI; the same for every record of one learner, so that the newest ``validFrom`` counts.
    :param badges: signed, at least one, none twice.
    :param replacements: ``(old, new)`` ids of achievements of which both are in the record.
    :param is_partial: whether the issuer knows of badges that are not in it.
    :raises CredentialInvalid: ``credential_date_invalid`` for a naive time.
    """
    document: Document = {
        # In this order by 1EdTech's schema. The badges name the contexts of their own words themselves.
        "@context": [CREDENTIALS_V2, CLR_2_0_1, OPEN_BADGES_3_0_3],
        "id": id_,
        "type": ["VerifiableCredential", "ClrCredential"],
        "name": name,
        "issuer": build_profile(issuer),
        "validFrom": format_time(valid_from, "/validFrom"),
        "partial": is_partial,
        "credentialSubject": {
            "type": ["ClrSubject"],
            "identifier": [subject.document()],
            "verifiableCredential": [dict(badge) for badge in badges],
        },
    }
    if replacements:
        document["credentialSubject"]["association"] = [
            {"type": "Association", "associationType": "replacedBy", "sourceId": old, "targetId": new}
            for old, new in replacements
        ]
    return document
