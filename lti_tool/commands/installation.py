"""``db``, ``keys``, ``registrations``, ``deployments``, ``organisations``, ``issuers``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from lti_tool.commands import DONE, FAILED, Answer, Call, fields, table
from lti_tool.domain.registrations import DeploymentView, RegistrationView
from lti_tool.domain.staff import StaffRole
from lti_tool.errors import ErrorCode, NotFound, RequestInvalid
from lti_tool.keyring import LTI, KeyView, issuer_purpose, token_purpose
from lti_tool.services.staffing import Operator
from lti_tool.store import inventory
from lti_tool.store.reissues import LAST_LOOK

# -- db


def db_upgrade(call: Call) -> Answer:
    """Migrate the database to what this release needs."""
    before = call.tool.database.revision()
    call.tool.database.upgrade(call.arguments.revision)
    return _at(call, before)


def db_downgrade(call: Call) -> Answer:
    """Migrate the database back; ``base`` empties it."""
    before = call.tool.database.revision()
    call.tool.database.downgrade(call.arguments.revision)
    return _at(call, before)


def _at(call: Call, before: str | None) -> Answer:
    after = call.tool.database.revision()
    text = f"at revision {after or 'none'}"
    return Answer(
        {"before": before, "after": after}, [text if before == after else f"{text}, was {before or 'none'}"]
    )


def db_check(call: Call) -> Answer:
    """Compare the database with what the code expects."""
    problems = call.tool.database.check()
    return Answer(
        {"problems": problems},
        problems or ["the database is what the code expects"],
        FAILED if problems else DONE,
    )


# -- keys

KEY_COLUMNS = ("purpose", "kid", "state", "algorithm", "made_at", "retired_at", "is_encrypted")


def keys_generate(call: Call) -> Answer:
    """Make the keys that are missing: the tool's own, and each issuer's."""
    tool = call.tool
    purposes = [LTI]
    if not tool.database.check():
        with tool.database.read() as session:
            purposes += [issuer_purpose(str(issuer["id"])) for issuer in inventory.issuers(session)]
    return _keys([tool.keyring.ensure(purpose) for purpose in purposes])


def keys_rotate(call: Call) -> Answer:
    """Make a new active key and retire the ones before it, which go on being published."""
    wanted = call.arguments.purpose
    purpose = LTI if wanted == LTI else issuer_purpose(wanted.removeprefix("issuers/"))
    if purpose != LTI:
        call.tool.database.require_migrated()
        with call.tool.database.read() as session:
            known = {str(issuer["id"]) for issuer in inventory.issuers(session)}
        if purpose.split("/")[1] not in known:
            raise NotFound(ErrorCode.NOT_FOUND, f"no issuer {wanted}; see lti-tool issuers list")
    if call.arguments.announce:
        if purpose != LTI:
            raise RequestInvalid(
                ErrorCode.REQUEST_INVALID, "verifiers read an issuer's keys anew: only lti is announced"
            )
        return _keys([call.tool.keyring.announce(LTI, call.tool.clock())])
    if purpose != LTI:
        issuer_id = purpose.split("/")[1]
        call.tool.reissuing.rotate(
            _operator_of(call, issuer_id), issuer_id, is_of_tokens=purpose.endswith("/tokens")
        )
        return _keys(call.tool.keyring.of(purpose, ("active",))[:1])
    return _keys([call.tool.keyring.rotate(purpose, call.tool.clock())])


def keys_compromised(call: Call) -> Answer:
    """Trust an issuer's key no more, which somebody else has seen, and sign anew what it signed."""
    issuer_id = call.arguments.issuer.removeprefix("issuers/").removesuffix("/tokens")
    acting = _operator_of(call, issuer_id)
    reissuing = call.tool.reissuing
    kid = call.arguments.kid
    if call.arguments.issuer.endswith("/tokens") and all(
        kid != view.kid for view in call.tool.keyring.of(token_purpose(issuer_id))
    ):
        # Else the key that signs the issuer's badges would go, by a line that speaks of tokens.
        raise NotFound(ErrorCode.NOT_FOUND, f"no key {kid} of {token_purpose(issuer_id)}")
    run = reissuing.compromise(acting, issuer_id, kid)
    reissuing.work(run.id, lambda done, total: call.progress.say(f"{done} of {total or '?'} signed anew"))
    call.progress.clear()
    run = reissuing.run(acting.organisation_id, run.id)
    keys = [view for view in call.tool.keyring.list() if view.purpose.startswith(issuer_purpose(issuer_id))]
    lines = [f"{run.done} badges signed anew", *table([asdict(view) for view in keys], KEY_COLUMNS)]
    if run.is_open and run.step != LAST_LOOK:
        lines.append("The worker was quicker to take it, and goes on with the others.")
    elif run.is_open:
        lines.append("In two minutes the worker looks for badges that were being signed just now.")
    shown = {"run": asdict(run), "keys": [asdict(view) for view in keys]}
    return Answer(shown, lines, FAILED if run.counts.get("failed") else DONE)


