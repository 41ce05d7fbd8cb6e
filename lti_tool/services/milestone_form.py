"""The form that describes a milestone: two ready templates, or criteria of one's own as they are stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from hashlib import sha256
from typing import Any, Final

from sqlalchemy.orm import Session

from lti_tool.credentials.designs import DESIGNS
from lti_tool.domain.criteria import (
    Completed,
    Criterion,
    HoldsAchievement,
    MicromodulesCompleted,
    leaves,
)
from lti_tool.domain.criteria_problems import MAXIMUM_LEAVES, CriteriaProblem, problems
from lti_tool.errors import Conflict, ErrorCode, RequestInvalid
from lti_tool.services.comparing import picture_of, renamed_alt
from lti_tool.services.criteria_format import dump_criteria, parse_criteria
from lti_tool.services.criteria_import import FIELD, LARGEST
from lti_tool.services.criteria_rows import one_line
from lti_tool.services.describing import drawn, own_description, picture_problems, summary_of
from lti_tool.services.form_problems import FormProblem, Problem, check_form
from lti_tool.services.micromodule_form import NAME_LENGTH, MicromoduleForm
from lti_tool.services.milestone_decisions import ALLOWED
from lti_tool.services.milestone_rules import NO_RULES, Rules, choices, criterion_of, rules_of
from lti_tool.services.version_drafts import UNSEEN
from lti_tool.store import catalogue, micromodules, pictures
from lti_tool.store import milestone_decisions as decisions
from lti_tool.store import milestones as store
from lti_tool.store.micromodules import NewMicromodule
from lti_tool.store.milestones import MilestoneView

EXPLORER, LEARNER, OWN = KINDS = ("explorer", "learner", "own")
KEEP, NEXT_VERSION = POLICIES = ("keep", "next_version")
MOST: Final = 5
"""Micromodules that the template "Explorer" asks for at most; it does by default."""
AS_IT_IS: Final = "as_it_is"
"""In the place of a design: the picture stays, which somebody corrected or uploaded."""


OF_COURSES: Final = ("score", "mean", "gate", "attested", "evidence")
"""Kinds of rules that milestones cannot have."""
_LOOK: Final = ("shape", "icon", "background", "foreground", "text", "picture_id")


@dataclass(frozen=True, slots=True)
class MilestoneForm:
    """Everything a person typed to describe a milestone."""

    kind: str = EXPLORER
    name: str = ""
    description: str = ""
    """May stay empty: then the criteria in words stand for it."""
    skills: str = ""
    count: str = str(MOST)
    """Of the template "Explorer"."""
    category_id: str = ""
    """Of the template "Learner"."""
    addition_policy: str = KEEP
    criteria_json: str = ""
    """Of one's own, as ``lti_tool.services.criteria_format`` reads it; where it says anything it is taken."""
    design: str = "general"
    """One of ``DESIGNS``, or :data:`AS_IT_IS` of what is there already."""
    rules: Rules = NO_RULES
    """Of one's own, without JSON."""

    @classmethod
    def from_fields(cls, values: Mapping[str, str]) -> MilestoneForm:
        """Read the HTML fields of the page; missing ones are empty, unknown ones are ignored."""
        kind = one_line(values.get("kind", ""))
        return cls(
            kind,
            one_line(values.get("name", "")),
            values.get("description", "").replace("\r\n", "\n").strip(),
            values.get("skills", "").replace("\r\n", "\n").strip(),
            one_line(values.get("count", "")),
            one_line(values.get("category_id", "")),
            one_line(values.get("addition_policy", "")) or KEEP,
            values.get(FIELD, "").strip(),
            one_line(values.get("design", "")) or "general",
            Rules.from_fields(values),
        )

    def to_fields(self) -> dict[str, str]:
        """The same form as HTML fields."""
        said = {one.name: str(getattr(self, one.name)) for one in fields(self) if one.name != "rules"}
        return said | self.rules.to_fields()


@dataclass(frozen=True, slots=True)
class Described:
    """A form that can be stored."""

    new: NewMicromodule
    category_id: str | None


