"""Next versions in words: what differs, what becomes of badges, and what is new for those who have one."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from flask import Flask
from flask_babel import gettext as _

from lti_tool.domain.criteria import Criterion, EvidenceAccepted, EvidenceKind, Within
from lti_tool.domain.differences import Differences, ListChange, TextChange
from lti_tool.services.next_version import Fate, Prospect
from lti_tool.web.badge_details import achievement_type_word, credit_words, duration_words
from lti_tool.web.criteria_words import describe


def register(app: Flask) -> None:
    """Let the pages of versions say these words."""
    app.jinja_env.globals.update(
        changed_field=changed_field,
        changed_text=changed_text,
        fate_word=fate_word,
        fate_kind=fate_kind,
        prospect_sentence=prospect_sentence,
        unsaid=unsaid,
    )


def changed_field(name: str) -> str:
    """What a field of a version is called."""
    words: dict[str, str] = {
        "name": _("Name"),
        "description": _("Description"),
        "image_alt": _("Description of the picture"),
        "criteria_narrative": _("Criteria in words"),
        "skills": _("Skills"),
        "alignments": _("Skills of frameworks"),
        "achievement_type": _("Kind of achievement"),
        "credits": _("Credits"),
        "human_code": _("Code"),
        "field_of_study": _("Field of study"),
        "validity": _("Valid for"),
        "shows_results": _("It shows results"),
        "shows_evidence": _("It shows links to accepted work"),
        "status_purpose": _("Taking it back"),
        "renewal_opens_days": _("Renewal opens, in days before the end"),
        "renewal_closes_days": _("Renewal closes, in days after the end"),
    }
    return words.get(name, name)


def changed_text(name: str, value: str) -> str:
    """One value of such a field, as people say it."""
    if name in ("shows_results", "shows_evidence"):
        return _("yes") if value else _("no")
    if name == "status_purpose":
        return _("can be suspended and given back") if value == "suspension" else _("can be revoked")
    if name == "validity":
        return duration_words(int(value)) if value.isdigit() else _("valid for good")
    if name == "credits" and value:
        amount, _space, unit = value.partition(" ")
        return credit_words(Decimal(amount), unit)
    if name == "achievement_type":
        return achievement_type_word(value)
    return value or _("nothing")


def unsaid(rule: Criterion, other: Criterion | None) -> list[tuple[str, str]]:
    """What a rule has beside its sentence, as (name, text), as far as ``other`` has something else there."""
    rule = rule.part if isinstance(rule, Within) else rule
    other = other.part if isinstance(other, Within) else other
    if not isinstance(rule, EvidenceAccepted) or not isinstance(other, EvidenceAccepted):
        return []
    kinds = {EvidenceKind.TEXT: _("text"), EvidenceKind.LINK: _("link"), EvidenceKind.FILE: _("file")}
    found = []
    if rule.instructions != other.instructions:
        found.append((_("Instructions"), rule.instructions or _("nothing")))
    if rule.checklist != other.checklist:
        found.append((_("Checklist"), "\n".join(rule.checklist) or _("nothing")))
    if set(rule.accepts) != set(other.accepts):
        found.append((_("Can be handed in"), ", ".join(kinds[kind] for kind in rule.accepts)))
    return found


def fate_word(fate: Fate | str) -> str:
    """What becomes of a badge."""
    words: dict[str, str] = {
        Fate.STAYS: _("stays"),
        Fate.ENDS: _("ends"),
        Fate.ENDS_EARLIER: _("ends before that anyway"),
    }
    return words[str(fate)]


def fate_kind(fate: Fate | str) -> str:
    """The look of that word."""
    return "wait" if fate == Fate.ENDS else "plain"


def prospect_sentence(prospect: Prospect | str) -> str:
    """How a holder stands towards the new version."""
    words: dict[str, str] = {
        Prospect.MEETS: _("meets it now: gets its badge at once"),
        Prospect.NOT_YET: _("does not meet it yet"),
        Prospect.UNKNOWN: _("not known yet"),
        Prospect.NOT_HERE: _("no longer learns in a course that has it"),
    }
    return words[str(prospect)]


def whats_new(found: Differences) -> str:
    """The differences as a text for holders, to begin with: one line for each."""
    return "\n".join(line for line in _lines(found))


def _lines(found: Differences) -> Iterator[str]:
    for rule in found.rules:
        if rule.before is None and rule.after is not None:
            yield _("New: %(rule)s", rule=describe(rule.after).sentence)
        elif rule.after is None and rule.before is not None:
            yield _("No longer asked for: %(rule)s", rule=describe(rule.before).sentence)
        elif rule.before is not None and rule.after is not None:
            before, after = (describe(one).sentence for one in (rule.before, rule.after))
            if before != after:
                yield _("%(rule)s (until now: %(before)s)", rule=after, before=before)
            elif unsaid(rule.after, rule.before):
                yield _("%(rule)s: what to hand in is described otherwise.", rule=after)
    if found.is_combined_anew:
        yield _("The rules count together in another way.")
    for text in found.texts:
        if text.field not in ("image_alt", "status_purpose", "criteria_narrative"):
            yield _line(text)
    for one in found.lists:
        yield from _listed(one)
    if found.has_new_picture:
        yield _("It has a new picture.")


def _line(change: TextChange) -> str:
    if change.field == "description":
        return _("It is described in other words.")
    return _(
        "%(field)s: %(after)s (until now: %(before)s)",
        field=changed_field(change.field),
        after=changed_text(change.field, change.after),
        before=changed_text(change.field, change.before),
    )


def _listed(change: ListChange) -> Iterator[str]:
    name = changed_field(change.field)
    if change.added:
        yield _("%(field)s, new: %(items)s", field=name, items=", ".join(change.added))
    if change.removed:
        yield _("%(field)s, no longer: %(items)s", field=name, items=", ".join(change.removed))
