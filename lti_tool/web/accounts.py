"""The accounts of one person: a code is taken in one wallet, entered in the other, and confirmed in both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from flask import Flask, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.errors import RequestInvalid
from lti_tool.services.form_problems import Problem
from lti_tool.services.persons import CODE_LASTS
from lti_tool.store.persons import Account
from lti_tool.web.people import Sent
from lti_tool.web.session import SessionBlueprint, current_session, current_tool
from lti_tool.web.wording import problem_sentence

blueprint = SessionBlueprint("accounts", __name__)

MINUTES = int(CODE_LASTS.total_seconds() // 60)


def register(app: Flask) -> None:
    """Give the sentences to templates."""
    app.jinja_env.globals.update(account_has=account_has, accounts_done=accounts_done)


@blueprint.page("/wallet/accounts", methods=["GET"])
def show() -> str:
    """What is joined, what waits for a yes, and how to join more."""
    return _page(Sent())


def _page(form: Sent) -> str:
    view = current_tool().persons.view(current_session())
    return render_template("pages/accounts/show.html", view=view, form=form, minutes=MINUTES)


@blueprint.page("/wallet/accounts/code", methods=["POST"])
def take_code() -> AnyResponse:
    """A new code; the page that answers is the only place where it stands."""
    code = current_tool().persons.take_code(current_session())
    response = make_response(render_template("pages/accounts/code.html", code=code, minutes=MINUTES))
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.page("/wallet/accounts/look", methods=["POST"])
def look() -> AnyResponse:
    """What a code would join; nothing is, before the next page is sent."""
    text = request.form.get("code", "")
    try:
        offered = current_tool().persons.look(current_session(), text)
    except RequestInvalid as error:
        return make_response(_page(_as_sent(error, text)), 422)
    return make_response(
        render_template("pages/accounts/confirm.html", offered=offered, code=text, minutes=MINUTES)
    )


@blueprint.page("/wallet/accounts/enter", methods=["POST"])
def enter() -> AnyResponse:
    """Say that whoever took the code is oneself; the other wallet is asked next."""
    text = request.form.get("code", "")
    try:
        current_tool().persons.enter(current_session(), text, request.form.get("mark", ""))
    except RequestInvalid as error:
        return make_response(_page(_as_sent(error, text)), 422)
    return redirect(url_for("accounts.show", done="entered"), 303)


@blueprint.page("/wallet/accounts/answer", methods=["POST"])
def answer() -> AnyResponse:
    """Say whether who entered one's code is oneself."""
    is_yes = request.form.get("answer") == "yes"
    current_tool().persons.answer(current_session(), request.form.get("mark", ""), is_yes=is_yes)
    return redirect(url_for("accounts.show", done="joined" if is_yes else "declined"), 303)


@blueprint.page("/wallet/accounts/leave", methods=["POST"])
def leave() -> AnyResponse:
    """Let this account be by itself again."""
    current_tool().persons.leave(current_session())
    return redirect(url_for("accounts.show", done="left"), 303)


def _as_sent(error: RequestInvalid, text: str) -> Sent:
    problems = cast("tuple[Problem, ...]", error.params.get("problems", ()))
    sentences: Mapping[str, str] = {one.field: problem_sentence(one.code, one.params) for one in problems}
    return Sent({"code": text[:100]}, sentences=sentences, focus="code")


def account_has(account: Account) -> str:
    """What comes along with an account, in words."""
    badges = ngettext("%(num)s badge", "%(num)s badges", account.badges)
    micromodules = ngettext(
        "%(num)s completed micromodule", "%(num)s completed micromodules", account.micromodules
    )
    return _("%(badges)s, %(micromodules)s", badges=badges, micromodules=micromodules)


def accounts_done() -> str:
    """What the page before this one did."""
    return {
        "entered": _("Your code was taken. One step is left: confirm it in the other learning platform."),
        "joined": _("The accounts are joined."),
        "declined": _("Nothing was joined. The code cannot be used any more."),
        "left": _("This account is by itself again. Badges stay where they were awarded."),
    }.get(request.args.get("done", ""), "")
