"""Canvas: read in its source (commits named in each quirk); not run against yet."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from lti_tool.platforms.spec import Platform, Quirk


class Canvas(Platform):
    """Canvas LMS as an LTI 1.3 platform."""

    product: ClassVar[str] = "canvas"
    may_have_storage: ClassVar[bool] = False
    default_frame_origins: ClassVar[tuple[str, ...]] = ("https://*.instructure.com",)
    has_token_url_per_institution: ClassVar[bool] = True
    custom_parameters: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            **Platform.custom_parameters,
            "student_view": "$com.instructure.User.student_view",
            "masquerade": "$Canvas.masqueradingUser.id",
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
            "canvas-frame-origins",
            "Canvas",
            "cloud",
            "The page around the frame is on the institution's name under instructure.com, not the issuer's.",
            "doc/lti_dev_key_config.md",
        ),
    )

    def roster_query(self, role: str | None = None, resource_link_id: str | None = None) -> dict[str, str]:
        """Asks for the largest page that Canvas gives."""
        return {**super().roster_query(role, resource_link_id), "limit": "50"}

    def results_query(self, user_id: str | None = None) -> dict[str, str]:
        """Asks for the largest page that Canvas gives."""
        query = super().results_query(user_id)
        return query if user_id is not None else {**query, "limit": "100"}

    def line_items_query(self) -> dict[str, str]:
        """Asks for the largest page that Canvas gives."""
        return {"limit": "100"}

    def is_masquerading(self, custom: Mapping[str, str]) -> bool:
        """``$Canvas.masqueradingUser.id`` is only expanded while somebody masquerades."""
        masquerade = custom.get("masquerade", "").strip()
        student_view = custom.get("student_view", "").strip().lower()
        return (bool(masquerade) and not masquerade.startswith("$")) or student_view == "true"