def _operator_of(call: Call, issuer_id: str) -> Operator:
    """The operator, on behalf of the organisation that an issuer belongs to.

    :raises NotFound: NOT_FOUND.
    """
    with call.tool.database.read() as session:
        owners = {str(one["id"]): str(one["organisation_id"]) for one in inventory.issuers(session)}
    if issuer_id not in owners:
        raise NotFound(ErrorCode.NOT_FOUND, f"no issuer {issuer_id}; see lti-tool issuers list")
    return Operator(owners[issuer_id])


def keys_encrypt(call: Call) -> Answer:
    """Write the files of keys that are not encrypted anew, encrypted with the configured passphrase."""
    return _keys(call.tool.keyring.rewrite(encrypted=True))


def keys_decrypt(call: Call) -> Answer:
    """Write the files of encrypted keys anew, without a passphrase; keys made later are encrypted again."""
    return _keys(call.tool.keyring.rewrite(encrypted=False))


def keys_list(call: Call) -> Answer:
    """Every key, active and retired; never its secret part."""
    return _keys(call.tool.keyring.list())


def _keys(views: list[KeyView] | tuple[KeyView, ...]) -> Answer:
    rows = [asdict(view) for view in views]
    return Answer(rows, table(rows, KEY_COLUMNS))


# -- registrations

DEPLOYMENT_COLUMNS = ("id", "id_on_platform", "status", "organisation_id", "token_url")


def registrations_add(call: Call) -> Answer:
    """Register an LMS, or bring a registration to these values; repeating it is harmless."""
    given = call.arguments
    registration = call.tool.registrations.add(
        issuer=given.issuer,
        client_id=given.client_id,
        auth_url=given.auth_url,
        token_url=given.token_url,
        jwks_url=given.jwks_url,
        name=given.name,
        product=given.product,
        token_audience=given.token_audience,
        deployments=given.deployment_id,
        organisation=given.organisation,
        frame_origins=given.frame_origin,
        approve=given.approve,
        approves_deployments=True if given.approve_new_deployments else None,
        allows_anonymous=given.anonymous,
    )
    return _shown(call, registration.id)


def registrations_list(call: Call) -> Answer:
    """Every registration."""
    rows = [_registration(registration) for registration in call.tool.registrations.list()]
    return Answer(rows, table(rows, ("id", "name", "product", "status", "issuer", "client_id")))


def registrations_show(call: Call) -> Answer:
    """One registration with its deployments."""
    return _shown(call, call.arguments.registration)


def registrations_approve(call: Call) -> Answer:
    """Let the people of an LMS launch."""
    call.tool.registrations.approve(call.arguments.registration)
    return _shown(call, call.arguments.registration)


def registrations_disable(call: Call) -> Answer:
    """Let nobody of an LMS launch; everything stays."""
    call.tool.registrations.disable(call.arguments.registration)
    return _shown(call, call.arguments.registration)


