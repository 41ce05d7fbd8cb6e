"""Languages: the launch's, else the browser's; dates, numbers and the direction of writing follow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.numbers import format_decimal
from flask import Flask, current_app, g, request
from flask_babel import Babel, format_date, format_timedelta, get_locale, gettext

SOURCE_LANGUAGE = "en"


def register(app: Flask) -> None:
    """Choose the locale per request; templates get ``language``, ``direction`` and the formatters."""
    app.config.setdefault("BABEL_DEFAULT_LOCALE", SOURCE_LANGUAGE)
    app.config.setdefault("BABEL_TRANSLATION_DIRECTORIES", "translations")
    app.extensions["lti_tool_languages"] = {}
    Babel(app, locale_selector=select_locale)  # type: ignore[no-untyped-call]

    # Globals and not context: macros that are imported see no context.
    app.jinja_env.globals.update(ago=ago, soon=soon, day=day, number=number)

    @app.context_processor
    def _language() -> dict[str, object]:
        return {"language": language_tag(), "direction": _locale().text_direction}


def language_tag() -> str:
    """The language that this request's sentences are written in, as BCP 47 writes it (``pt-BR``)."""
    return str(_locale()).replace("_", "-")


def _locale() -> Locale:
    return get_locale() or Locale.parse(SOURCE_LANGUAGE)


def select_locale() -> str:
    """The best language there is a catalogue for: the launch's wish first, then the browser's."""
    available = _available()
    wished: list[str] = []
    # A launch that was refused, or a session that is over, still says which language it was in.
    speakers = (g.get("session"), g.get("ended_session"), g.get("refused"))
    wished.extend(speaker.locale for speaker in speakers if speaker is not None and speaker.locale)
    wished.extend(tag for tag, _ in request.accept_languages)
    for tag in wished:
        found = best_match(tag, available)
        if found is not None:
            return found
    return SOURCE_LANGUAGE


@lru_cache(maxsize=1024)
def _parsed(tag: str) -> Locale | None:
    """The locale of a language tag, of which browsers and platforms always send the same few."""
    try:
        return Locale.parse(tag.replace("-", "_").split(".")[0][:35])
    except (ValueError, UnknownLocaleError, TypeError):
        # Moodle names language packs of its own ("de_kids", "en_us_k12"): their first part is a language.
        try:
            return Locale.parse(tag.replace("-", "_").split("_")[0][:8])
        except (ValueError, UnknownLocaleError, TypeError):
            return None


def best_match(tag: str, available: dict[str, str]) -> str | None:
    """The catalogue for a language tag (``pt-BR``, Moodle's ``de_du``): exact, else its language alone."""
    locale = _parsed(tag)
    if locale is None:
        return None
    return available.get(str(locale)) or available.get(locale.language)


def _available() -> dict[str, str]:
    languages: dict[str, str] = current_app.extensions["lti_tool_languages"]
    if not languages:
        babel = current_app.extensions["babel"].instance
        languages.update({str(locale): str(locale) for locale in babel.list_translations()})
        languages.setdefault(SOURCE_LANGUAGE, SOURCE_LANGUAGE)
    return languages


def now() -> datetime:
    """The installation's clock, aware UTC."""
    return current_app.extensions["lti_tool"].clock()  # type: ignore[no-any-return]


def ago(moment: datetime) -> str:
    """ "3 minutes ago", never in the future."""
    passed = now() - moment
    if passed < timedelta(seconds=45):
        return gettext("just now")
    return str(format_timedelta(-passed, granularity="second", threshold=1, add_direction=True))


def soon(moment: datetime) -> str:
    """ "in 3 minutes", never in the past."""
    left = moment - now()
    if left < timedelta(seconds=45):
        return gettext("within a minute")
    return str(format_timedelta(left, granularity="second", threshold=1.2, add_direction=True))


def day(moment: datetime) -> str:
    """A calendar day in UTC, as the reader's language writes it."""
    return str(format_date(moment.astimezone(UTC), "long"))  # type: ignore[no-untyped-call]


def number(value: Decimal | int) -> str:
    """An exact number without trailing zeros."""
    return _number_in(str(get_locale() or SOURCE_LANGUAGE), value)


@lru_cache(maxsize=4096)
def _number_in(locale: str, value: Decimal | int) -> str:
    """A page of learners says the same few numbers again and again."""
    exact = value.normalize() if isinstance(value, Decimal) and value else value
    return format_decimal(exact, locale=locale, decimal_quantization=False)
