"""The ``lti-tool`` command: reads arguments, runs one function of ``lti_tool.commands``, prints its answer.

Answers go to standard output, progress, logs and errors to standard error. Exit status: 0 done, 1 failed,
2 usage; ``verify``: 0 valid, 3 invalid, 4 inconclusive.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from lti_tool import __version__, telemetry
from lti_tool.bootstrap import build_tool, build_verifier
from lti_tool.commands import (
    DONE,
    FAILED,
    NEXT_STEPS,
    Answer,
    Call,
    Command,
    Progress,
    badges,
    courses,
    criteria,
    currency,
    doctor,
    frameworks,
    health,
    installation,
    invitations,
    milestones,
    people,
    records,
    reviews,
    serving,
    staff,
    to_json,
)
from lti_tool.domain.staff import StaffRole
from lti_tool.errors import ErrorCode, ToolError
from lti_tool.platforms import PLATFORMS
from lti_tool.services.inviting import LONGEST, USUAL
from lti_tool.services.issuers import TOKEN_ALGORITHMS
from lti_tool.settings import is_installation_named, load_settings
from lti_tool.store.reviews import CAUSES, STATUSES
from lti_tool.web.record_files import FORMATS

STAFF_ROLES = tuple(role.value for role in StaffRole)

LOGGED = (serving.serve, serving.worker)
"""Commands whose log is what one watches; the others log only what goes wrong."""

WITHOUT_DATABASE = (
    serving.serve,
    serving.worker,
    doctor.doctor,
    installation.db_upgrade,
    installation.db_downgrade,
    installation.db_check,
    installation.keys_generate,
    installation.keys_rotate,
    installation.keys_list,
    installation.keys_encrypt,
    installation.keys_decrypt,
    badges.verify,
    criteria.schema,
    criteria.check,
)
"""Commands that work without a migrated database, or look after it themselves."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    :param argv: the arguments after the program's name.
    :returns: the exit status.
    """
    try:
        arguments = build_parser().parse_args(argv)
    except SystemExit as exit_:  # argparse printed usage, or help
        return exit_.code if isinstance(exit_.code, int) else FAILED
    try:
        answer = _run(arguments)
    except ToolError as error:
        _print_error(error, is_json=arguments.json)
        return FAILED
    except BrokenPipeError:
        _read_no_further()
        return DONE
    except (OSError, SQLAlchemyError) as error:
        # The statement and its values stay out of it: they may be about people.
        _print_error(ToolError(ErrorCode.INTERNAL, _first_line(error)), is_json=arguments.json)
        return FAILED
    except KeyboardInterrupt:
        return 130
    try:
        if not answer.is_written and (arguments.json or answer.lines):
            print(to_json(answer.value) if arguments.json else "\n".join(answer.lines), flush=True)
    except BrokenPipeError:
        _read_no_further()
    return answer.status


def _read_no_further() -> None:
    """``lti-tool … | head``: whoever read has seen enough. Nothing must be flushed at exit either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: argparse.Namespace) -> Answer:
    command: Command = arguments.command
    if command is badges.verify and not is_installation_named():
        telemetry.configure_logging("console", "warning")
        return badges.judge(build_verifier(), arguments.source)
    settings = load_settings()
    level = settings.log_level if command in LOGGED else "warning"
    telemetry.configure_logging(settings.log_format if command in LOGGED else "console", level)
    tool = build_tool(settings)
    progress = Progress()
    try:
        if command not in WITHOUT_DATABASE:
            tool.database.require_migrated()
        return command(Call(arguments, tool, progress))
    finally:
        progress.clear()
        tool.close()


