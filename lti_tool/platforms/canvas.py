"""Canvas: read in its source (commits named in each quirk); not run against yet."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar
from urllib.parse import urlsplit

from lti_tool.platforms.spec import (
    ConnectionGuidance,
    ConnectionSteps,
    GateKind,
    Platform,
    Quirk,
    ScoreRefusal,
    TotalOptOut,
    origin_path,
)


class Canvas(Platform):
    """Canvas LMS as an LTI 1.3 platform."""

    product: ClassVar[str] = "canvas"
    permission_place: ClassVar[str | None] = (
        "Admin › Developer Keys › (the tool's LTI key) › LTI Advantage Services"
    )
    permission_settings: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "lineitem": ("Can create and view assignment data in the gradebook associated with the tool."),
            "lineitem.readonly": "Can view assignment data in the gradebook associated with the tool.",
            "result.readonly": "Can view submission data for assignments associated with the tool.",
            "score": "Can create and update submission results for assignments associated with the tool.",
            "contextmembership.readonly": (
                "Can retrieve user data associated with the context the tool is installed in."
            ),
        }
    )
    may_have_storage: ClassVar[bool] = False
    gate_kind: ClassVar[GateKind] = GateKind.ASSIGNED_TO
    total_opt_out: ClassVar[TotalOptOut] = TotalOptOut.ASSIGNMENT_OPTION
    default_frame_origins: ClassVar[tuple[str, ...]] = ("https://*.instructure.com",)
    opens_results: ClassVar[bool] = True
    has_token_url_per_institution: ClassVar[bool] = True
    has_token_audience: ClassVar[bool] = False
    reviews_submissions: ClassVar[bool] = False
    connection_steps: ClassVar[ConnectionSteps] = ConnectionSteps.ENABLE
    calls_per_minute: ClassVar[int] = 1_200
    """Its leaky bucket of one client_id loses ten seconds of server time each second; this leaves half a
    second for each call."""
    custom_parameters: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            **Platform.custom_parameters,
            "student_view": "$com.instructure.User.student_view",
            "masquerade": "$Canvas.masqueradingUser.id",
            "link_id": "$ResourceLink.id",
            "assignment_id": "$Canvas.assignment.id",
        }
    )
    quirks: ClassVar[tuple[Quirk, ...]] = (
        Quirk(
            "canvas-shared-issuer",
            "Canvas",
            "cloud",
            "All institutions share one issuer: (issuer, client_id) names a registration and its tokens.",
            "doc/lti_dev_key_config.md",
        ),
        Quirk(
            "canvas-small-pages",
            "Canvas",
            "cloud",
            "Lists come in pages of ten unless a limit is sent; the roster never gives more than fifty.",
            "app/controllers/lti/ims/concerns/gradebook_services.rb",
        ),
        Quirk(
            "canvas-student-view",
            "Canvas",
            "cloud",
            "Student view and masquerading look like a learner's launch; only custom variables tell.",
            "lib/lti/variable_expander.rb",
        ),
        Quirk(
            "canvas-typed-variables",
            "Canvas",
            "cloud",
            "An expanded variable in a custom parameter may be a JSON number or boolean, not text.",
            "lib/lti/variable_expander.rb expand_variables!",
        ),
        Quirk(
            "canvas-score-attempts",
            "Canvas",
            "cloud",
            "A score counts as a new attempt and replaces a teacher's grade, unless its extension says no.",
            "app/controllers/lti/ims/scores_controller.rb",
        ),
        Quirk(
            "canvas-score-refusals",
            "Canvas",
            "cloud",
            "An earlier timestamp is 400, somebody who is no student 422; only the texts tell them from "
            "other refusals.",
            "app/controllers/lti/ims/scores_controller.rb, concerns/gradebook_services.rb",
        ),
        Quirk(
            "canvas-results-need-a-score",
            "Canvas",
            "cloud",
            "Results list only those to whom the tool has posted a score: a grade that a teacher typed "
            "before is in none, until it changes.",
            "app/models/lti/result.rb update_score_for_submission, results_controller.rb",
        ),
        Quirk(
            "canvas-frame-origins",
            "Canvas",
            "cloud",
            "The page around the frame is on the institution's name under instructure.com, not the issuer's.",
            "doc/lti_dev_key_config.md",
        ),
        Quirk(
            "canvas-token-url",
            "Canvas",
            "cloud",
            "Each institution hands out access tokens on a host of its own, though issuer and client_id are "
            "shared.",
            "doc/lti_dev_key_config.md, doc/api/oauth.md",
        ),
        Quirk(
            "canvas-copies",
            "Canvas",
            "cloud",
            "The issuers beta and test hold copies of the production's courses, people and deployments.",
            "doc/lti_dev_key_config.md",
        ),
        Quirk(
            "canvas-embedded-links",
            "Canvas",
            "cloud",
            "Links in a page may all be launched with the course's own id as resource_link.id.",
            "atomicjolt/lti_starter_app#416",
        ),
        Quirk(
            "canvas-roster-assigned",
            "Canvas",
            "cloud",
            "The roster of an assignment's link (rlid) leaves out students to whom it is not assigned; of a "
            "link in a module or page it lists everybody, and an unknown link is 400.",
            "app/controllers/lti/ims/providers/memberships_provider.rb",
        ),
        Quirk(
            "canvas-line-item-hosts",
            "Canvas",
            "cloud",
            "The host of a line item URL changes with the institution's domain; its path does not.",
            "app/controllers/lti/ims/concerns/gradebook_services.rb",
        ),
        Quirk(
            "canvas-line-item-dropped",
            "Canvas",
            "cloud",
            "accept_lineitem is not sent; only an assignment's link gets the column of a deep linking "
            "response.",
            "lib/lti/messages/deep_linking_request.rb",
        ),
        Quirk(
            "canvas-edited-links",
            "Canvas",
            "cloud",
            "Changing what an assignment's link opens sends a new deep linking request, which only custom "
            "variables tell from that of a new link.",
            "lib/lti/variable_expander.rb",
        ),
        Quirk(
            "canvas-registration-hosts",
            "Canvas",
            "cloud",
            "The configuration lies on the shared issuer's host and needs the registration token; the "
            "registration endpoint is on the institution's domain, keys and tokens on the sso host.",
            "app/controllers/security_controller.rb openid_configuration",
        ),
        Quirk(
            "canvas-authorization-server",
            "Canvas",
            "cloud",
            "authorization_server in the configuration is a bare host name, while token requests need the "
            "token URL as their audience.",
            "app/controllers/security_controller.rb, doc/api/registration.md",
        ),
        Quirk(
            "canvas-history-truncated",
            "Canvas",
            "cloud",
            "The histories of courses and links name a thousand ids at most, and then the word truncated.",
            "lib/lti/variable_expander.rb",
        ),
        Quirk(
            "canvas-line-item-delete",
            "Canvas",
            "cloud",
            "A line item that belongs to a link cannot be deleted (401), and one whose assignment was "
            "deleted is not found (404).",
            "app/controllers/lti/ims/line_items_controller.rb",
        ),
        Quirk(
            "canvas-storage-frame",
            "Canvas",
            "cloud",
            "Every login announces the frame post_message_forwarding, on the sso host, as storage; in the "
            "mobile apps nobody answers there.",
            "doc/api/lti_dev_key_config.md, doc/api/lti_window_post_message.md",
        ),
        Quirk(
            "canvas-throttling",
            "Canvas",
            "cloud",
            "Too many calls of one client_id are refused by 429, by 403 until October 2025, without "
            "Retry-After; X-Rate-Limit-Remaining tells beforehand, and each parallel call holds 50 of 600.",
            "app/middleware/request_throttle.rb",
        ),
    )

    def serves_institutions(self, issuer: str) -> bool:
        """Instructure's clouds: the configuration is the issuer's, what it names the institution's."""
        return issuer == _PRODUCTION or issuer in _COPIES

    def connection_guidance(
        self,
        issuer: str,  # noqa: ARG002 - institutions share it
        site: str,
    ) -> ConnectionGuidance | None:
        """The list of apps of the institution's own account."""
        base = origin_path(site)
        return None if base is None else ConnectionGuidance(f"{base}/accounts/self/settings/configurations")

    def link_id(self, link_id: str, context_id: str | None, badge_link_key: str | None) -> str:
        """A link in a page, launched under the course's id, is told from the others there by its key."""
        is_embedded = link_id == context_id and badge_link_key is not None
        return f"{link_id}/{badge_link_key}" if is_embedded else link_id

    def roster_link_id(self, link_id: str) -> str | None:
        """A link in a page has no name of its own: the course's id would list everybody."""
        return None if "/" in link_id else link_id

    def is_link_unknown(self, status: int) -> bool:
        """Canvas calls the parameter invalid (400)."""
        return status == 400 or super().is_link_unknown(status)

    def line_item_name(self, line_item_url: str) -> str:
        """The path: an institution may change its domain, or have several."""
        return urlsplit(line_item_url).path

    def copied_issuer(self, issuer: str) -> str | None:
        """``canvas.beta.instructure.com`` and ``canvas.test.instructure.com`` are copies."""
        return _PRODUCTION if issuer in _COPIES else None

    def roster_query(self, role: str | None = None, resource_link_id: str | None = None) -> dict[str, str]:
        """Asks for the largest page that Canvas gives."""
        return {**super().roster_query(role, resource_link_id), "limit": "50"}

    def results_query(self, user_id: str | None = None) -> dict[str, str]:
        """Asks for the largest page that Canvas gives."""
        query = super().results_query(user_id)
        return query if user_id is not None else {**query, "limit": "100"}

    def is_too_busy(self, status: int, headers: Mapping[str, str]) -> bool:
        """Canvas said 403 with an empty bucket until October 2025, 429 since."""
        return super().is_too_busy(status, headers) or (status == 403 and _remaining(headers) < 1)

    def is_nearly_too_busy(self, headers: Mapping[str, str]) -> bool:
        """Three more calls at once would be refused."""
        return _remaining(headers) < 3 * _HELD_BY_A_CALL

    def empty_score_extension(self) -> Mapping[str, object]:
        """No attempt, and nothing is cleared that stands there."""
        submission = {"new_submission": False, "preserve_score": True, "prioritize_non_tool_grade": True}
        return {"https://canvas.instructure.com/lti/submission": submission}

    def award_score_extension(self) -> Mapping[str, object]:
        """No attempt of the student's, and no grade that replaces a teacher's."""
        submission = {"new_submission": False, "prioritize_non_tool_grade": True}
        return {"https://canvas.instructure.com/lti/submission": submission}

    def score_refusal(self, status: int, body: bytes) -> ScoreRefusal:
        """Told by the text of the error, which is not translated."""
        if status == 422 and b"is not a student" in body:
            return ScoreRefusal.NOT_A_STUDENT
        if status == 400 and b"before last updated timestamp" in body:
            return ScoreRefusal.STALE
        return super().score_refusal(status, body)

    def line_items_query(self) -> dict[str, str]:
        """Asks for the largest page that Canvas gives."""
        return {"limit": "100"}

    def is_masquerading(self, custom: Mapping[str, str]) -> bool:
        """``$Canvas.masqueradingUser.id`` is only expanded while somebody masquerades."""
        masquerade = custom.get("masquerade", "").strip()
        student_view = custom.get("student_view", "").strip().lower()
        return (bool(masquerade) and not masquerade.startswith("$")) or student_view == "true"


_PRODUCTION = "https://canvas.instructure.com"
_COPIES = frozenset({"https://canvas.beta.instructure.com", "https://canvas.test.instructure.com"})
_HELD_BY_A_CALL = 50.0
"""What Canvas takes off the bucket while a call is under way, and gives back at its end."""


def _remaining(headers: Mapping[str, str]) -> float:
    """What Canvas says is left of the bucket; without end where it does not say."""
    try:
        return float(headers.get("X-Rate-Limit-Remaining", "inf"))
    except ValueError:
        return math.inf