def describe(
    session: Session,
    organisation_id: str,
    form: MilestoneForm,
    narrate: Callable[[Criterion], str],
    language: str,
    *,
    before: MilestoneView | None = None,
    drawn_before: Described | None = None,
) -> Described:
    """The form as it is stored, its picture drawn.

    :param before: what is there already: it cannot ask for its own badge, and a picture that stays keeps the
        words for those who cannot see it.
    :param drawn_before: the same form as it was described just before, outside the transaction that saves it:
        drawing takes longer than anybody may hold the lock. Everything else is looked at anew.
    :raises RequestInvalid: FORM_INVALID with ``problems``.
    :raises Conflict: CONFLICT, ``reason`` ``unseen``, where another picture would be drawn by now.
    """
    look = _look(form, before)
    drawing = look or {}
    words = MicromoduleForm(
        name=form.name,
        description=form.description,
        skills=form.skills,
        shape=drawing.get("shape", ""),
        icon=drawing.get("icon", ""),
        background=drawing.get("background", ""),
        foreground=drawing.get("foreground", ""),
        text=drawing.get("text", ""),
        picture_id=drawing.get("picture_id", ""),
    )
    words = replace(words, image_alt=_alt(words, before))
    uploaded = pictures.picture(session, organisation_id, words.picture_id) if words.picture_id else None
    found = list(words.word_problems())
    if look is None:
        found.append(Problem("design", FormProblem.UNKNOWN_CHOICE))
    else:
        wrong_pictures = picture_problems(words, uploaded)
        found += [
            replace(one, field="design") if one.field == "picture" else one
            for one in wrong_pictures
            if one.field != "image_alt"
        ]
    criterion, wrong = _criterion(session, organisation_id, form, before.achievement_id if before else None)
    check_form([*_each_once(found), *wrong])
    assert criterion is not None
    narrative = narrate(criterion)
    if drawn_before is None:
        svg, png = drawn(words, uploaded)
    elif (drawn_before.new.name, drawn_before.new.image_alt, drawn_before.new.artwork) == (
        form.name,
        words.image_alt,
        words.artwork(),
    ):
        svg, png = drawn_before.new.image_svg, drawn_before.new.image_png
    else:
        raise Conflict(ErrorCode.CONFLICT, "the picture was changed meanwhile", reason=UNSEEN)
    return Described(
        NewMicromodule(
            name=form.name,
            description=form.description,
            summary=summary_of(narrative),
            skills=words.skill_list,
            criteria=dump_criteria(criterion),
            criteria_narrative=narrative,
            language=language,
            artwork=words.artwork(),
            image_alt=words.image_alt,
            image_svg=svg,
            image_png=png,
            issuer_id=micromodules.default_issuer_id(session, organisation_id),
            achievement_type="Achievement",
        ),
        form.category_id if form.kind == LEARNER else None,
    )


def is_said(view: MilestoneView, form: MilestoneForm, described: Described) -> bool:
    """Whether what is there says all of this already: a button was pressed twice."""
    new = described.new
    return (
        (view.kind, view.name, view.skills, view.criteria_narrative, view.image_alt, view.artwork)
        == (form.kind, new.name, tuple(new.skills), new.criteria_narrative, new.image_alt, new.artwork)
        and own_description(view.description, view.criteria_narrative) == form.description
        and (view.category_id, view.addition_policy) == (described.category_id, form.addition_policy)
        and parse_criteria(view.criteria) == parse_criteria(new.criteria)
    )


def _look(form: MilestoneForm, before: MilestoneView | None) -> dict[str, str] | None:
    """What the picture is drawn from; ``None`` where that is not known."""
    if form.design == AS_IT_IS:
        return None if before is None else _look_of(before)
    design = DESIGNS.get(form.design)
    return None if design is None else asdict(design)


def _look_of(view: MilestoneView) -> dict[str, str]:
    artwork = view.artwork or {}
    return {name: str(artwork[name]) for name in _LOOK if artwork.get(name)}


def _alt(words: MicromoduleForm, before: MilestoneView | None) -> str:
    """What the picture shows, in words: they stay with it, and of a new one nobody has said anything."""
    if before is None or picture_of(before.artwork or {}) != picture_of(words.artwork()):
        return words.name
    alt = before.image_alt if words.picture_id else renamed_alt(before, words.name)
    return alt or words.name


def criterion_of_form(session: Session, form: MilestoneForm, before: MilestoneView) -> Criterion | None:
    """What the form asks for as of now; ``None`` where it cannot be asked for any more."""
    return _criterion(session, before.organisation_id, form, before.achievement_id)[0]


