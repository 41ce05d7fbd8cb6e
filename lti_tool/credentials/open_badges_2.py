"""A badge once more as Open Badges 2.0, hosted (OB 2.0 §"Data Model"): for backpacks that know nothing newer.

The three objects stand at addresses of their own on the issuer's origin, and a verifier believes only what it
reads there (``HostedBadge``). They are made from the signed 3.0 credential, so that both say the same of the
same person; nobody but who knows the e-mail address can tell whose it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

CONTEXT: Final = "https://w3id.org/openbadges/v2"

Document = dict[str, Any]


def has_recipient(credential: Mapping[str, Any]) -> bool:
    """Whether the credential names its learner in a way that 2.0 knows: by a hashed e-mail address."""
    return _email(credential) is not None


def build_assertion(
    credential: Mapping[str, Any], *, id_: str, badge: str, image: str, image_caption: str
) -> Document:
    """The Assertion that says what the signed ``credential`` says.

    :param id_: its own address; :param badge: that of the BadgeClass; :param image: of the baked picture.
    :raises ValueError: where :func:`has_recipient` is not so.
    """
    identity = _email(credential)
    if identity is None:
        raise ValueError("an Open Badges 2.0 assertion names its recipient by e-mail")
    return {
        "@context": CONTEXT,
        "id": id_,
        "type": "Assertion",
        "recipient": {
            "type": "email",
            "hashed": True,
            "salt": identity["salt"],
            "identity": identity["identityHash"],
        },
        "badge": badge,
        # when it was awarded (OB 2.0 §Assertion); ``validFrom`` moves when a badge is signed anew
        "issuedOn": credential.get("awardedDate", credential["validFrom"]),
        **({"expires": credential["validUntil"]} if "validUntil" in credential else {}),
        "verification": {"type": "HostedBadge"},
        "image": {"id": image, "caption": image_caption},
        "evidence": [
            {"type": "Evidence", **{name: shown[name] for name in _EVIDENCE if name in shown}}
            for shown in credential.get("evidence", ())
        ],
    }


_EVIDENCE: Final = ("id", "name", "narrative", "description", "genre")


def build_revoked(id_: str, reason: str | None) -> Document:
    """What stands at the address of an assertion that was revoked, with HTTP status 410."""
    told = {"revocationReason": reason} if reason else {}
    return {"@context": CONTEXT, "id": id_, "type": "Assertion", "revoked": True, **told}


def build_badge_class(
    achievement: Mapping[str, Any], *, id_: str, issuer: str, others: Sequence[str] = ()
) -> Document:
    """The BadgeClass of an OB 3.0 ``achievement``. Credits, results and codes have no place in 2.0.

    :param id_: its own address; :param issuer: that of the 2.0 profile.
    :param others: those of its other versions.
    """
    criteria, image = achievement["criteria"], achievement["image"]
    told = {
        "@language": achievement.get("inLanguage"),
        "version": achievement.get("version"),
        "tags": achievement.get("tag"),
        "alignment": [_alignment(one) for one in achievement.get("alignment", ())],
        "related": [{"id": one, "type": "BadgeClass"} for one in others],
    }
    return {
        "@context": CONTEXT,
        "id": id_,
        "type": "BadgeClass",
        "name": achievement["name"],
        "description": achievement["description"],
        "image": {name: image[name] for name in ("id", "caption") if name in image},
        "criteria": {name: criteria[name] for name in ("id", "narrative") if name in criteria},
        "issuer": issuer,
        **{name: value for name, value in told.items() if value},
    }


def build_issuer(profile: Mapping[str, Any], *, id_: str, url: str) -> Document:
    """The 2.0 profile of an issuer.

    :param profile: the OB 3.0 Profile; :param url: its home page, which 2.0 requires.
    """
    kept = {name: profile[name] for name in ("name", "email", "description") if name in profile}
    if "image" in profile:
        kept["image"] = profile["image"]["id"]
    return {"@context": CONTEXT, "id": id_, "type": "Issuer", "url": url, **kept}


def to_json(document: Mapping[str, Any]) -> str:
    """As it is served and baked."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _email(credential: Mapping[str, Any]) -> Mapping[str, Any] | None:
    identities = credential["credentialSubject"].get("identifier", ())
    return next((one for one in identities if one.get("identityType") == "emailAddress"), None)


def _alignment(alignment: Mapping[str, Any]) -> Document:
    names = ("targetName", "targetUrl", "targetFramework", "targetCode", "targetDescription")
    return {name: alignment[name] for name in names if name in alignment}
