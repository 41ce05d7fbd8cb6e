"""Verdicts, runs, platform troubles and problems of forms in words; criteria have a room of their own.

The pure rooms return codes and numbers; this is where they become sentences in the reader's language.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flask import Flask
from flask_babel import gettext as _

from lti_tool.domain.awarding import Exclusion, Verdict
from lti_tool.domain.criteria import State
from lti_tool.domain.freshness import Staleness
from lti_tool.store.runs import SyncStep
from lti_tool.web.badge_details import detail_label
from lti_tool.web.correction_words import correction_label, correction_problem
from lti_tool.web.endorsement_words import endorsement_problem
from lti_tool.web.error_texts import text_of
from lti_tool.web.form_words import builder_label, builder_problem, code_problem
from lti_tool.web.picture_words import picture_problem

if TYPE_CHECKING:
    from lti_tool.store.runs import RunView


def register(app: Flask) -> None:
    """Give the sentences to templates."""
    app.jinja_env.globals.update(
        trouble=trouble,
        trouble_advice=trouble_advice,
        verdict_word=verdict_word,
        verdict_kind=verdict_kind,
        run_step=run_step,
        staleness_sentence=staleness_sentence,
        field_label=field_label,
        exclusion_sentence=exclusion_sentence,
    )


def trouble(code: str) -> str:
    """What kept a reading from working, in one sentence."""
    return str(text_of(code).happened)


def trouble_advice(code: str) -> str:
    """What those who teach can do about it."""
    return str(text_of(code).advice)


def verdict_word(verdict: Verdict | str, state: State | str, *, has_badge: bool = True) -> str:
    """A learner's standing in one or two words.

    :param has_badge: there is a badge to earn, and not only a completion to record.
    """
    verdict = Verdict(verdict)
    if verdict in (Verdict.HELD, Verdict.AWARD):
        return _("Earned") if has_badge else _("Completed")
    if verdict is Verdict.REVIEW:
        return _("Results changed")
    if verdict is Verdict.UNPROVED:
        return _("Waiting")
    if verdict is Verdict.EXCLUDED:
        return _("Not counted")
    return _("Not yet") if State(state) is State.NOT_MET else _("No data yet")


def exclusion_sentence(exclusion: Exclusion | str) -> str:
    """Why somebody is never awarded in this course."""
    return {
        Exclusion.STAFF: _("Teaches or runs this course."),
        Exclusion.TEST_USER: _("A test account."),
        Exclusion.NOT_A_LEARNER: _("Does not take part as a learner."),
        Exclusion.LEFT: _("Is no longer in the course."),
        Exclusion.NOT_A_STUDENT: _("Is not a student according to the learning management system."),
    }[Exclusion(exclusion)]


def verdict_kind(verdict: Verdict | str, state: State | str) -> str:
    """The pill that goes with :func:`verdict_word`."""
    verdict = Verdict(verdict)
    if verdict in (Verdict.HELD, Verdict.AWARD):
        return "good"
    if verdict in (Verdict.REVIEW, Verdict.UNPROVED):
        return "wait"
    return "plain" if verdict is Verdict.EXCLUDED or State(state) is State.UNKNOWN else "open"


def staleness_sentence(staleness: Staleness | str) -> str:
    """Why a course is shown older than was promised, for those who look at it."""
    sentences: dict[str, str] = {
        Staleness.NEVER_READ: _("Nothing has been read from the learning platform yet."),
        Staleness.PLATFORM_RESTS: _(
            "The learning platform is busy and asked to be left alone, so this is older than usual."
        ),
        Staleness.PLATFORM_SILENT: _(
            "The learning platform did not answer for the last time, so this is older than usual."
        ),
        Staleness.CALLS_SPENT: _(
            "So much is read from the learning platform at present that every course waits a little longer."
        ),
        Staleness.PLATFORM_SLOWED: _(
            "The learning platform was too busy lately and is asked more slowly, so this is older than usual."
        ),
        Staleness.LATE: _("Reading from the learning platform is late."),
    }
    return sentences[Staleness(staleness)]


def run_step(run: RunView) -> str:
    """What a run is doing just now."""
    if run.status == "waiting":
        return _("Waiting for its turn …")
    steps: dict[str, str] = {
        SyncStep.ROSTER: _("Reading participants …"),
        SyncStep.RESULTS: _("Reading grades …"),
        SyncStep.GATES: _("Reading who passes …"),
        SyncStep.DECISIONS: _("Deciding …"),
        SyncStep.CREDENTIALS: _("Signing badges …"),
    }
    return steps.get(run.step, _("Reading from the learning platform …"))


def problem_sentence(code: str, params: Mapping[str, object]) -> str:
    """What is wrong with one field of the micromodule form."""
    sentences = {
        "required": _("Please fill this in."),
        "too_long": _("This is too long: at most %(limit)s characters.", limit=params.get("limit", "")),
        "too_many": _("These are too many: at most %(limit)s.", limit=params.get("limit", "")),
        "not_a_number": _("Enter a number."),
        "out_of_range": _(
            "Enter a number from %(low)s to %(high)s.", low=params.get("low", ""), high=params.get("high", "")
        ),
        "unknown_choice": _("Choose one of the list."),
        "nothing_chosen": _("Tick at least one in the list."),
        "category_empty": _(
            "There is no published micromodule in this category yet, so nobody could complete it."
        ),
        "category_too_large": _(
            "The category has %(number)s micromodules, and a list can name at most %(limit)s. Choose the "
            "other answer, or a smaller category.",
            number=params.get("number", ""),
            limit=params.get("limit", ""),
        ),
        "count_of_one": _("Leave this empty: the rule asks for one thing."),
        "control_character": _(
            "This contains an invisible character that cannot be signed. Type the text again."
        ),
        "label_used_twice": _(
            "One assessment cannot be read in two ways. Use the same way, or another name."
        ),
        "characters_not_in_font": _("The picture cannot show some of these characters. Use others."),
        "colour_invalid": _("Enter a colour such as #0b6a5d."),
        "name_taken": _("This name is taken. Choose another one."),
        "not_a_url": _("Enter a whole web address that begins with https://."),
        "not_an_address": _("Enter an e-mail address such as badges@example.edu."),
        "not_an_origin": _(
            "Enter one address of a website on each line, such as https://lms.example.edu: "
            "%(given)s is none.",
            given=params.get("given", ""),
        ),
        "contrast_too_low": _(
            "Picture and background are too similar to tell apart. Choose a darker or lighter colour."
        ),
    }
    return (
        sentences.get(code)
        or builder_problem(code, params)
        or picture_problem(code, params)
        or endorsement_problem(code, params)
        or correction_problem(code)
        or code_problem(code)
        or _("This cannot be used as it is.")
    )


def field_label(name: str) -> str:
    """What the micromodule form calls a field, for the list of problems at its top."""
    labels = {
        "name": _("Name"),
        "description": _("Description"),
        "skills": _("Skills"),
        "whats_new": _("What is new"),
        "policy": _("What happens to badges of former versions"),
        "expires_on": _("Last day"),
        "combination": _("How the rules count together"),
        "at_least_count": _("How many"),
        "shape": _("Shape"),
        "icon": _("Icon"),
        "background": _("Background"),
        "foreground": _("Icon and text"),
        "text": _("Text on the badge"),
        "image_alt": _("Description of the picture"),
        "picture": _("Picture file"),
        "terms_url": _("Terms of use"),
        "token_algorithm": _("Signature of badges as tokens (JWT)"),
        "palette": _("Colours"),
        "url": _("Website"),
        "email": _("E-mail address"),
        "reason": _("Reason"),
        "address": _("Address of its public page"),
        "issuer_id": _("On whose behalf"),
        "comment": _("What you say of it"),
        "role": _("Role"),
        "frame_origins": _("Websites that may show the tool"),
        "token": _("Sign-in link"),
        "days": _("Days that the link works"),
        "file": _("File"),
        "count": _("How many different micromodules"),
        "category_id": _("Category"),
        "addition_policy": _("A micromodule that joins the category later"),
        "design": _("Picture"),
        "answerable_id": _("Who answers for it"),
        "contact": _("Somebody without an account here"),
        "review_every_months": _("Months between reviews"),
        "review_on": _("Next review"),
        "next_on": _("Next review"),
        "note": _("What you found"),
        "chosen": _("What is ticked"),
    }
    if name in labels:
        return labels[name]
    return builder_label(name) or detail_label(name) or correction_label(name) or name


def shape_word(name: str) -> str:
    """A shape of the composer."""
    return {
        "circle": _("Circle"),
        "hexagon": _("Hexagon"),
        "octagon": _("Octagon"),
        "shield": _("Shield"),
        "rosette": _("Rosette"),
        "square": _("Square"),
        "diamond": _("Diamond"),
    }.get(name, name)


def icon_word(name: str) -> str:
    """An icon of the composer."""
    return {
        "anchor": _("Anchor"),
        "atom": _("Atom"),
        "award": _("Rosette"),
        "badge-check": _("Badge with a tick"),
        "book-open": _("Open book"),
        "brain": _("Brain"),
        "calculator": _("Calculator"),
        "camera": _("Camera"),
        "chart-line": _("Chart"),
        "clock": _("Clock"),
        "code": _("Code"),
        "compass": _("Compass"),
        "cpu": _("Processor"),
        "database": _("Database"),
        "dna": _("DNA"),
        "flag": _("Flag"),
        "flask-conical": _("Flask"),
        "globe": _("Globe"),
        "graduation-cap": _("Graduation cap"),
        "hammer": _("Hammer"),
        "handshake": _("Handshake"),
        "heart": _("Heart"),
        "languages": _("Languages"),
        "leaf": _("Leaf"),
        "lightbulb": _("Lightbulb"),
        "map": _("Map"),
        "medal": _("Medal"),
        "message-circle": _("Speech bubble"),
        "microscope": _("Microscope"),
        "mountain": _("Mountain"),
        "music": _("Music"),
        "palette": _("Palette"),
        "pencil": _("Pencil"),
        "puzzle": _("Puzzle"),
        "rocket": _("Rocket"),
        "scale": _("Scales"),
        "search": _("Magnifying glass"),
        "shield-check": _("Shield with a tick"),
        "sigma": _("Sum sign"),
        "sprout": _("Sprout"),
        "star": _("Star"),
        "stethoscope": _("Stethoscope"),
        "sun": _("Sun"),
        "target": _("Target"),
        "telescope": _("Telescope"),
        "trophy": _("Trophy"),
        "users": _("People"),
        "wrench": _("Wrench"),
    }.get(name, name.replace("-", " ").capitalize())
