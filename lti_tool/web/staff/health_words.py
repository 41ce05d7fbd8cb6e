"""The health of a connection in words: what a service is, what a missing permission stops, how to mend it."""

from __future__ import annotations

from flask import Flask
from flask_babel import gettext as _
from flask_babel import ngettext

from lti_tool.domain.connection_health import Seen
from lti_tool.errors import ErrorCode
from lti_tool.lti.observing import Service
from lti_tool.platforms import platform_for
from lti_tool.services.checking import Step
from lti_tool.services.health import Unwell
from lti_tool.web.error_texts import text_of

UNSIGNED = frozenset(
    code
    for code in ErrorCode
    if code.value.startswith("login_")
    or code.value.startswith("registration_")
    or code
    in (
        ErrorCode.LAUNCH_FORM_INVALID,
        ErrorCode.LAUNCH_PLATFORM_ERROR,
        ErrorCode.LAUNCH_STATE_INVALID,
        ErrorCode.LAUNCH_STATE_EXPIRED,
        ErrorCode.LAUNCH_STATE_UNBOUND,
        ErrorCode.LAUNCH_TOKEN_MALFORMED,
        ErrorCode.LAUNCH_ALGORITHM_REFUSED,
        ErrorCode.LAUNCH_KEY_ID_MISSING,
        ErrorCode.LAUNCH_KEY_UNKNOWN,
        ErrorCode.LAUNCH_KEYS_UNREACHABLE,
        ErrorCode.LAUNCH_SIGNATURE_INVALID,
    )
)
"""What was refused before a signature was found good: anybody may have sent it in the platform's name."""


def register(app: Flask) -> None:
    """Give the words to templates."""
    app.jinja_env.globals.update(
        service_word=service_word,
        seen_word=seen_word,
        seen_kind=seen_kind,
        seen_icon=seen_icon,
        permission_word=permission_word,
        permission_loss=permission_loss,
        permission_setting=permission_setting,
        permission_place=permission_place,
        clock_sentence=clock_sentence,
        refusal_sentence=refusal_sentence,
        is_unsigned=is_unsigned,
        case_word=case_word,
        step_word=step_word,
        unwell_sentence=unwell_sentence,
    )


def service_word(service: Service) -> str:
    """What a service is for."""
    return {
        Service.LAUNCH: _("Opening the tool"),
        Service.KEY_SET: _("The platform's keys"),
        Service.TOKEN: _("Access tokens"),
        Service.ROSTER: _("Participants"),
        Service.LINE_ITEMS: _("Gradebook columns"),
        Service.RESULTS: _("Grades"),
        Service.SCORES: _("Writing into the gradebook"),
        Service.GROUPS: _("Groups"),
        Service.NOTICES: _("Notifications"),
    }[service]


def seen_word(seen: Seen) -> str:
    """How a service does."""
    if seen.is_unwell:
        return _("Does not work")
    if seen.is_failing:
        return _("Failed the last time")
    return _("Works") if seen.succeeded_at else _("Not used yet")


def seen_kind(seen: Seen) -> str:
    """The pill that goes with :func:`seen_word`."""
    if seen.is_failing:
        return "bad" if seen.is_unwell else "wait"
    return "good" if seen.succeeded_at else "plain"


def seen_icon(seen: Seen) -> str:
    """The sign that goes with it, for those who do not see colours."""
    return {"good": "met", "bad": "failed", "wait": "warning", "plain": "unknown"}[seen_kind(seen)]


def permission_word(name: str) -> str:
    """What a permission is for; by the last part of its scope."""
    return {
        "lineitem": _("Make gradebook columns"),
        "lineitem.readonly": _("Find gradebook columns"),
        "result.readonly": _("Read the grades in them"),
        "score": _("Write badges into the gradebook"),
        "contextmembership.readonly": _("Read who is in the course"),
    }.get(name, name)


def permission_loss(name: str) -> str:
    """What does not work without it."""
    return {
        "lineitem": _(
            "No gradebook columns can be made: grades of the platform's own activities earn no badge."
        ),
        "lineitem.readonly": _(
            "A copied course gets its columns twice, and a deleted column is not noticed."
        ),
        "result.readonly": _("No grades are read: badges that ask for one are not awarded."),
        "score": _("A badge does not show in the gradebook, so nothing in the course can depend on it."),
        "contextmembership.readonly": _(
            "Nobody is awarded before opening the tool, and the lists of the course show visitors only."
        ),
    }.get(name, _("A part of the tool does not work."))


def permission_setting(product: str, name: str) -> str | None:
    """The platform's own name of the setting that grants it."""
    return platform_for(product).permission_settings.get(name)


def permission_place(product: str) -> str | None:
    """Where that setting stands, in the platform's own words."""
    return platform_for(product).permission_place


def clock_sentence(seconds: int) -> str:
    """How two clocks differ."""
    if seconds > 0:
        return ngettext(
            "The platform's clock is %(num)s second ahead of this server's.",
            "The platform's clock is %(num)s seconds ahead of this server's.",
            seconds,
        )
    return ngettext(
        "The platform's clock is %(num)s second behind this server's.",
        "The platform's clock is %(num)s seconds behind this server's.",
        -seconds,
    )


def refusal_sentence(code: str) -> str:
    """Why something was refused."""
    try:
        return str(text_of(ErrorCode(code)).happened)
    except ValueError:  # of an earlier release
        return code


def is_unsigned(code: str) -> bool:
    """Whether anybody may have sent what was refused so."""
    return code in UNSIGNED


def case_word(key: str) -> str:
    """What a case of the certification tries."""
    return {
        "no_kid": _("A token that names no key"),
        "wrong_kid": _("A token that names a key which the platform does not have"),
        "wrong_version": _("A wrong LTI version"),
        "no_version": _("No LTI version"),
        "no_lti_message": _("A signed token that is no LTI message"),
        "no_lti_claims": _("No LTI claims"),
        "wrong_times": _("Wrong times"),
        "no_message_type": _("No message type"),
        "no_roles_claim": _("No roles claim"),
        "no_deployment": _("No deployment"),
        "no_resource_link": _("No id of the link"),
        "no_subject": _("No user"),
        "normal": _("A usual launch"),
        "several_roles": _("Several roles"),
        "short_role": _("A role by its short name"),
        "unknown_role": _("An unknown role"),
        "no_role": _("An empty list of roles"),
        "email_only": _("E-mail address without a name"),
        "names_only": _("Name without an e-mail address"),
        "no_personal_data": _("Neither name nor e-mail address"),
        "no_context": _("A launch outside of any course"),
        "deep_linking": _("Choosing content"),
        "names_and_roles": _("Reading participants"),
        "grades": _("Gradebook columns, grades and scores"),
    }[key]


def step_word(step: Step) -> str:
    """What a step of a check tried."""
    if step.wanted is not None:
        return _("Access token: %(service)s", service=service_word(step.wanted))
    if step.service is Service.KEY_SET:
        return _("Fetch the platform's keys")
    return _("Read the first page: %(service)s", service=service_word(step.service))


def unwell_sentence(unwell: Unwell) -> str:
    """What is wrong with a connection, a sentence each."""
    parts = []
    if unwell.services:
        names = ", ".join(service_word(service) for service in unwell.services)
        parts.append(_("It does not work: %(services)s.", services=names))
    if unwell.missing:
        names = ", ".join(permission_word(name) for name in unwell.missing)
        parts.append(_("A permission is missing: %(permissions)s.", permissions=names))
    if unwell.skew_seconds is not None:
        parts.append(clock_sentence(unwell.skew_seconds))
    return " ".join(parts)
