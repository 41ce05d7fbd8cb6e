"""What the standards say: the platform that every product starts from."""

# ruff: noqa: ARG002  (the standard's answer often needs no argument; a product's does)
from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from lti_tool.domain.roles import Rights, rights_of


@dataclass(frozen=True, slots=True)
class Quirk:
    """One way in which a product departs from the standard, or fills a gap of it."""

    key: str
    """Stable name; the anchor of its entry in ``docs/reference/quirks.md``."""
    lms: str
    version: str
    symptom: str
    source: str
    """Where it was read or seen: a file and function of the product, or a recording."""


class ScoreRefusal(StrEnum):
    """What a platform means that does not take a score (AGS §3.4)."""

    NOT_A_STUDENT = "not_a_student"
    """Nobody without a student's rights in the course has scores."""
    STALE = "stale"
    """A score with this or a later timestamp is there already."""
    LOCKED = "locked"
    """The column, or this person's grade in it, is locked against changes."""
    OTHER = "other"


class TotalOptOut(StrEnum):
    """What a teacher does so that a column no longer counts in the course total."""

    WEIGHT = "weight"
    """Its weight is set to zero in the gradebook."""
    ASSIGNMENT_OPTION = "assignment_option"
    """An option of the assignment, "Do not count this assignment towards the final grade", is ticked."""
    UNKNOWN = "unknown"
    """The standards say nothing of it."""


class GateKind(StrEnum):
    """How a teacher says whom a link is for; what the roster behind it (NRPS §2.4.4, ``rlid``) then tells."""

    RESTRICT_ACCESS = "restrict_access"
    """By rules over native activity: completion, grades, dates."""
    ASSIGNED_TO = "assigned_to"
    """By naming the learners one by one."""
    UNKNOWN = "unknown"
    """In the platform's own way, if it has one."""


class ConnectionSteps(StrEnum):
    """What an administrator still does in the platform after the tool has registered there by itself."""

    ACTIVATE = "activate"
    """The tool is pending: it is activated, and then shown to teachers where they add content."""
    ENABLE = "enable"
    """The platform shows what it was asked for; the administrator agrees, and enables the tool."""
    UNKNOWN = "unknown"
    """In the platform's own way."""


@dataclass(frozen=True, slots=True)
class ConnectionGuidance:
    """Direct links to the pages on which an administrator finishes a connection; each opens in a new tab."""

    tools_url: str
    """The platform's list of tools."""


@dataclass(frozen=True, slots=True)
class ColumnGuidance:
    """Direct links to the pages on which a teacher finishes a mirror column; each opens in a new tab."""

    formula_url: str
    """The page of that very column where the formula is typed."""
    weight_url: str
    """The page of that column where it is hidden and its weight set to zero."""
    grade_book_url: str
    """The set-up of the whole gradebook."""


