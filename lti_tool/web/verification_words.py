"""The steps of a verification in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import unquote

from flask import Flask
from flask_babel import gettext as _

from lti_tool.web.i18n import day

_FETCHED = ("key_", "status_")
"""How the words begin that tell of documents which could not be had: a key's, or a status list."""


def register(app: Flask) -> None:
    """Give the sentences to templates."""
    app.jinja_env.globals.update(
        day_of=day_of,
        signer_host=signer_host,
        step_title=step_title,
        endorsed_word=endorsed_word,
        endorsement_word=endorsement_word,
        endorsement_sentence=endorsement_sentence,
        outcome_word=outcome_word,
        step_sentence=step_sentence,
        verdict_title=verdict_title,
        held_word=held_word,
    )


def day_of(claimed: str) -> str:
    """A date as a credential writes it, in the reader's words; what is no date stays as it is."""
    try:
        moment = datetime.fromisoformat(claimed)
    except ValueError:
        return claimed
    return day(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))


def signer_host(issuer_id: str | None) -> str | None:
    """The web address that a proven signature speaks for: a name is a claim, a did:web's host is not."""
    if issuer_id is None or not issuer_id.startswith("did:web:"):
        return None
    return unquote(issuer_id.removeprefix("did:web:").partition(":")[0])


def verdict_title(verdict: str, *, is_record: bool = False) -> str:
    """The one line that an employer reads."""
    if is_record:
        return {
            "valid": _("This record is genuine, and so is every badge in it"),
            "invalid": _("This record is not valid, or a badge in it is not"),
            "inconclusive": _("This record could not be fully checked"),
        }[str(verdict)]
    return {
        "valid": _("This badge is genuine"),
        "invalid": _("This badge is not valid"),
        "inconclusive": _("This badge could not be fully checked"),
    }[str(verdict)]


def held_word(verdict: str) -> str:
    """What one badge in a record is worth."""
    return {
        "valid": _("Genuine and valid today"),
        "invalid": _("Not valid"),
        "inconclusive": _("Could not be fully checked"),
    }[str(verdict)]


def step_title(name: str) -> str:
    """What a step looks at."""
    titles = {
        "read": _("The file holds a badge"),
        "structure": _("It is complete"),
        "contexts": _("Its words have a defined meaning"),
        "proof": _("It was signed by its issuer and not changed since"),
        "validity": _("It is valid today"),
        "status": _("It was neither revoked nor suspended"),
        "endorsements": _("Its endorsements"),
        "credentials": _("Each badge in it is genuine and valid today"),
        "fetch": _("It can be fetched"),
    }
    return titles.get(str(name), str(name).replace("_", " "))


def endorsement_word(standing: str) -> str:
    """What an endorsement that a badge carries is worth."""
    return {
        "genuine": _("Genuine"),
        "ended": _("Ended since"),
        "false": _("Not genuine"),
        "could_not_check": _("Could not be checked"),
    }[str(standing)]


def endorsed_word(endorsed: str) -> str:
    """What an endorsement is about."""
    return {
        "achievement": _("what the badge stands for"),
        "profile": _("the issuer"),
        "credential": _("this very badge"),
    }.get(str(endorsed), _("something in the badge"))


def outcome_word(outcome: str) -> str:
    """How a step ended."""
    return {
        "passed": _("Yes"),
        "failed": _("No"),
        "could_not_check": _("Could not be checked"),
        "skipped": _("Not needed"),
    }[str(outcome)]


def endorsement_sentence(standing: str, detail: str, params: Mapping[str, str]) -> str:
    """Why an endorsement is worth no more; empty where it is genuine."""
    if str(standing) == "genuine":
        return ""
    ended = {
        "revoked": _("The endorser has withdrawn it."),
        "suspended": _("The endorser has suspended it."),
    }
    return ended.get(detail) or step_sentence(
        "could_not_check" if str(standing) == "could_not_check" else "failed", detail, params
    )


