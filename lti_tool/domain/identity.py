"""Who launched, from where: one validated launch, as the rest of the tool sees it.

A :class:`Launch` is made by ``lti_tool.lti.launch`` after every check passed; nothing else makes one
outside tests. It keeps the least that the tool needs: unknown claims are not carried along.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from lti_tool.domain.roles import Rights

PURPOSES: Final[Mapping[str, str]] = {
    "LtiResourceLinkRequest": "link",
    "LtiDeepLinkingRequest": "choosing",
    "LtiSubmissionReviewRequest": "review",
    "DataPrivacyLaunchRequest": "privacy",
}
"""What the session of each message is for: a link was opened, content is chosen, one learner's work is looked
at, one person's data is asked for."""


@dataclass(frozen=True, slots=True)
class PlatformUser:
    """The person of a launch or roster entry, as the platform names them (LTI Core §5.3.6)."""

    sub: str
    """The platform's user id, at most 255 ASCII characters, unique within the issuer."""
    name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    email: str | None = None


ANONYMOUS: Final = PlatformUser(sub="")
"""Nobody: a platform that allows it sends no ``sub`` (LTI Core §5.3.6.1). No real one is empty."""


@dataclass(frozen=True, slots=True)
class CourseContext:
    """The context claim (LTI Core §5.4.1): ``id`` is only unique within the deployment."""

    id_on_platform: str
    label: str | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class LinkOnPlatform:
    """The resource link claim: of the link that was opened, or whose column a review is about."""

    id_on_platform: str
    title: str | None = None


@dataclass(frozen=True, slots=True)
class GradeService:
    """The AGS endpoint claim: what this launch granted, not what the registration hoped for."""

    scopes: frozenset[str]
    line_items_url: str | None
    line_item_url: str | None
    """The column coupled to this link; Moodle omits it where the link has several or none."""


@dataclass(frozen=True, slots=True)
class MembershipService:
    """The NRPS claim; Moodle leaves it out until the course holds an activity of the tool."""

    memberships_url: str


@dataclass(frozen=True, slots=True)
class DeepLinkingSettings:
    """What the platform accepts back (Deep Linking 2.0 §2.1)."""

    return_url: str
    accept_types: tuple[str, ...]
    accept_multiple: bool
    accept_line_item: bool | None
    data: str | None
    """Echoed if and only if it was sent."""
    title: str | None = None
    text: str | None = None
    accept_targets: tuple[str, ...] = ()
    """Of ``frame``, ``iframe``, ``window`` and ``embed``, those in which content may be shown."""
    accept_media_types: tuple[str, ...] | None = None
    """Media types, ``image/*`` among them; ``None`` where the platform names none, and so takes any."""
    edited_link: str | None = None
    """The platform's id of the link that is being changed, where the request is about one that is there."""
    edited_activity: str | None = None
    """The platform's own number of the activity whose link is being changed, where it names that instead."""


@dataclass(frozen=True, slots=True)
class Launch:
    """One launch or deep linking request that passed every check but the last (the nonce's use).

    ``accept_launch`` consumes ``nonce`` in the transaction that records the launch, so that two
    copies of one token never both count.
    """

    registration_id: str
    issuer: str
    client_id: str
    product: str
    """Which ``lti_tool.platforms`` entry speaks for this LMS; only that room compares it."""
    deployment_id: str
    message_type: str
    user: PlatformUser
    rights: Rights
    roles: tuple[str, ...]
    nonce: str
    issued_at: datetime
    expires_at: datetime
    target_link_uri: str
    context: CourseContext | None = None
    link: LinkOnPlatform | None = None
    custom: Mapping[str, str] = field(default_factory=dict)
    """Custom parameters; values that start with ``$`` were not expanded and are left out."""
    grades: GradeService | None = None
    memberships: MembershipService | None = None
    deep_linking: DeepLinkingSettings | None = None
    groups_url: str | None = None
    """Where the course's groups can be read, if the launch permits it (Course Groups 1.0)."""
    notices_url: str | None = None
    """Where the platform lets the tool ask for notifications."""
    return_url: str | None = None
    locale: str | None = None
    frame_origins: tuple[str, ...] = ()
    """Origins of the signed return URLs and of tool_platform.url: who may frame the answer."""
    course_module_id: str | None = None
    """The platform's own number of the activity, where its login hint names it (Moodle: cmid)."""
    is_masquerading: bool = False
    """Somebody acts as somebody else, or views as a student: read only, never awarded."""
    is_cookie_bound: bool = True
    """Whether the browser kept the state cookie; if not, the session travels in the path."""
    for_user: str | None = None
    """The platform's id of the person whom a review or a privacy launch is about."""
    clock_skew: float = 0.0
    """Seconds by which this launch proves the platform's clock to be ahead of ours (behind: negative)."""

    @property
    def is_anonymous(self) -> bool:
        """Nobody in particular: shown what is there, and nothing is kept."""
        return self.user.sub == ANONYMOUS.sub

    @property
    def purpose(self) -> str:
        """What the session is for: see :data:`PURPOSES`."""
        return PURPOSES[self.message_type]

    @property
    def badge_link_key(self) -> str | None:
        """The tool's own opaque key of the link; survives course copies."""
        return self.custom.get("badge_link_key") or None

    @property
    def badge_link_role(self) -> str:
        """``badge``, ``gate``, ``wallet`` or ``dashboard``; a link that says nothing is a wallet."""
        role = self.custom.get("badge_link_role", "")
        if role in ("badge", "gate", "wallet", "dashboard"):
            return role
        return "badge" if self.badge_link_key else "wallet"
