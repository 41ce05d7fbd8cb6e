"""Pictures that people bring themselves, and the colours of their organisation."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from lti_tool.credentials.errors import ImageInvalid
from lti_tool.credentials.uploads import (
    MAXIMUM_BYTES,
    MAXIMUM_PIXELS,
    Upload,
    sanitise_apart,
)
from lti_tool.domain.staff import Permission
from lti_tool.errors import ErrorCode, RequestInvalid
from lti_tool.services.form_problems import FormProblem, Problem
from lti_tool.services.launching import SessionView
from lti_tool.services.rights import configured_course
from lti_tool.services.staffing import Acting
from lti_tool.store import audit
from lti_tool.store import pictures as store
from lti_tool.store.database import Database
from lti_tool.store.pictures import PictureView

FIELD: Final = "picture"
"""The form field that a refused picture is named by."""
UPLOADS_A_DAY: Final = 100
"""Of one person: each is kept, since badges that are being described may name it."""
MAXIMUM_COLOURS: Final = 8
_COLOUR: Final = re.compile(r"#[0-9a-f]{6}")
_SHORT_COLOUR: Final = re.compile(r"#[0-9a-f]{3}")

_PROBLEMS: Final[Mapping[str, FormProblem]] = {
    "empty": FormProblem.PICTURE_EMPTY,
    "too_large": FormProblem.PICTURE_TOO_LARGE,
    "too_many_pixels": FormProblem.PICTURE_TOO_MANY_PIXELS,
    "type_unknown": FormProblem.PICTURE_TYPE,
    "broken": FormProblem.PICTURE_BROKEN,
    "blank": FormProblem.PICTURE_BLANK,
    "not_svg": FormProblem.PICTURE_NOT_PLAIN,
    "no_size": FormProblem.PICTURE_NOT_PLAIN,
    "too_complex": FormProblem.PICTURE_TOO_COMPLEX,
    "took_too_long": FormProblem.PICTURE_TOO_COMPLEX,
    "letters_unknown": FormProblem.PICTURE_LETTERS,
    "busy": FormProblem.PICTURE_BUSY,
}


@dataclass(frozen=True)
class Pictures:
    """Takes pictures in, as ours."""

    database: Database
    clock: Callable[[], datetime]
    sanitise: Callable[[bytes], Upload] = sanitise_apart

    def accept(self, organisation_id: str, content: bytes, actor: str) -> PictureView:
        """Keep what somebody uploaded, drawn anew; the same picture is kept once.

        :param content: a PNG, JPEG, WebP, GIF (its first frame) or SVG of at most 2 MB.
        :param actor: who uploads it, ``staff:<id>`` or ``learner:<id>``; whether they may is for the caller.
        :raises RequestInvalid: ``form_invalid`` with one problem of the field ``picture``.
        """
        now = self.clock()
        with self.database.read() as reading:
            before = store.uploads_since(reading, organisation_id, actor, now - timedelta(days=1))
        if before >= UPLOADS_A_DAY:
            raise _refused(FormProblem.PICTURE_TOO_MANY, limit=UPLOADS_A_DAY)
        try:
            made = self.sanitise(content)
        except ImageInvalid as error:
            raise _refused(
                _PROBLEMS.get(error.reason, FormProblem.PICTURE_BROKEN),
                megabytes=MAXIMUM_BYTES // 1024**2,
                megapixels=MAXIMUM_PIXELS // 10**6,
            ) from error
        digest = hashlib.sha256(made.svg.encode()).hexdigest()
        with self.database.write() as writing:
            known = store.with_digest(writing, organisation_id, digest)
            if known is not None:
                return known
            kept = store.add(
                writing,
                organisation_id,
                digest=digest,
                svg=made.svg,
                png=made.png,
                uploaded_by=actor,
                now=now,
            )
            audit.record(
                writing,
                organisation_id,
                at=now,
                actor=actor,
                action="picture.uploaded",
                subject_kind="picture",
                subject_id=kept.id,
                detail={"sha256": digest},
            )
        return kept

    def upload(self, session: SessionView, content: bytes) -> PictureView:
        """:meth:`accept` of somebody who describes a badge in a course.

        :raises NotAllowed: unless the person may configure the course's badges.
        :raises RequestInvalid: as :meth:`accept`.
        """
        organisation_id, _context_id = configured_course(session)
        return self.accept(organisation_id, content, f"{audit.LEARNER}{session.learner_id}")

    def find(self, organisation_id: str, picture_id: str) -> PictureView | None:
        """A picture of this organisation; ``None`` for another's."""
        with self.database.read() as reading:
            return store.picture(reading, organisation_id, picture_id)

    def palette(self, organisation_id: str) -> tuple[str, ...]:
        """The organisation's colours, ``#rrggbb``, in its order."""
        with self.database.read() as reading:
            return store.palette(reading, organisation_id)

    def set_palette(self, staff: Acting, text: str) -> tuple[str, ...]:
        """Say what the organisation's colours are.

        :param text: one on each line, ``#rrggbb`` or ``#rgb``; empty for none.
        :raises NotAllowed: without the right to its micromodules.
        :raises RequestInvalid: ``form_invalid`` with a problem of the field ``palette``.
        """
        staff.require(Permission.EDIT_MICROMODULES)
        colours = _colours(text)
        with self.database.write() as writing:
            former = store.palette(writing, staff.organisation_id)
            if former == colours:
                return colours
            store.set_palette(writing, staff.organisation_id, colours)
            audit.record(
                writing,
                staff.organisation_id,
                at=self.clock(),
                actor=staff.actor,
                action="organisation.palette_changed",
                subject_kind="organisation",
                subject_id=staff.organisation_id,
                detail={"from": list(former), "to": list(colours)},
            )
        return colours


def _colours(text: str) -> tuple[str, ...]:
    found = []
    for word in re.split(r"[\s,;]+", text.strip().lower()):
        if not word:
            continue
        if _SHORT_COLOUR.fullmatch(word):
            word = "#" + "".join(2 * digit for digit in word[1:])
        if not _COLOUR.fullmatch(word):
            problem = Problem("palette", FormProblem.NOT_COLOURS, {"given": word[:40]})
            raise RequestInvalid(ErrorCode.FORM_INVALID, "no colour", problems=(problem,))
        found.append(word)
    colours = tuple(dict.fromkeys(found))
    if len(colours) > MAXIMUM_COLOURS:
        problem = Problem("palette", FormProblem.TOO_MANY, {"limit": MAXIMUM_COLOURS})
        raise RequestInvalid(ErrorCode.FORM_INVALID, "too many colours", problems=(problem,))
    return colours


def _refused(code: FormProblem, **params: object) -> RequestInvalid:
    problem = Problem(FIELD, code, params)
    return RequestInvalid(ErrorCode.FORM_INVALID, f"picture: {code}", problems=(problem,))