def registrations_administrators(call: Call) -> Answer:
    """Say what administrators of an LMS may be on the staff pages; none, unless this says otherwise."""
    given = call.arguments
    role = None if given.role == "none" else StaffRole(given.role)
    call.tool.registrations.let_administrators(given.registration, role)
    return _shown(call, given.registration)


def registrations_remove(call: Call) -> Answer:
    """Remove a registration that nobody has used."""
    call.tool.registrations.remove(call.arguments.registration)
    return Answer({"removed": call.arguments.registration}, ["removed"])


def registrations_import(call: Call) -> Answer:
    """Add every registration of a TOML or JSON file, or none where one has a problem."""
    added = call.tool.registrations.import_file(Path(call.arguments.file))
    rows = [_registration(registration) for registration in added]
    return Answer(rows, table(rows, ("id", "name", "product", "status", "issuer", "client_id")))


def _shown(call: Call, registration_id: str) -> Answer:
    detail = call.tool.registrations.show(registration_id)
    deployments = [_deployment(deployment) for deployment in detail.deployments]
    row = _registration(detail.registration)
    lines = fields(row)
    if deployments:
        lines += ["", *table(deployments, DEPLOYMENT_COLUMNS)]
    return Answer({**row, "deployments": deployments}, lines)


def _registration(registration: RegistrationView) -> dict[str, Any]:
    return asdict(registration)


# -- deployments


def deployments_list(call: Call) -> Answer:
    """The deployments of a registration."""
    detail = call.tool.registrations.show(call.arguments.registration)
    return _deployments(detail.deployments)


def deployments_approve(call: Call) -> Answer:
    """Say which organisation a deployment belongs to, and let its people launch."""
    given = call.arguments
    view = call.tool.registrations.approve_deployment(
        given.registration,
        given.deployment,
        given.organisation,
        token_url=given.token_url,
        frame_origins=given.frame_origin,
    )
    return _deployments((view,))


def deployments_disable(call: Call) -> Answer:
    """Let nobody launch from a deployment, and end its sessions."""
    return _deployments((call.tool.registrations.disable_deployment(call.arguments.id),))


def _deployments(views: tuple[DeploymentView, ...]) -> Answer:
    rows = [_deployment(view) for view in views]
    return Answer(rows, table(rows, DEPLOYMENT_COLUMNS))


def _deployment(view: DeploymentView) -> dict[str, Any]:
    return {**asdict(view), "service_hosts": sorted(view.service_hosts)}


# -- organisations and issuers


def organisations_list(call: Call) -> Answer:
    """Every organisation."""
    with call.tool.database.read() as session:
        rows = inventory.organisations(session)
    return Answer(rows, table(rows, ("id", "name", "created_at")))


def organisations_add(call: Call) -> Answer:
    """Make an organisation with an issuer of the same name; repeating it is harmless."""
    row = asdict(call.tool.registrations.ensure_organisation(call.arguments.name))
    return Answer(row, fields(row))


def issuers_add(call: Call) -> Answer:
    """Make a further issuer in an organisation; it gets a key with its first badge."""
    given = call.arguments
    acting = call.tool.staffing.operator(given.organisation)
    typed = {
        "name": given.name,
        "url": given.url or "",
        "email": given.email or "",
        "description": given.description or "",
        "terms_url": given.terms_url or "",
        "token_algorithm": given.token_algorithm,
    }
    issuer_id = call.tool.issuers.add(acting, typed)
    if given.default:
        call.tool.issuers.make_default(acting, issuer_id)
    row = {"id": issuer_id, "name": given.name, "did": call.tool.issuing.urls.did(issuer_id)}
    return Answer(row, fields(row))


def issuers_list(call: Call) -> Answer:
    """Every issuer, with its DID."""
    with call.tool.database.read() as session:
        rows = [
            {**issuer, "did": call.tool.issuing.urls.did(str(issuer["id"]))}
            for issuer in inventory.issuers(session)
        ]
    return Answer(rows, table(rows, ("id", "name", "organisation_id", "is_default", "retired_at", "did")))
