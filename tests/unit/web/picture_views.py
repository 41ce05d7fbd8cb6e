"""Pictures and colours of the sample organisation."""

from __future__ import annotations

from typing import Any

from lti_tool.credentials.uploads import sanitise
from lti_tool.store.pictures import PictureView
from tests.unit.web.sample_views import NOW

DRAWING = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 80 60"><path d="M5 55L30 15L50 40L60 28L75 55Z" '
    b'fill="#1f6f54"/><circle cx="62" cy="14" r="9" fill="#e0a100"/></svg>'
)
PICTURE_ID = "9" * 32


class SamplePictures:
    """One picture, and whatever colours a test gives; changes are recorded."""

    def __init__(self, called: Any) -> None:
        made = sanitise(DRAWING)
        self.picture = PictureView(
            PICTURE_ID, "organisation-1", "0" * 64, made.svg, made.png, "learner:learner-1", NOW
        )
        self.colours: tuple[str, ...] = ()
        self.set_palette = called("set_palette", ())
        self.upload = called("upload", self.picture)
        self.accept = called("accept", self.picture)

    def palette(self, organisation_id: str) -> tuple[str, ...]:
        return self.colours

    def find(self, organisation_id: str, picture_id: str) -> PictureView | None:
        return self.picture if picture_id == PICTURE_ID else None


def in_colours(tool: Any) -> None:
    """The organisation has colours of its own."""
    tool.pictures.colours = ("#7a1f3d", "#f2b705", "#12355b")