def step_sentence(outcome: str, detail: str, params: Mapping[str, str]) -> str:
    """Why a step ended as it did; empty where the title and the outcome say it all."""
    sentences = {
        "signature_wrong": _(
            "The signature does not fit: something was changed, or the signature is not real."
        ),
        "signature_malformed": _("The signature is damaged."),
        "proof_missing": _("There is no signature, so anybody could have written this."),
        "proof_malformed": _("The signature is incomplete."),
        "proof_purpose_wrong": _("The signature was made for another purpose."),
        "proof_expired": _("The signature has expired."),
        "suite_unsupported": _("It is signed in a way that this page does not know."),
        "issuer_differs": _("It was signed by somebody other than the issuer that it names."),
        "controller_differs": _("The signing key belongs to somebody other than the issuer."),
        "key_not_listed": _("The issuer does not list the key that it was signed with."),
        "key_revoked": _("The issuer has withdrawn the key that it was signed with."),
        "key_expired": _("The key that it was signed with has expired."),
        "did_method_unsupported": _("The issuer's kind of identity is not known to this page."),
        "expired": _("It has expired."),
        "not_yet_valid": _("It is not valid yet."),
        "date_missing": _("It does not say since when it is valid."),
        "date_malformed": _("One of its dates cannot be read."),
        "revoked": _("The issuer has revoked it."),
        "suspended": _("The issuer has suspended it."),
        "no_status": _("The issuer keeps no list of revoked badges for it."),
        "status_list_wrong": _("The list of revoked badges is not the right one."),
        "status_list_invalid": _("The list of revoked badges is not genuine."),
        "status_list_of_another_issuer": _("The list of revoked badges belongs to another issuer."),
        "status_malformed": _("What it says about revocation cannot be read."),
        "first_context_wrong": _("It does not follow the standard for verifiable credentials."),
        "not_an_open_badge": _("It is a credential, but not an Open Badge."),
        "issuer_missing": _("It names no issuer."),
        "subject_missing": _("It does not say who received it."),
        "several_subjects": _("It speaks of several people at once."),
        "subject_not_identified": _("It does not say who received it."),
        "achievement_missing": _("It does not say what was achieved."),
        "context_unknown": _("It uses a vocabulary that this page does not know."),
        "context_inline": _("It defines words of its own, which this page does not trust."),
        "open_badges_2_unsupported": _("It is an Open Badge 2.0, which this page does not check yet."),
        "endorses_something_else": _("It is about something else than what it is attached to."),
        "endorsement_elsewhere": _("It is only named by its address, which this page does not follow."),
        "too_many_endorsements": _("It carries more endorsements than this page checks."),
        "busy": _("Too many badges are being verified at the moment. Please try again in a minute."),
        "took_too_long": _("It is built in a way that takes too long to check."),
        "too_many_values": _("It holds more values than this page checks."),
        "too_many_credentials": _("It holds more badges than this page checks."),
        "record_empty": _("It is a record without any badge."),
        "record_within_record": _("It is a record within a record: check it by itself."),
        "not_a_credential": _("This is no badge."),
        "credential_invalid": _(
            "Badges in it that are not valid: %(count)s of %(of)s. The first is “%(name)s”.",
            count=params.get("count", ""),
            of=params.get("of", ""),
            name=params.get("name", ""),
        ),
        "credential_unchecked": _(
            "Badges in it that could not be fully checked: %(count)s of %(of)s. The first is “%(name)s”.",
            count=params.get("count", ""),
            of=params.get("of", ""),
            name=params.get("name", ""),
        ),
        "too_many_contexts": _("It names more vocabularies than this page checks."),
        "too_deep": _("It is nested more deeply than this page checks."),
        "too_large": _("It is larger than this page checks."),
        "blank_nodes_alike": _("It is built in a way that takes too long to check."),
        "id_missing": _("It has no identifier of its own."),
        "type_missing": _("It does not say what kind of document it is."),
        "lone_surrogate": _("It holds characters that no text may hold."),
        "member_hidden": _("One of its statements is written so that the signature does not cover it."),
        "member_name_disguised": _("One of its statements hides behind another name."),
        "not_canonical_json": _("It is written in a way that cannot be signed."),
        "issuer_not_resolvable": _("The issuer's identity leads nowhere."),
        "did_malformed": _("The issuer's identity is not well formed."),
        "key_not_named": _("It does not say with which key it was signed."),
        "key_of_another_kind": _("The key is of another kind than the signature."),
        "key_too_weak": _("The key is too weak to prove anything."),
        "key_date_malformed": _("The dates of the signing key cannot be read."),
        "proof_context_differs": _("The signature reads the badge's words in another meaning."),
        "proof_date_malformed": _("The date of the signature cannot be read."),
        "proof_chain_unsupported": _("It has a chain of signatures, which this page does not check."),
        "too_many_proofs": _("It has more signatures than this page checks."),
        "suite_context_missing": _("It does not define the words of its own signature."),
        "status_kind_unknown": _("It says in an unknown way whether it was revoked."),
        "status_purpose_unknown": _("It says in an unknown way whether it was revoked."),
        "status_purpose_differs": _("The list of revoked badges was made for another purpose."),
        "status_size_unsupported": _("The list of revoked badges has a form that this page does not read."),
        "token_malformed": _("The signed token is damaged."),
        "token_algorithm_refused": _("The token is signed in a way that is not safe."),
        "token_algorithm_unsupported": _("The token is signed in a way that this page does not know."),
        "token_claim_missing": _("The token lacks a statement that it has to make."),
        "token_claim_differs": _("The token and the badge inside contradict each other."),
        "token_key_not_bound": _("The token's key cannot be traced to its issuer."),
        "not_reached": _("An earlier step already decided."),
    }
    endorsement_sentences = {
        "endorsement_false": _(
            "The endorsement in the name of %(by)s is not genuine.", by=params.get("by") or _("somebody")
        ),
        "endorsement_unchecked": _(
            "The endorsement in the name of %(by)s could not be checked.",
            by=params.get("by") or _("somebody"),
        ),
        "endorsement_ended": _(
            "The endorsement by %(by)s has ended since. The badge does not depend on it.",
            by=params.get("by") or _("somebody"),
        ),
    }
    sentences.update(endorsement_sentences)
    if detail in sentences:
        return sentences[detail]
    if outcome == "passed":
        return ""
    if detail.startswith(_FETCHED) and outcome == "could_not_check":
        return _(
            "A document that is needed for this could not be fetched: %(url)s", url=params.get("url", "")
        )
    return ""
