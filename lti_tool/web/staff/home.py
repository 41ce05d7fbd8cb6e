"""The first staff page, and the organisation with its members."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.credentials import designs
from lti_tool.domain.staff import Permission, StaffRole
from lti_tool.errors import ErrorCode, RequestInvalid
from lti_tool.services.form_problems import FormProblem
from lti_tool.services.pictures import MAXIMUM_COLOURS
from lti_tool.services.staffing import EMAIL_LENGTH, NAME_LENGTH
from lti_tool.web.session import current_tool
from lti_tool.web.staff.gate import Typed, current_staff, done, page, problems_of, typed
from lti_tool.web.wording import problem_sentence

blueprint = Blueprint("home", __name__)


@blueprint.get("/")
def show() -> Response:
    """Health at a glance, each trouble with the way to mend it."""
    organisation_id = current_staff().organisation_id
    tool = current_tool()
    return page(
        "home",
        view=tool.overview.health(organisation_id),
        unwell=tool.health.unwell(organisation_id),
        endorsements=tool.endorsing.waiting(organisation_id),
    )


@blueprint.get("/organisation")
def organisation() -> Response:
    """The organisation's name, and who works for it."""
    return _organisation()


def _organisation(
    status: int = 200,
    *,
    name: Typed | None = None,
    invitation: Typed | None = None,
    palette: Typed | None = None,
) -> Response:
    staff = current_staff()
    colours = current_tool().pictures.palette(staff.organisation_id)
    return page(
        "organisation",
        status,
        members=current_tool().staffing.members(staff),
        name=name or Typed({"name": staff.organisation_name}),
        colours=designs.pairs(colours),
        palette=palette or Typed({"palette": "\n".join(colours)}),
        most_colours=MAXIMUM_COLOURS,
        invitation=invitation or Typed({"role": StaffRole.READER.value}),
        limits={"name": NAME_LENGTH, "email": EMAIL_LENGTH},
    )


@blueprint.post("/organisation")
def rename() -> AnyResponse:
    """Call the organisation something else."""
    values = typed()
    try:
        current_tool().administering.rename_organisation(current_staff(), values.get("name", ""))
    except RequestInvalid as error:
        return _organisation(422, name=Typed(values, problems_of(error)))
    return done("staff.home.organisation", "renamed")


@blueprint.post("/organisation/palette")
def set_palette() -> AnyResponse:
    """Say what the organisation's colours are."""
    values = typed()
    try:
        current_tool().pictures.set_palette(current_staff(), values.get("palette", ""))
    except RequestInvalid as error:
        return _organisation(422, palette=Typed(values, problems_of(error)))
    return done("staff.home.organisation", "saved")


@blueprint.get("/members/new")
def ask_invitation() -> Response:
    """Whom to invite, and as what."""
    current_staff().require(Permission.MANAGE_MEMBERS)
    return _invitation(Typed({"role": StaffRole.READER.value}))


def _invitation(form: Typed, status: int = 200) -> Response:
    return page("invite", status, form=form, limits={"name": NAME_LENGTH, "email": EMAIL_LENGTH})


@blueprint.post("/members")
def invite() -> AnyResponse:
    """Make somebody a member, and show their first sign-in link, this once."""
    values, staff = typed(), current_staff()
    staff.require(Permission.MANAGE_MEMBERS)
    problems = _invitation_problems(values)
    if problems:
        return _invitation(Typed(values, problems), 422)
    link = current_tool().staffing.invite(
        staff, StaffRole(values["role"]), name=values.get("name"), email=values.get("email")
    )
    return page("link", link=link)


def _invitation_problems(values: dict[str, str]) -> dict[str, str]:
    """As :meth:`Staffing.invite` judges it, field by field."""
    name, email = values.get("name", "").strip(), values.get("email", "").strip()
    found: dict[str, str] = {}
    if not name:
        found["name"] = problem_sentence(FormProblem.REQUIRED, {})
    elif len(name) > NAME_LENGTH:
        found["name"] = problem_sentence(FormProblem.TOO_LONG, {"limit": NAME_LENGTH})
    elif not name.isprintable():
        found["name"] = problem_sentence(FormProblem.CONTROL_CHARACTER, {})
    local, at, host = email.rpartition("@")
    if len(email) > EMAIL_LENGTH:
        found["email"] = problem_sentence(FormProblem.TOO_LONG, {"limit": EMAIL_LENGTH})
    elif email and (not (local and at and host) or " " in email or not email.isprintable()):
        found["email"] = problem_sentence(FormProblem.NOT_AN_ADDRESS, {})
    if values.get("role") not in [role.value for role in StaffRole]:
        found["role"] = problem_sentence(FormProblem.UNKNOWN_CHOICE, {})
    return found


@blueprint.post("/members/<member_id>/link")
def new_link(member_id: str) -> Response:
    """A further sign-in link for somebody, shown this once."""
    return page("link", link=current_tool().staffing.link(current_staff(), member_id))


@blueprint.post("/members/<member_id>/role")
def change_role(member_id: str) -> AnyResponse:
    """Make a member something else."""
    try:
        role = StaffRole(request.form.get("role", ""))
    except ValueError:
        raise RequestInvalid(ErrorCode.REQUEST_INVALID, "no such role") from None
    current_tool().staffing.change_role(current_staff(), member_id, role)
    return done("staff.home.organisation", "role")


@blueprint.post("/members/<member_id>/status")
def set_member_status(member_id: str) -> AnyResponse:
    """Let a member in no more, or again."""
    staffing, action = current_tool().staffing, request.form.get("action")
    if action == "disable":
        staffing.disable(current_staff(), member_id)
    elif action == "enable":
        staffing.enable(current_staff(), member_id)
    else:
        raise RequestInvalid(ErrorCode.REQUEST_INVALID, "no such action")
    return done("staff.home.organisation", "disabled" if action == "disable" else "enabled")