def _each_once(found: list[Problem]) -> list[Problem]:
    """The picture's words are the name: what is wrong with both is said of the name."""
    named = {("name" if one.field == "image_alt" else one.field, one.code): one for one in found}
    return [Problem(field, code, one.params) for (field, code), one in named.items()]


def _criterion(
    session: Session, organisation_id: str, form: MilestoneForm, achievement_id: str | None
) -> tuple[Criterion | None, list[Problem]]:
    if form.kind == EXPLORER:
        if form.count not in [str(number) for number in range(1, MOST + 1)]:
            return None, [Problem("count", FormProblem.OUT_OF_RANGE, {"low": 1, "high": MOST})]
        label = catalogue.organisation_name(session, organisation_id) or "?"
        return MicromodulesCompleted(label, int(form.count)), []
    if form.kind == LEARNER:
        return _of_category(session, organisation_id, form)
    if form.kind == OWN and not form.criteria_json:
        known = choices(session, organisation_id, achievement_id)
        return criterion_of(form.rules, known)
    if form.kind == OWN:
        try:
            criterion = _parsed(form.criteria_json)
        except RequestInvalid as error:
            said = {name: error.params[name] for name in ("problems", "at") if error.params.get(name)}
            return None, [Problem(FIELD, FormProblem.IMPORT_NOT_CRITERIA, said)]
        except _NotReadable as error:
            return None, [error.problem]
        return criterion, list(_unusable(session, organisation_id, criterion, achievement_id))
    return None, [Problem("kind", FormProblem.UNKNOWN_CHOICE)]


def _of_category(
    session: Session, organisation_id: str, form: MilestoneForm
) -> tuple[Criterion | None, list[Problem]]:
    if form.addition_policy not in POLICIES:
        return None, [Problem("addition_policy", FormProblem.UNKNOWN_CHOICE)]
    name = store.category_name(session, organisation_id, form.category_id) if form.category_id else None
    if name is None:
        code = FormProblem.UNKNOWN_CHOICE if form.category_id else FormProblem.REQUIRED
        return None, [Problem("category_id", code)]
    offered = [
        one.micromodule_id
        for one in decisions.offered(session, organisation_id, (), (form.category_id,))
        if one.is_offered
    ]
    if not offered:
        return None, [Problem("category_id", FormProblem.CATEGORY_EMPTY)]
    if form.addition_policy == KEEP:
        return MicromodulesCompleted(name, category_id=form.category_id), []
    listed = MicromodulesCompleted(name, micromodule_ids=tuple(offered))
    if CriteriaProblem.TOO_MANY in problems(listed):
        counts = {"limit": MAXIMUM_LEAVES, "number": len(offered)}
        return None, [Problem("addition_policy", FormProblem.CATEGORY_TOO_LARGE, counts)]
    return listed, []


class _NotReadable(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code.value)
        self.problem = problem


def _parsed(text: str) -> Criterion:
    if len(text.encode(errors="surrogatepass")) > LARGEST * 1024:
        raise _NotReadable(Problem(FIELD, FormProblem.IMPORT_TOO_LARGE, {"limit": LARGEST}))
    try:
        stored = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _NotReadable(Problem(FIELD, FormProblem.IMPORT_NOT_JSON)) from error
    of_courses = tuple(_of_courses(stored))
    if of_courses:
        # Said before the format is looked at: what else is wrong with these rules helps nobody.
        raise _NotReadable(Problem(FIELD, FormProblem.NOT_OF_MILESTONES, {"names": of_courses}))
    if not isinstance(stored, dict):
        raise RequestInvalid(ErrorCode.CRITERIA_INVALID, "no object", problems=("schema",))
    return parse_criteria(stored)


def _of_courses(stored: object) -> Iterator[str]:
    """What the rules are called, or else their kinds, that ask for what one course alone knows."""
    # Not by calling itself: nobody knows yet how deep it is.
    left = [stored]
    while left:
        one = left.pop()
        if isinstance(one, list):
            left += reversed(one)
        elif isinstance(one, dict):
            kind, label = one.get("type"), one.get("label")
            if kind in OF_COURSES:
                yield label[:NAME_LENGTH] if isinstance(label, str) and label.strip() else str(kind)
            left += [one.get("of"), one.get("rule")]


