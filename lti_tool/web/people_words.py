"""What the pages of people's evidence say: problems of what was sent, states, sizes, what was done."""

from __future__ import annotations

from decimal import Decimal

from flask import Flask, request
from flask_babel import gettext as _
from flask_babel import ngettext

from lti_tool.services.evidence import (
    COMMENT_LENGTH,
    MOST_FILES,
    TEXT_LENGTH,
    EvidenceProblem,
    Trouble,
    host_of_link,
)
from lti_tool.services.evidence_files import FileProblem
from lti_tool.store import submissions
from lti_tool.web.i18n import number

KINDS_IN_WORDS = "PDF, PNG, JPEG, WebP, TXT, MD, ODT, ODS, ODP, DOCX, XLSX, PPTX"
"""Names of formats, the same in every language."""


def register(app: Flask) -> None:
    """Give the sentences to templates."""
    app.jinja_env.globals.update(
        submission_word=submission_word,
        submission_kind=submission_kind,
        file_size=file_size,
        host_of_link=host_of_link,
        people_done=people_done,
        file_kinds=KINDS_IN_WORDS,
    )


def trouble_sentence(trouble: Trouble, max_file_bytes: int) -> str:
    """What is wrong with one field of what was handed in or judged, and what to do."""
    limit = COMMENT_LENGTH if trouble.field == "comment" else TEXT_LENGTH
    sentences = {
        EvidenceProblem.NOTHING: _("There is nothing to hand in yet. Write, link or attach something."),
        EvidenceProblem.TOO_LONG: _("This is too long: at most %(limit)s characters.", limit=number(limit)),
        EvidenceProblem.NOT_A_LINK: _(
            "Enter a whole web address that begins with https:// or http://, without a password in it."
        ),
        EvidenceProblem.NOT_ACCEPTED: _("This rule does not take that. Hand in what it asks for."),
        EvidenceProblem.TOO_MANY_FILES: _(
            "These are too many files: at most %(limit)s, those handed in again included.",
            limit=number(MOST_FILES),
        ),
        EvidenceProblem.COMMENT_MISSING: _("Say what is missing: the learner reads it."),
        EvidenceProblem.ITEMS_OPEN: _(
            "Not ticked: %(items)s. Tick what is there, or give it back.", items="; ".join(trouble.items)
        ),
        FileProblem.EMPTY: _("“%(name)s” is empty.", name=trouble.name),
        FileProblem.TOO_LARGE: _(
            "“%(name)s” is too large: at most %(size)s.", name=trouble.name, size=file_size(max_file_bytes)
        ),
        FileProblem.TYPE_REFUSED: _(
            "“%(name)s” is of a type that is not taken. Taken are: %(types)s.",
            name=trouble.name,
            types=KINDS_IN_WORDS,
        ),
        FileProblem.CONTENT_DIFFERS: _(
            "“%(name)s” is damaged, or not what its name says. Open it in the program that made it, and save "
            "it again.",
            name=trouble.name,
        ),
        FileProblem.ENCODING_REFUSED: _(
            "The text in “%(name)s” cannot be read. Save it as UTF-8, or as a PDF.", name=trouble.name
        ),
        FileProblem.MACROS_REFUSED: _(
            "“%(name)s” contains macros. Save it without them, or as a PDF.", name=trouble.name
        ),
        FileProblem.ENCRYPTED: _(
            "“%(name)s” needs a password. Save it without one, or as a PDF.", name=trouble.name
        ),
        FileProblem.TOO_COMPLEX: _(
            "“%(name)s” has too many or too large parts. Save it as a PDF.", name=trouble.name
        ),
    }
    return sentences[trouble.code]


def submission_word(state: str, *, to_learner: bool = False) -> str:
    """The state of a submission in one or two words."""
    if state == submissions.SUBMITTED:
        return _("Waits for a teacher") if to_learner else _("Waiting")
    return {
        submissions.ACCEPTED: _("Accepted"),
        submissions.RETURNED: _("Given back"),
        submissions.WITHDRAWN: _("Taken back"),
    }.get(state, state)


def submission_kind(state: str) -> str:
    """How its pill looks."""
    kinds = {submissions.SUBMITTED: "wait", submissions.ACCEPTED: "good", submissions.RETURNED: "open"}
    return kinds.get(state, "plain")


def file_size(size: int) -> str:
    """Bytes, as people read them."""
    if size < 1024 * 1024:
        return _("%(number)s KB", number=number(max(1, round(size / 1024))))
    return _("%(number)s MB", number=number(Decimal(round(size * 10 / (1024 * 1024))) / 10))


def people_done() -> str:
    """What the page before this one did, said once (``?done=``); empty for anything else."""
    count = max(0, request.args.get("count", 0, type=int))
    done = request.args.get("done", "")
    if done == "attested":
        if not count:
            return _("They were confirmed already. Nothing was changed.")
        return ngettext(
            "%(count)s learner confirmed.", "%(count)s learners confirmed.", count, count=number(count)
        )
    if done == "unattested":
        if not count:
            return _("None of them was confirmed here. Nothing was changed.")
        return ngettext(
            "Taken back for %(count)s learner.",
            "Taken back for %(count)s learners.",
            count,
            count=number(count),
        )
    return {
        "handed-in": _("Handed in. A teacher looks at it next."),
        "withdrawn": _("Taken back. You can change it and hand it in again."),
        "accepted": _("Accepted. The learner sees it."),
        "returned": _("Given back. The learner reads your comment."),
    }.get(done, "")