def _first_line(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {str(cause).strip().partition(chr(10))[0]}"


def _print_error(error: ToolError, *, is_json: bool) -> None:
    problems = error.params.get("problems")
    many = [str(problem) for problem in problems] if isinstance(problems, list | tuple) else []
    if is_json:
        print(to_json({"error": {"code": error.code.value, "detail": error.detail, "problems": many}}))
    if len(many) > 1:
        print(f"lti-tool: {len(many)} problems ({error.code.value}):", file=sys.stderr)
        for problem in many:
            print(f"  {problem}", file=sys.stderr)
    else:
        print(f"lti-tool: {many[0] if many else _sentence(error)} ({error.code.value})", file=sys.stderr)
    if error.code in NEXT_STEPS:
        print(f"  -> {NEXT_STEPS[error.code]}", file=sys.stderr)


def _sentence(error: ToolError) -> str:
    """What happened. Some details are one word for the log, an id or a reason; the code says what of."""
    code = error.code.value.replace("_", " ")
    if not error.detail:
        return code
    return error.detail if " " in error.detail else f"{code}: {error.detail}"


# ---------------------------------------------------------------------------------------------- arguments


class _Group:
    """A command that is followed by another: ``registrations list``."""

    def __init__(self, commands: Any, name: str, text: str) -> None:
        parser = commands.add_parser(name, help=text, description=text)
        self._commands = parser.add_subparsers(dest="subcommand", metavar="COMMAND", required=True)

    def add(self, name: str, function: Command) -> argparse.ArgumentParser:
        return _add(self._commands, name, function)


def _add(commands: Any, name: str, function: Command) -> argparse.ArgumentParser:
    """A command, described by the docstring of its function."""
    text = (function.__doc__ or "").strip()
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    parser.set_defaults(command=function)
    return parser


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; the reference in the documentation is compared with it."""
    parser = argparse.ArgumentParser(
        prog="lti-tool",
        description="An LTI 1.3 tool that turns finished micromodules into Open Badges.",
        epilog="Settings come from LTI_TOOL_* in the environment; see docs/reference/settings.md.",
    )
    parser.add_argument("--version", action="version", version=f"lti-tool {__version__}")
    commands = parser.add_subparsers(dest="name", metavar="COMMAND", required=True)
    _add_processes(commands)
    _add_installation(commands)
    _add_registrations(commands)
    _add_staff(commands)
    _add_courses(commands)
    _add_criteria(commands)
    _add_badges(commands)
    _add_people(commands)
    return parser


def _add_people(commands: Any) -> None:
    export = _Group(commands, "export", "What is stored, as files")
    person = export.add("person", people.export_person)
    _add_whom(person)
    person.add_argument("--output", metavar="FILE", help="the ZIP to write (default: personal-data-ID.zip)")
    for name, function in (
        ("awards", records.export_awards),
        ("completions", records.export_completions),
    ):
        parser = export.add(name, function)
        parser.add_argument("organisation", help="id or exact name")
        parser.add_argument("--format", choices=FORMATS, default="csv", help="default: %(default)s")
        parser.add_argument("--since", metavar="TIME", help="only what is new since this ISO 8601 time")
        parser.add_argument(
            "--output", metavar="FILE", help="file to write; - is standard output (default: KIND.FORMAT)"
        )
    clr = export.add("clr", records.export_clr)
    clr.add_argument("learner", help="the tool's own id of a person")
    clr.add_argument("--format", choices=("json", "jwt"), default="json", help="default: %(default)s")
    clr.add_argument("--output", metavar="FILE", help="file to write (default: learner-record-ID.FORMAT)")
    erase = _add(commands, "erase", people.erase)
    _add_whom(erase)
    erase.add_argument("--file", metavar="FILE", help="ids of learners, one a line; - reads standard input")
    erase.add_argument("--yes", action="store_true", help="do it; without this nothing is erased")
    erase.add_argument(
        "--list", action="store_true", help="print the ids of who was erased, to erase them from a back-up"
    )
    erase.add_argument("--since", metavar="TIME", help="with --list: from this ISO 8601 time on")


def _add_whom(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--learner", action="append", metavar="ID", help="the tool's own id of a person")
    parser.add_argument("--registration", metavar="ID", help="the platform that --sub is of")
    parser.add_argument("--sub", metavar="SUB", help="the platform's id of the person")


def _add_processes(commands: Any) -> None:
    serve = _add(commands, "serve", serving.serve)
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    serve.add_argument("--port", type=_port, default=8000, help="port to listen on (default: %(default)s)")
    serve.add_argument("--migrate", action="store_true", help="migrate the database first")
    worker = _add(commands, "worker", serving.worker)
    worker.add_argument(
        "--ends-with-parent", action="store_true", help="also end when standard input closes, as under serve"
    )
    _add(commands, "doctor", doctor.doctor)


def _add_installation(commands: Any) -> None:
    db = _Group(commands, "db", "Migrations of the database")
    upgrade = db.add("upgrade", installation.db_upgrade)
    upgrade.add_argument("revision", nargs="?", default="head", metavar="REVISION")
    downgrade = db.add("downgrade", installation.db_downgrade)
    downgrade.add_argument("revision", metavar="REVISION", help="a revision, -1, or base")
    db.add("check", installation.db_check)

    keys = _Group(commands, "keys", "Signing keys")
    keys.add("generate", installation.keys_generate)
    rotate = keys.add("rotate", installation.keys_rotate)
    rotate.add_argument(
        "purpose", nargs="?", default="lti", metavar="lti|ISSUER", help="(default: %(default)s)"
    )
    rotate.add_argument(
        "--announce",
        action="store_true",
        help="publish the new key of the tool now, and let it sign after a day, when platforms know it",
    )
    compromised = keys.add("compromised", installation.keys_compromised)
    compromised.add_argument("issuer", metavar="ISSUER")
    compromised.add_argument("kid", metavar="KID", help="the key, as keys list names it")
    keys.add("encrypt", installation.keys_encrypt)
    keys.add("decrypt", installation.keys_decrypt)
    keys.add("list", installation.keys_list)

    organisations = _Group(commands, "organisations", "Who owns issuers, micromodules and deployments")
    organisations.add("list", installation.organisations_list)
    organisations.add("add", installation.organisations_add).add_argument("name", metavar="NAME")
    issuers = _Group(commands, "issuers", "Who signs badges")
    issuers.add("list", installation.issuers_list)
    issuer = issuers.add("add", installation.issuers_add)
    issuer.add_argument("organisation", metavar="ORGANISATION", help="its id or exact name")
    issuer.add_argument("name", metavar="NAME")
    for name in ("url", "email", "description", "terms-url"):
        issuer.add_argument(f"--{name}", metavar=name.rpartition("-")[2].upper())
    issuer.add_argument(
        "--token-algorithm",
        choices=TOKEN_ALGORITHMS,
        default=TOKEN_ALGORITHMS[0],
        help="of its badges as tokens (default: %(default)s)",
    )
    issuer.add_argument("--default", action="store_true", help="let it sign new badges from now on")


def _add_registrations(commands: Any) -> None:
    registrations = _Group(commands, "registrations", "LMSs that may launch the tool")
    add = registrations.add("add", installation.registrations_add)
    for name in ("issuer", "client-id", "auth-url", "token-url", "jwks-url"):
        add.add_argument(f"--{name}", required=True, metavar=name.rpartition("-")[2].upper())
    add.add_argument(
        "--deployment-id", action="append", default=[], metavar="ID", help="may be given several times"
    )
    add.add_argument("--token-audience", metavar="AUDIENCE", help="where it is not the token URL")
    add.add_argument("--product", choices=tuple(PLATFORMS), help="which LMS it is (default: other)")
    add.add_argument("--name", metavar="NAME", help="what to call it (default: the issuer's host)")
    add.add_argument("--organisation", metavar="NAME", help="who owns its deployments")
    add.add_argument(
        "--frame-origin",
        action="append",
        metavar="ORIGIN",
        help="a site beside the LMS that may frame the tool; may be given several times",
    )
    add.add_argument(
        "--approve", action="store_true", help="approve the registration and every deployment named"
    )
    add.add_argument(
        "--approve-new-deployments",
        action="store_true",
        help="approve also every deployment that is seen later",
    )
    add.add_argument(
        "--anonymous",
        action=argparse.BooleanOptionalAction,
        help="show a page to read to whom the LMS does not name; nothing is recorded of them (default: no)",
    )
    _add_invitations(registrations)
    registrations.add("list", installation.registrations_list)
    for name, function in (
        ("show", installation.registrations_show),
        ("approve", installation.registrations_approve),
        ("disable", installation.registrations_disable),
        ("remove", installation.registrations_remove),
    ):
        registrations.add(name, function).add_argument("registration", metavar="REGISTRATION")
    registrations.add("check", health.check).add_argument("registration", metavar="REGISTRATION")
    registrations.add("health", health.show).add_argument(
        "registration", nargs="?", metavar="REGISTRATION", help="one of them (default: those that are unwell)"
    )
    administrators = registrations.add("administrators", installation.registrations_administrators)
    administrators.add_argument("registration", metavar="REGISTRATION")
    administrators.add_argument("--role", required=True, choices=(*STAFF_ROLES, "none"))
    registrations.add("import", installation.registrations_import).add_argument("file", metavar="FILE")

    deployments = _Group(commands, "deployments", "Deployments of a registration, and who owns them")
    deployments.add("list", installation.deployments_list).add_argument(
        "registration", metavar="REGISTRATION"
    )
    approve = deployments.add("approve", installation.deployments_approve)
    approve.add_argument("registration", metavar="REGISTRATION")
    approve.add_argument("deployment", metavar="DEPLOYMENT", help="the LMS's id of it")
    approve.add_argument("--organisation", metavar="NAME")
    approve.add_argument(
        "--token-url", metavar="URL", help="its institution's own, where several share the registration"
    )
    approve.add_argument(
        "--frame-origin",
        action="append",
        metavar="ORIGIN",
        help="a site of the institution that may frame the tool; may be given several times",
    )
    deployments.add("disable", installation.deployments_disable).add_argument(
        "id", metavar="ID", help="our id of it, as in the list"
    )


def _add_invitations(registrations: _Group) -> None:
    invite = registrations.add("invite", invitations.invite)
    invite.add_argument(
        "--organisation", required=True, metavar="NAME", help="who owns what comes of it; made if need be"
    )
    invite.add_argument("--name", metavar="NAME", help="what to call the LMS (default: as it calls itself)")
    invite.add_argument(
        "--days", type=_days, default=USUAL, metavar="DAYS", help="how long it works (default: %(default)s)"
    )
    invite.add_argument("--approve", action="store_true", help="let its people in at once")
    invite.add_argument("--registration", metavar="ID", help="update this registration instead of adding one")
    registrations.add("invitations", invitations.list_).add_argument(
        "--organisation", metavar="NAME", help="its id or exact name (default: all)"
    )
    registrations.add("withdraw", invitations.withdraw).add_argument("invitation", metavar="INVITATION")


def _add_staff(commands: Any) -> None:
    group = _Group(commands, "staff", "Who may open an organisation's staff pages")
    invite = group.add("invite", staff.invite)
    invite.add_argument("organisation", metavar="ORGANISATION", help="its id or exact name")
    invite.add_argument("--role", required=True, choices=STAFF_ROLES)
    invite.add_argument("--name", metavar="NAME", help="what to call them (default: the email address)")
    invite.add_argument(
        "--email", metavar="ADDRESS", help="whoever has it already gets the role and a new link"
    )
    group.add("list", staff.list_).add_argument(
        "organisation", nargs="?", metavar="ORGANISATION", help="its id or exact name (default: all)"
    )
    for name, function in (
        ("link", staff.link),
        ("disable", staff.disable),
        ("enable", staff.enable),
        ("role", staff.role),
    ):
        command = group.add(name, function)
        command.add_argument("member", metavar="MEMBER", help="an id, as in the list")
        if function is staff.role:
            command.add_argument("role", choices=STAFF_ROLES)


def _add_courses(commands: Any) -> None:
    contexts = _Group(commands, "contexts", "Courses")
    contexts.add("list", courses.contexts_list).add_argument("--organisation", metavar="ID")
    contexts.add("show", courses.contexts_show).add_argument("context", metavar="CONTEXT")
    sync = _add(commands, "sync", courses.sync)
    which = sync.add_mutually_exclusive_group()
    which.add_argument(
        "context", nargs="?", metavar="CONTEXT", help="one course (default: those that are due)"
    )
    which.add_argument("--all", action="store_true", help="every course")
    award = _add(commands, "award", courses.award)
    award.add_argument("context", nargs="?", metavar="CONTEXT", help="one course (default: all)")
    award.add_argument("--dry-run", action="store_true", help="write nothing")
    award.add_argument(
        "--retroactive",
        metavar="MICROMODULE",
        help="award everybody who completed this micromodule and has no badge of it",
    )


def _add_criteria(commands: Any) -> None:
    language = _Group(commands, "criteria", "The language in which a micromodule says what earns its badge")
    language.add("schema", criteria.schema)
    language.add("check", criteria.check).add_argument("file", metavar="FILE|-")
    decisions = _Group(commands, "decisions", "What was decided about learners, and from what")
    listed = decisions.add("list", criteria.decisions_list)
    listed.add_argument("context", metavar="CONTEXT")
    listed.add_argument("--learner", metavar="ID", help="one learner, also what was replaced by later ones")
    which = decisions.add("replay", criteria.decisions_replay).add_mutually_exclusive_group(required=True)
    which.add_argument("decision", nargs="?", metavar="DECISION", help="one decision, with its reasons")
    which.add_argument("--context", dest="context_id", metavar="ID", help="every decision of one course")
    which.add_argument("--all", action="store_true", help="every decision of the installation")


def _add_badges(commands: Any) -> None:
    credentials = _Group(commands, "credentials", "Signed badges")
    listed = credentials.add("list", badges.credentials_list)
    listed.add_argument("--organisation", metavar="ID")
    listed.add_argument(
        "--ending-within",
        metavar="DAYS",
        type=_span,
        help="those in force that end within so many days, the first before the others",
    )
    credentials.add("show", badges.credentials_show).add_argument("credential", metavar="CREDENTIAL")
    credentials.add("issue", badges.credentials_issue).add_argument(
        "award", nargs="?", metavar="AWARD", help="one award (default: all that wait)"
    )
    reissue = credentials.add("reissue", badges.credentials_reissue)
    reissue.add_argument("credential", nargs="+", metavar="CREDENTIAL", help="all of one organisation")
    reissue.add_argument("--reason", required=True, metavar="TEXT", help="for the audit log")
    reissue.add_argument(
        "--as-recorded",
        action="store_true",
        help="say what is recorded now instead of what they said (default: a new proof alone)",
    )
    revoke = credentials.add("revoke", badges.credentials_revoke)
    revoke.add_argument("credential", nargs="+", metavar="CREDENTIAL")
    suspend = credentials.add("suspend", badges.credentials_suspend)
    suspend.add_argument("credential", metavar="CREDENTIAL")
    for withdrawing in (revoke, suspend):
        withdrawing.add_argument(
            "--reason", required=True, metavar="TEXT", help="its holder and the public see it"
        )
    credentials.add("resume", badges.credentials_resume).add_argument("credential", metavar="CREDENTIAL")
    _add_frameworks(commands)
    _add_milestones(commands)
    _add_reviews(commands)
    _add_currency(commands)
    _add(commands, "verify", badges.verify).add_argument("source", metavar="FILE|URL|-")


def _add_currency(commands: Any) -> None:
    group = _Group(commands, "achievements", "When badges are looked at again, and who answers for them")
    stale = group.add("stale", currency.stale)
    stale.add_argument("organisation", metavar="ORGANISATION", help="its id or exact name")
    which = stale.add_mutually_exclusive_group()
    which.add_argument(
        "--within", metavar="DAYS", type=_span, help="also those that are due within so many days"
    )
    which.add_argument("--all", action="store_true", help="also those without a date, and those in order")
    stale.add_argument("--format", choices=("table", "csv"), default="table", help="default: %(default)s")
    assign = group.add("assign", currency.assign)
    assign.add_argument("organisation", metavar="ORGANISATION", help="its id or exact name")
    assign.add_argument("id", nargs="+", metavar="ID", help="of micromodules and milestones, as in the list")
    assign.add_argument("--answers", metavar="MEMBER", help="id of a member of the staff, or none")
    assign.add_argument("--contact", metavar="TEXT", help="who answers without an account here")
    assign.add_argument("--every", metavar="MONTHS", help="between reviews, from the last one on")
    assign.add_argument("--on", metavar="DAY", help="the next review, such as 2027-03-31")
    reviewed = group.add("reviewed", currency.reviewed)
    reviewed.add_argument("organisation", metavar="ORGANISATION", help="its id or exact name")
    reviewed.add_argument("id", metavar="ID", help="of a micromodule or milestone, as in the list")
    reviewed.add_argument("--note", metavar="TEXT", help="what was found; in the audit log, too")
    reviewed.add_argument("--next", metavar="DAY", help="the next review (default: after its interval)")


def _add_frameworks(commands: Any) -> None:
    group = _Group(commands, "frameworks", "Skills that badges can be aligned to")
    take = group.add("import", frameworks.import_)
    listed = group.add("list", frameworks.list_)
    removed = group.add("remove", frameworks.remove)
    for command in (take, listed, removed):
        command.add_argument("organisation", metavar="ORGANISATION", help="its id or exact name")
    take.add_argument("file", metavar="FILE|-", help="skills_LANGUAGE.csv of ESCO, or a CFPackage of CASE")
    take.add_argument("--language", metavar="TAG", help="of the texts (default: what the file's name says)")
    take.add_argument("--framework-version", metavar="TEXT", help="such as v1.2.0 (default: what it says)")
    removed.add_argument("framework", metavar="FRAMEWORK", help="an id, as in the list")


def _add_reviews(commands: Any) -> None:
    group = _Group(commands, "reviews", "Badges whose facts changed after the award")
    listed = group.add("list", reviews.list_)
    decided = group.add("decide", reviews.decide)
    undone = group.add("undo", reviews.undo)
    for parser in (listed, decided, undone):
        parser.add_argument("organisation", metavar="ORGANISATION", help="its id or exact name")
    listed.add_argument("--course", metavar="CONTEXT", help="of one course (default: all)")
    listed.add_argument("--state", choices=STATUSES, help="(default: what nobody has decided)")
    listed.add_argument(
        "--cause", choices=CAUSES, help="why they are looked at again (default: every reason)"
    )
    decided.add_argument("what", choices=("keep", "revoke"))
    decided.add_argument("review", nargs="*", metavar="REVIEW", help="ids, as in the list")
    decided.add_argument("--file", metavar="FILE", help="ids of reviews, one a line; - reads standard input")
    decided.add_argument(
        "--reason", required=True, metavar="TEXT", help="whose badge is revoked reads it, and the public"
    )
    decided.add_argument("--yes", action="store_true", help="do it; without this nothing is decided")
    undone.add_argument("review", metavar="REVIEW", help="an id, as in the list")


def _add_milestones(commands: Any) -> None:
    group = _Group(commands, "milestones", "Badges for what people completed in a whole organisation")
    listed = group.add("list", milestones.list_)
    decided = group.add("decide", milestones.decide)
    for command in (listed, decided):
        command.add_argument("organisation", metavar="ORGANISATION", help="its id or exact name")
    decided.add_argument("milestone", metavar="MILESTONE", help="an id, as in the list")


def _days(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r}: 1 to {LONGEST} days")
    return int(text)


MOST_DAYS = 36_500
"""Of how far ahead a list looks."""


def _span(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 5 or not 1 <= int(text) <= MOST_DAYS:
        raise argparse.ArgumentTypeError(f"{text!r}: 1 to {MOST_DAYS} days")
    return int(text)


def _port(text: str) -> int:
    try:
        port = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no port") from None
    if not 0 < port < 65536:
        raise argparse.ArgumentTypeError(f"{port} is no port")
    return port


if __name__ == "__main__":
    sys.exit(main())
