"""What the pages of reviews say: why a badge is looked at again, and what became of it."""

from __future__ import annotations

from flask import Flask, request
from flask_babel import gettext as _
from flask_babel import ngettext

from lti_tool.services.reviews import MOST_AT_ONCE
from lti_tool.store.reviews import ReviewRow


def register(app: Flask) -> None:
    """Give the sentences to templates."""
    app.jinja_env.globals.update(
        review_cause=review_cause,
        review_cause_sentence=review_cause_sentence,
        review_state=review_state,
        review_kind=review_kind,
        review_done=review_done,
        reviews_left=reviews_left,
    )


def review_cause(cause: str) -> str:
    """Why, in a few words."""
    return {
        "facts": _("Results changed"),
        "left": _("No longer in the course"),
        "reset": _("The course was reset"),
        "gate": _("An activity was open to everybody"),
    }.get(cause, cause)


def review_cause_sentence(cause: str) -> str:
    """Why, and what it may mean."""
    return {
        "facts": _(
            "A grade or another result that the badge rests on was lowered, taken back or deleted since the "
            "award."
        ),
        "left": _(
            "The list of participants does not name this person any more. That is how many courses end, and "
            "then it says nothing about the badge."
        ),
        "reset": _(
            "Nearly all learners or grades were gone from the learning platform at once. Then what is "
            "missing says nothing about this person."
        ),
        "gate": _(
            "The badge rests on an activity that suddenly let everybody through. Look at its restrictions, "
            "and confirm it again: then this settles by itself."
        ),
    }.get(cause, "")


def review_state(review: ReviewRow) -> str:
    """How far it is, in a few words."""
    if review.status == "asked":
        return _("Answered") if review.answered_at is not None else _("Asked the learner")
    if review.status == "revoked":
        return _("To be revoked") if review.is_pending else _("Revoked")
    if review.is_asked_once_more:
        return _("To be decided once more")
    if review.status == "settled" and review.spared_at is not None:
        return _("Not revoked after all")
    if review.has_ended:
        return _("The badge had ended")
    return {
        "open": _("To be decided"),
        "kept": _("Kept"),
        "settled": _("Settled by itself"),
    }.get(review.status, review.status)


def review_kind(review: ReviewRow) -> str:
    """The kind of pill for it."""
    if review.status == "asked":
        return "plain" if review.answered_at is None else "wait"
    return {"open": "wait", "kept": "good", "revoked": "bad"}.get(review.status, "plain")


def _number(name: str) -> int:
    """A number that came by way of an address; 0 for anything else."""
    given = request.args.get(name, 0, type=int)
    return given if 0 < given <= MOST_AT_ONCE else 0


def reviews_left() -> int:
    """How many of the chosen were left as they are (``?left=``)."""
    return _number("left")


def review_done() -> str:
    """What the page before this one did, said once (``?done=``); empty for anything else."""
    done = request.args.get("done", "")
    count = _number("count")
    if done in ("kept", "revoked") and "count" in request.args and not count:
        # Of many, none: somebody else decided them all, or their facts are others by now.
        return ""
    if done in ("kept", "revoked") and count:
        if done == "kept":
            return ngettext("%(num)s badge stays.", "%(num)s badges stay.", count)
        return ngettext(
            "%(num)s badge is going to be revoked.", "%(num)s badges are going to be revoked.", count
        )
    return {
        "kept": _("The badge stays."),
        "revoked": _("The badge is going to be revoked."),
        "undone": _("Undone. The badge was not revoked."),
        "asked": _("Asked. The question stands in the learner's wallet."),
        "answered": _("Thank you. Your teacher reads it."),
    }.get(done, "")
