"""What is wrong with an endorsement that somebody gives or brings, in words."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import gettext as _

from lti_tool.web.verification_words import step_sentence


def endorsement_problem(code: str, params: Mapping[str, object]) -> str | None:
    """The sentence of a problem that only endorsements have."""
    return {
        "nothing_to_endorse": _(
            "This leads to no badge and no issuer of this service. Copy the address of its public page."
        ),
        "endorses_itself": _("An issuer cannot endorse itself or its own badges. Choose another one."),
        "endorsed_already": _("This endorsement is there already."),
        "endorsed_too_often": _("This issuer has endorsed the same thing too often."),
        "too_many_wait": _(
            "%(limit)s of your endorsements wait for this organisation’s decision. Wait, or withdraw some.",
            limit=params.get("limit", ""),
        ),
        "not_signable": _("This text contains characters that cannot be signed. Write it another way."),
        "no_endorsement": _("This is no endorsement of Open Badges 3.0. Choose another file."),
        "endorsement_not_genuine": _not_genuine(params),
        "endorsement_not_ours": _(
            "This is about none of your badges and issuers: %(about)s", about=params.get("about", "")
        ),
        "endorsement_not_embeddable": _not_embeddable(str(params.get("why", ""))),
    }.get(code)


def _not_genuine(params: Mapping[str, object]) -> str:
    values = params.get("params")
    why = step_sentence(
        str(params.get("outcome", "failed")),
        str(params.get("detail", "")),
        {str(key): str(value) for key, value in values.items()} if isinstance(values, Mapping) else {},
    )
    return _("This endorsement was not taken over. %(why)s", why=why).strip()


def _not_embeddable(why: str) -> str:
    if why == "token":
        return _("It is a token (JWT), which badges cannot carry. Ask for it as JSON.")
    if why == "too_large":
        return _("It is too large: every badge would carry it. Ask for it without pictures inside.")
    return _("It is genuine, but written in a way that badges cannot carry. Ask for one of Open Badges 3.0.")


def endorsement_state_word(status: str) -> str:
    """What became of an endorsement."""
    return {
        "offered": _("Waits for a decision"),
        "accepted": _("Shows"),
        "refused": _("Does not show"),
        "withdrawn": _("Withdrawn"),
    }[status]


def endorsement_state_kind(status: str) -> str:
    """The pill that goes with :func:`endorsement_state_word`."""
    return {"offered": "wait", "accepted": "good"}.get(status, "plain")