def _unusable(
    session: Session, organisation_id: str, criterion: Criterion, achievement_id: str | None
) -> Iterator[Problem]:
    """What of another one's, or of nobody's, the criteria ask for."""
    asked = list(leaves(criterion))
    assert all(isinstance(leaf, ALLOWED) for leaf in asked), "rules of courses were refused before"
    achievements = {id_ for id_, _name in micromodules.achievement_choices(session, organisation_id)}
    wanted = {leaf.micromodule_id for leaf in asked if isinstance(leaf, Completed)}
    for leaf in asked:
        if isinstance(leaf, MicromodulesCompleted):
            wanted.update(leaf.micromodule_ids)
    known = {one.micromodule_id for one in decisions.offered(session, organisation_id, wanted, ())}
    if any(isinstance(leaf, HoldsAchievement) and leaf.achievement_id == achievement_id for leaf in asked):
        yield Problem(FIELD, FormProblem.NEEDS_ITSELF)
        return
    missing = []
    for leaf in asked:
        match leaf:
            case HoldsAchievement():
                is_there = leaf.achievement_id in achievements
            case Completed():
                is_there = leaf.micromodule_id in known
            case MicromodulesCompleted():
                is_there = known.issuperset(leaf.micromodule_ids) and (
                    leaf.category_id is None
                    or store.category_name(session, organisation_id, leaf.category_id) is not None
                )
            case _:
                is_there = False
        if not is_there:
            missing.append(leaf.label)
    if missing:
        names = tuple(dict.fromkeys(missing))
        yield Problem(FIELD, FormProblem.NOT_THERE, {"names": names})


def asked_now(session: Session, organisation_id: str, view: MilestoneView) -> Criterion:
    """What a milestone asks for; a draft what it would if it were activated now, since a category may have
    got another content since it was described."""
    if view.status == "draft":
        criterion, _wrong = _criterion(session, organisation_id, of_view(view), view.achievement_id)
        if criterion is not None:
            return criterion
    return parse_criteria(view.criteria)


def mark_of(session: Session, organisation_id: str, said: Mapping[str, Any], criterion: Criterion) -> str:
    """A mark of what somebody looked at: another as soon as a milestone says or asks something else, or a set
    that it asks for has other micromodules.

    :param said: everything else that counts, to be written as JSON.
    """
    asked = list(leaves(criterion))
    listed = {
        id_ for leaf in asked if isinstance(leaf, MicromodulesCompleted) for id_ in leaf.micromodule_ids
    }
    members = decisions.offered(session, organisation_id, sorted(listed), sorted(_categories(criterion)))
    found = [dict(said), dump_criteria(criterion), sorted((*one[:1], *one[2:]) for one in members)]
    return sha256(json.dumps(found, sort_keys=True, default=str).encode()).hexdigest()[:32]


def asking_for(session: Session, organisation_id: str, category_id: str) -> tuple[tuple[str, str], ...]:
    """(id, name) of drafts and active milestones that ask for a category, by a template or otherwise."""
    return tuple(
        (view.id, view.name)
        for view in store.milestones(session, organisation_id)
        if view.status != "retired"
        and (view.category_id == category_id or category_id in _categories(parse_criteria(view.criteria)))
    )


def _categories(criterion: Criterion) -> set[str]:
    return {
        leaf.category_id
        for leaf in leaves(criterion)
        if isinstance(leaf, MicromodulesCompleted) and leaf.category_id is not None
    }


def of_view(view: MilestoneView) -> MilestoneForm:
    """What the form says of a milestone that is there already."""
    criterion = parse_criteria(view.criteria)
    count = str(MOST)
    if isinstance(criterion, MicromodulesCompleted) and criterion.count is not None:
        count = str(criterion.count)
    look = _look_of(view)
    other = AS_IT_IS if look else "general"
    design = next((name for name, one in DESIGNS.items() if asdict(one) == look), other)
    rules = rules_of(criterion) if view.kind == OWN else None
    is_json = view.kind == OWN and rules is None
    return MilestoneForm(
        view.kind,
        view.name,
        own_description(view.description, view.criteria_narrative),
        "\n".join(view.skills),
        count,
        view.category_id or "",
        view.addition_policy,
        json.dumps(view.criteria, ensure_ascii=False, indent=2) if is_json else "",
        design,
        rules or NO_RULES,
    )