class Platform:
    """An LMS that does what the standards say; products override single answers."""

    product: ClassVar[str] = "other"
    quirks: ClassVar[tuple[Quirk, ...]] = ()
    opens_results: ClassVar[bool] = False
    """Whether results are listed only of those to whom the tool has posted a score: then an empty one opens
    them, before a teacher types a grade."""
    permission_place: ClassVar[str | None] = None
    """Where an administrator grants what the tool may ask for, in the product's own English words."""
    permission_settings: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """By the last part of a scope: the setting there that grants it."""
    supports_mirror: ClassVar[bool] = False
    """Whether a teacher can give a column of ours a formula over native activities."""
    total_opt_out: ClassVar[TotalOptOut] = TotalOptOut.UNKNOWN
    gate_kind: ClassVar[GateKind] = GateKind.UNKNOWN
    """How a link is made a gate here."""
    roster_tells_staff: ClassVar[bool] = True
    """Whether the roster calls nobody a learner who teaches. Where it cannot be told, somebody known only
    from the roster is awarded once it is proved that they are a learner (:mod:`lti_tool.domain.awarding`)."""
    may_have_storage: ClassVar[bool] = True
    """Whether it may hold a login's secret (``lti-pm-s``) without announcing so at login initiation, as
    Blackboard does: then it is asked. False where it never does, or always announces it."""
    shows_return_message: ClassVar[bool] = True
    """Whether a message on the way back (``lti_msg``, ``lti_errormsg``) comes with the course, not in its
    place."""
    default_frame_origins: ClassVar[tuple[str, ...]] = ()
    """Sources for ``frame-ancestors`` beside the origins that a signed launch names."""
    takes_embedded: ClassVar[bool] = True
    """Whether a link, a picture or a text that it says it takes becomes one (Deep Linking 2.0 §3)."""
    honours_windows: ClassVar[bool] = True
    """Whether the ``submission`` window of a link that is placed becomes a date people see there."""
    reviews_submissions: ClassVar[bool] = True
    """Whether one learner's work can be opened from its gradebook (Submission Review 1.0)."""
    calls_per_minute: ClassVar[int] = 600
    """How many calls it is sent at most, unless the operator says otherwise: ten a second, which a platform
    of any size bears beside its own people."""
    has_token_url_per_institution: ClassVar[bool] = False
    """Whether institutions that share one issuer and client_id each hand out their own access tokens."""
    has_token_audience: ClassVar[bool] = True
    """Whether ``authorization_server`` of its configuration is the audience of token requests."""
    connection_steps: ClassVar[ConnectionSteps] = ConnectionSteps.UNKNOWN
    custom_parameters: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "context_history": "$Context.id.history",
            "link_history": "$ResourceLink.id.history",
            "locale": "$Message.locale",
        }
    )
    """What the tool asks to be sent with every launch: the name, and the variable it stands for."""

    def serves_institutions(self, issuer: str) -> bool:
        """Whether the issuer is a cloud whose institutions register tools at domains of their own."""
        return False

    def connection_guidance(self, issuer: str, site: str) -> ConnectionGuidance | None:
        """Where a connection is finished.

        :param site: origin of the institution's own pages.
        """
        return None

    def course_module_id(self, login_parameters: Mapping[str, str]) -> str | None:
        """The platform's own number of the activity, where its login initiation names it."""
        return None

    def fresh_launch_url(self, issuer: str, course_module_id: str | None) -> str | None:
        """Where a click starts a new launch of the same activity in a window of its own."""
        return None

    def link_id(self, link_id: str, context_id: str | None, badge_link_key: str | None) -> str:
        """The name of the link that a launch came from: the platform's id of it (LTI Core §5.3.5)."""
        return link_id

    def roster_link_id(self, link_id: str) -> str | None:
        """What a roster request calls the link (``rlid``) that :meth:`link_id` named; ``None`` where the
        platform cannot tell it from others."""
        return link_id

    def is_link_unknown(self, status: int) -> bool:
        """Whether a roster request that named a link was refused since there is no such link (any more)."""
        return status in (404, 410)

    def gate_settings_url(self, issuer: str, course_module_id: str | None) -> str | None:
        """Where a teacher says whom a link is for; ``None`` where no address leads straight there."""
        return None

    def line_item_name(self, line_item_url: str) -> str:
        """What two addresses of one column have in common: the whole URL (AGS §3.1.1)."""
        return line_item_url

    def copied_issuer(self, issuer: str) -> str | None:
        """Whose data ``issuer`` holds a copy of, for trying things out; ``None`` where it is the original."""
        return None

    def roster_rights(self, roles: Iterable[str]) -> Rights:
        """The rights that the roles of one roster entry give (NRPS §2.2; short names allowed)."""
        return rights_of(roles)

    def roster_query(self, role: str | None = None, resource_link_id: str | None = None) -> dict[str, str]:
        """Query parameters of a roster request (NRPS §2.4): ``role``, ``rlid``, page size."""
        query: dict[str, str] = {}
        if role is not None:
            query["role"] = role
        if resource_link_id is not None:
            query["rlid"] = resource_link_id
        return query

    def results_query(self, user_id: str | None = None) -> dict[str, str]:
        """Query parameters of a results request (AGS §3.3.2): ``user_id``, page size."""
        return {} if user_id is None else {"user_id": user_id}

    def is_too_busy(self, status: int, headers: Mapping[str, str]) -> bool:
        """Whether an answer is the wish to be left alone for a while (RFC 6585 §4, RFC 9110 §15.6.4)."""
        return status in (429, 503)

    def is_nearly_too_busy(self, headers: Mapping[str, str]) -> bool:
        """Whether an answer says that the next ones may be refused, where the product tells."""
        return False

    def line_items_query(self) -> dict[str, str]:
        """Query parameters of a line item list beside the filters (AGS §3.2.2): page size."""
        return {}

    def empty_score_extension(self) -> Mapping[str, object]:
        """The same for a score without points, which opens a result where ``opens_results``."""
        return {}

    def award_score_extension(self) -> Mapping[str, object]:
        """Members that the score of an award carries beside those of the standard (AGS §3.4.9)."""
        return {}

    def score_refusal(self, status: int, body: bytes) -> ScoreRefusal:
        """What it means that a well-formed score was answered so (AGS §3.4)."""
        return ScoreRefusal.STALE if status == 409 else ScoreRefusal.OTHER

    def next_page_url(self, link_next: str, requested: Mapping[str, str]) -> str:
        """The next page: the ``next`` link as it stands, unless a product loses parts of ``requested``.

        The name of a link (``rlid``) is put back on every platform: a later page without it would list the
        whole course, and let everybody on it pass.
        """
        return with_lost(link_next, "rlid", requested)

    def column_guidance(
        self, issuer: str, context_id_on_platform: str, line_item_url: str
    ) -> ColumnGuidance | None:
        """Links that lead a teacher straight to a mirror column, where the product has such pages."""
        return None

    def formula_for(self, id_numbers: Sequence[str]) -> str:
        """The formula that copies the activities named by ``id_numbers`` into a mirror column.

        :raises ValueError: where the product has no formulas, or an id number cannot stand in one.
        """
        raise ValueError("this platform has no gradebook formulas")

    def suggested_id_number(self, label: str) -> str:
        """An ID number to give the activity that people call ``label``: "Quiz 1" → ``quiz1``."""
        ascii_label = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode()
        return "".join(c for c in ascii_label.lower() if c.isalnum())[:40] or "activity1"

    def is_masquerading(self, custom: Mapping[str, str]) -> bool:
        """Whether somebody acts as somebody else, or views the course as a student would."""
        return False


def origin_path(issuer: str) -> str | None:
    """``issuer`` without its last slash where it is an http(s) URL without query, else ``None``."""
    if not issuer.startswith(("https://", "http://")) or any(c in issuer for c in "?#\\ \r\n\t\"'<>"):
        return None
    return issuer.rstrip("/")


def with_lost(link_next: str, name: str, requested: Mapping[str, str]) -> str:
    """A ``next`` link with the parameter ``name`` of the first request, where the link has lost it; the rest
    stays as it stands."""
    value = requested.get(name)
    parts = urlsplit(link_next)
    if value is None or any(name == given for given, _ in parse_qsl(parts.query, keep_blank_values=True)):
        return link_next
    query = f"{parts.query}&" if parts.query else ""
    return urlunsplit(parts._replace(query=f"{query}{name}={quote(value, safe='')}"))
