"""Skills frameworks of an organisation: imported from files, searched when a badge is described."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lti_tool.domain.staff import Permission
from lti_tool.errors import ErrorCode, NotAllowed, NotFound, RequestInvalid
from lti_tool.services.framework_files import FileRefused, FrameworkFile, fold, read_file
from lti_tool.services.launching import SessionView
from lti_tool.services.staffing import Acting
from lti_tool.store import audit
from lti_tool.store import frameworks as store
from lti_tool.store.database import Database
from lti_tool.store.frameworks import FrameworkView, Renewal, SkillView

QUERY_LENGTH: Final = 200
QUERY_WORDS: Final = 8
SHORTEST_QUERY: Final = 2
"""Characters; one letter finds everything."""
RESULTS: Final = 20


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    framework: FrameworkView
    renewal: Renewal
    repeated: int
    """Rows of the file with an address that came before; the first counted."""
    left_out: int
    """Rows that say of themselves that they are obsolete."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found."""

    text: str
    skills: tuple[SkillView, ...] = ()
    has_more: bool = False
    is_too_short: bool = False
    has_frameworks: bool = True
    """Whether there is anything to search in."""


@dataclass(frozen=True)
class Frameworks:
    """Imports, lists, searches and removes; each organisation sees its own."""

    database: Database
    clock: Callable[[], datetime]

    def import_file(
        self,
        by: Acting,
        content: bytes,
        *,
        file_name: str = "",
        language: str | None = None,
        version: str | None = None,
    ) -> Imported:
        """Take a table of ESCO or a CASE package; the same framework imported before is renewed by it.

        What the new file does not hold any more is removed. Badges keep their alignments: those were copied.

        :param language: BCP 47, and ``version``: where the file does not tell them.
        :raises NotAllowed: without EDIT_MICROMODULES.
        :raises RequestInvalid: FRAMEWORK_FILE_INVALID with ``problem`` (a
            :class:`~lti_tool.services.framework_files.FileProblem`) and the values of its sentence; nothing
            was changed.
        """
        by.require(Permission.EDIT_MICROMODULES)
        try:
            # Before the transaction: reading 14,000 rows takes a second, in which others want to write.
            file = read_file(content, file_name=file_name, language=language or None, version=version)
        except FileRefused as refused:
            raise RequestInvalid(
                ErrorCode.FRAMEWORK_FILE_INVALID, str(refused), problem=refused.problem, **refused.params
            ) from refused
        with self.database.write() as session:
            now = self.clock()
            framework_id = store.save(session, by.organisation_id, _head(file), actor=by.actor, now=now)
            renewal = store.replace_items(
                session,
                by.organisation_id,
                framework_id,
                (
                    {
                        "url": item.url,
                        "code": item.code,
                        "name": item.name,
                        "description": item.description,
                        "target_type": item.target_type,
                        "words": item.words,
                    }
                    for item in file.items
                ),
            )
            audit.record(
                session,
                by.organisation_id,
                at=now,
                actor=by.actor,
                action="framework.imported",
                subject_kind="framework",
                subject_id=framework_id,
                detail={
                    "name": file.name,
                    "items": len(file.items),
                    "added": renewal.added,
                    "changed": renewal.changed,
                    "removed": renewal.removed,
                },
            )
            view = store.framework(session, by.organisation_id, framework_id)
            assert view is not None
        return Imported(view, renewal, file.repeated, file.left_out)

    def list(self, organisation_id: str) -> tuple[FrameworkView, ...]:
        """Every framework of an organisation, by name."""
        with self.database.read() as session:
            return store.list_frameworks(session, organisation_id)

    def framework(self, organisation_id: str, framework_id: str) -> FrameworkView:
        """One framework of an organisation.

        :raises NotFound: NOT_FOUND.
        """
        with self.database.read() as session:
            view = store.framework(session, organisation_id, framework_id)
        if view is None:
            raise NotFound(ErrorCode.NOT_FOUND, f"no framework {framework_id}")
        return view

    def remove(self, by: Acting, framework_id: str) -> FrameworkView:
        """Remove a framework with its skills; badges keep what they are aligned to.

        :raises NotAllowed: without EDIT_MICROMODULES. :raises NotFound: NOT_FOUND.
        """
        by.require(Permission.EDIT_MICROMODULES)
        with self.database.write() as session:
            view = store.framework(session, by.organisation_id, framework_id)
            if view is None or not store.remove(session, by.organisation_id, framework_id):
                raise NotFound(ErrorCode.NOT_FOUND, f"no framework {framework_id}")
            audit.record(
                session,
                by.organisation_id,
                at=self.clock(),
                actor=by.actor,
                action="framework.removed",
                subject_kind="framework",
                subject_id=framework_id,
                detail={"name": view.name, "items": view.items},
            )
        return view

    def search(self, organisation_id: str, text: str, *, language: str = "", limit: int = RESULTS) -> Found:
        """The skills of an organisation's frameworks in which every word of ``text`` stands.

        :param language: of who asks; skills in it come first where a name fits equally well.
        """
        folded = fold(text.replace("\0", "")[:QUERY_LENGTH])
        if len(folded) < SHORTEST_QUERY:
            with self.database.read() as session:
                return Found(
                    text, is_too_short=True, has_frameworks=store.has_items(session, organisation_id)
                )
        words = list(dict.fromkeys(folded.split(" ")))[:QUERY_WORDS]
        with self.database.read() as session:
            skills = store.search(session, organisation_id, folded, words, language=language, limit=limit + 1)
            has_frameworks = bool(skills) or store.has_items(session, organisation_id)
        return Found(text, skills[:limit], len(skills) > limit, has_frameworks=has_frameworks)

    def search_in_course(self, session_view: SessionView, text: str, *, language: str = "") -> Found:
        """The same for who describes a badge in a course.

        :raises NotAllowed: for anybody who may not configure.
        """
        if not session_view.can_configure:
            raise NotAllowed(ErrorCode.NOT_ALLOWED, "searching skills needs an editing role")
        return self.search(session_view.organisation_id, text, language=language)

    def skill(self, session_view: SessionView, item_id: str) -> SkillView:
        """One skill, to be taken into a badge.

        :raises NotAllowed: for anybody who may not configure. :raises NotFound: NOT_FOUND.
        """
        if not session_view.can_configure:
            raise NotAllowed(ErrorCode.NOT_ALLOWED, "taking a skill needs an editing role")
        return self.skill_of(session_view.organisation_id, item_id)

    def skill_of(self, organisation_id: str, item_id: str) -> SkillView:
        """One skill of an organisation's frameworks; who may take it is for the caller.

        :raises NotFound: NOT_FOUND.
        """
        with self.database.read() as session:
            found = store.skill(session, organisation_id, item_id)
        if found is None:
            raise NotFound(ErrorCode.NOT_FOUND, "no such skill")
        return found


def _head(file: FrameworkFile) -> dict[str, str | None]:
    return {
        "kind": file.kind.value,
        "url": file.url,
        "name": file.name,
        "version": file.version,
        "language": file.language,
    }
