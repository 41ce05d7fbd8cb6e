"""Attacks, what stops each, and the test that would notice if nothing did any more.

``make guards`` takes each guard out of a copy of the tree and sees its test fail.
The table in ``docs/explanation/launch-safety.md`` is this one (``tests/docs/test_attacks.py``).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
LEFT_OUT: Final = shutil.ignore_patterns(
    ".git", ".venv", "build", "data", "__pycache__", "*.egg-info", ".*_cache", "node_modules"
)
PASSED, FAILED = 0, 1
"""Exit status of pytest; any other means that the test could not be run at all."""


@dataclass(frozen=True)
class Guard:
    """One attack.

    :ivar attack: in the words of the documentation.
    :ivar name: the function that stops it, with its module; a file for a script.
    :ivar test: node id of the test that fails without it.
    :ivar cuts: (file, what stands there once, what stands there without the guard).
    """

    attack: str
    name: str
    test: str
    cuts: tuple[tuple[str, str, str], ...]


LAUNCH = "lti_tool/lti/launch.py"
OF_DEPLOYMENT = "_contexts.c.deployment_id == _deployments.c.id,"
OF_ORGANISATION = "_contexts.c.organisation_id == _deployments.c.organisation_id,"
ASKING = 'key_sets.keys(registration, header["kid"])'
TRUSTING = f'keys = (own(header["jwk"]),) if "jwk" in header else {ASKING}'
GUARDS: Final = (
    Guard(
        "replay of a launch",
        "lti_tool.store.launches.consume_nonce",
        "tests/unit/services/test_launching.py::test_a_launch_counts_once",
        (
            (
                "lti_tool/services/launching.py",
                "if not launches.consume_nonce(",
                "if None is launches.consume_nonce(",
            ),
        ),
    ),
    Guard(
        "nonce burning by unsigned tokens",
        "lti_tool.lti.id_tokens.read_body",
        "tests/journeys/test_attacks.py::test_a_token_that_nobody_signed_burns_no_nonce",
        (("lti_tool/lti/id_tokens.py", "if not any(_RS256", "if False and not any(_RS256"),),
    ),
    Guard(
        "login CSRF",
        "lti_tool.lti.launch.LaunchValidator.validate",
        "tests/unit/lti/test_launch_form.py::test_a_launch_that_another_browser_began_is_refused",
        ((LAUNCH, "if held is None or not hmac", "if held is not None and not hmac"),),
    ),
    Guard(
        "state fixation by a planted cookie",
        "lti_tool.lti.oidc.browser_hash",
        "tests/unit/lti/test_launch_form.py::test_a_launch_that_another_browser_began_is_refused",
        (
            (
                LAUNCH,
                "if held is None or not hmac.compare_digest(browser_hash(held), self._state.browser_hash):",
                "if held is None:",
            ),
        ),
    ),
    Guard(
        "state fixation by a form of another site",
        "lti_tool.web.lti.launch",
        "tests/unit/web/test_sessions.py::TestLaunch::"
        "test_only_our_own_page_may_say_what_the_platforms_storage_held",
        (
            (
                "lti_tool/web/lti.py",
                'if request.headers.get("Origin") != tool.settings.base_url:',
                "if False:",
            ),
        ),
    ),
    Guard(
        "state forged or changed",
        "lti_tool.lti.oidc.StateSigner.open",
        "tests/unit/lti/test_oidc.py::test_the_sealed_state_is_json_that_nobody_can_change",
        (
            (
                "lti_tool/lti/oidc.py",
                "if not sealed.isascii() or not hmac.compare_digest(signature, self._signature(payload)):",
                "if not sealed.isascii():",
            ),
        ),
    ),
    Guard(
        "platform storage that another origin answers for",
        "lti_tool/web/static/platform-storage.js",
        "tests/browser/test_storage_frame.py::test_a_page_that_learns_a_message_s_number_cannot_answer_it",
        (
            (
                "lti_tool/web/static/platform-storage.js",
                'if (toOrigin !== "*" && event.origin !== toOrigin) return;',
                "",
            ),
        ),
    ),
    Guard(
        "tenant mix-up: an issuer that several share",
        "lti_tool.services.registration.Registrations.lookup",
        "tests/unit/services/test_registration.py::test_an_issuer_alone_names_a_registration_only_where_it_has_one",
        (
            (
                "lti_tool/services/registration.py",
                "return found[0] if len(found) == 1 else None",
                "return found[0] if found else None",
            ),
        ),
    ),
    Guard(
        "tenant mix-up: a token for another tool or institution",
        "lti_tool.lti.id_tokens.check_parties",
        "tests/unit/lti/test_launch_token.py::test_any_audience_but_ours_alone_is_refused",
        (
            (
                "lti_tool/lti/id_tokens.py",
                "if not audiences or any(each != registration.client_id for each in audiences):",
                "if not audiences:",
            ),
        ),
    ),
    Guard(
        "tenant mix-up: an access token of one for another",
        "lti_tool.lti.connector.PlatformConnector",
        "tests/unit/lti/test_connector.py::test_a_token_of_one_tenant_is_never_used_for_another",
        (
            (
                "lti_tool/lti/connector.py",
                "key = (access.registration.id, access.deployment.id_on_platform, token_url, scopes)",
                'key = ("", "", "", scopes)',
            ),
        ),
    ),
    Guard(
        "tenant mix-up: the same ids in another organisation",
        "lti_tool.store.launches.find_known",
        "tests/unit/services/test_launching_owners.py::test_the_same_ids_in_two_organisations_are_two_of_everything",
        (
            (
                "lti_tool/store/launches.py",
                f"{OF_DEPLOYMENT}\n                {OF_ORGANISATION}",
                "",
            ),
        ),
    ),
    Guard(
        "key confusion: HS256 with the public key, none",
        "lti_tool.lti.id_tokens.read_header",
        "tests/unit/lti/test_launch_token.py::test_hs256_with_the_public_key_as_secret_is_refused",
        (("lti_tool/lti/id_tokens.py", 'if header.get("alg") != ALGORITHM:', "if False:"),),
    ),
    Guard(
        "key confusion: a kid of another registration",
        "lti_tool.lti.key_sets.KeySets.keys",
        "tests/unit/lti/test_key_sets.py::test_registrations_do_not_share_keys_even_behind_one_url",
        (("lti_tool/lti/key_sets.py", "key = (registration.id, registration.jwks_url)", 'key = ("", "")'),),
    ),
    Guard(
        "key confusion: a key in the header (jwk, jku, x5u)",
        "lti_tool.lti.id_tokens.read_body",
        "tests/unit/lti/test_launch_token.py::test_a_key_named_in_the_header_is_never_used",
        (
            (
                "lti_tool/lti/id_tokens.py",
                'keys = key_sets.keys(registration, header["kid"])',
                f"from lti_tool.lti.key_sets import _rsa_key as own\n    {TRUSTING}",
            ),
        ),
    ),
    Guard(
        "a platform flooded with questions for made-up keys",
        "lti_tool.lti.key_sets.KeySets.keys",
        "tests/unit/lti/test_key_sets.py::test_made_up_key_ids_do_not_make_us_hammer_the_platform",
        (
            (
                "lti_tool/lti/key_sets.py",
                "if _age(entry.disappointed_at, now) < COOL_DOWN_SECONDS:",
                "if False:",
            ),
        ),
    ),
    Guard(
        "SSRF by configuration URL",
        "lti_tool.outbound.policy.OutboundPolicy.permits",
        "tests/integration/services/test_inviting.py::"
        "test_a_name_that_leads_home_after_it_was_looked_up_is_refused",
        (
            (
                "lti_tool/outbound/connection.py",
                "permitted = [entry for entry in found if self._permits(entry[4][0], port)]",
                "permitted = list(found)",
            ),
        ),
    ),
    Guard(
        "SSRF by jwks_uri",
        "lti_tool.outbound.policy.is_public",
        "tests/journeys/test_attacks.py::test_a_key_set_s_address_leads_to_no_private_place",
        (
            (
                "lti_tool/outbound/policy.py",
                'if scheme == "https" and is_public(address):',
                'if scheme == "https":',
            ),
        ),
    ),
    Guard(
        "SSRF, and a token given away, by a next link",
        "lti_tool.lti.connector.PlatformConnector.require_named_host",
        "tests/unit/lti/test_memberships.py::test_a_next_link_to_a_host_that_was_never_named_ends_the_reading",
        (
            (
                "lti_tool/lti/connector.py",
                "if host is None or downgraded or host not in named_hosts(access):",
                "if host is None:",
            ),
        ),
    ),
    Guard(
        "DNS rebinding",
        "lti_tool.outbound.policy.OutboundPolicy.permits",
        "tests/unit/test_outbound.py::test_the_address_that_is_judged_is_the_one_that_is_connected_to",
        (
            (
                "lti_tool/outbound/connection.py",
                "permitted = [entry for entry in found if self._permits(entry[4][0], port)]",
                "permitted = list(found)",
            ),
        ),
    ),
    Guard(
        "oversized answers",
        "lti_tool.outbound.client.Outbound.request",
        "tests/unit/test_outbound.py::test_a_body_is_cut_at_the_limit_whatever_its_length_claims",
        (
            (
                "lti_tool/outbound/client.py",
                "        if len(body) > max_bytes:\n            raise too_large\n",
                "",
            ),
        ),
    ),
    Guard(
        "slow answers",
        "lti_tool.outbound.connection.Deadline.cut",
        "tests/unit/test_outbound.py::test_a_server_that_drips_is_cut_off_at_the_time_limit",
        (
            (
                "lti_tool/outbound/connection.py",
                "                        deadline.cut()\n",
                "",
            ),
        ),
    ),
    Guard(
        "another organisation's badge by a typed key",
        "lti_tool.store.copies.candidates",
        "tests/integration/services/test_copying.py::"
        "test_nothing_of_another_organisation_is_found_copied_or_named",
        (
            (
                "lti_tool/store/copies.py",
                "== organisation_id,\n            Placement.context_id != context_id,",
                "== Placement.organisation_id,\n            Placement.context_id != context_id,",
            ),
        ),
    ),
    Guard(
        "a badge of another course by a forged history",
        "lti_tool.domain.copies.choose_origin",
        "tests/properties/test_copies.py::"
        "test_what_the_platform_contradicts_or_what_was_removed_is_never_taken_silently",
        (
            (
                "lti_tool/domain/copies.py",
                "if past.context_history is not None and not past.is_truncated:",
                "if False:",
            ),
        ),
    ),
    Guard(
        "a copy of a course with a thousand links",
        "lti_tool.store.copies.placements_of",
        "tests/integration/services/test_copying.py::"
        "test_a_course_of_a_thousand_links_brings_so_many_and_no_more",
        (("lti_tool/store/copies.py", "            .limit(limit)\n", ""),),
    ),
    Guard(
        "content-item injection: a line break in a custom value",
        "lti_tool.lti.deep_linking.LinkItem.in_json",
        "tests/unit/lti/test_deep_linking.py::test_a_custom_value_cannot_smuggle_in_another_parameter",
        (
            (
                "lti_tool/lti/deep_linking.py",
                "{name: _one_line(value) for name, value in self.custom.items()}",
                "dict(self.custom)",
            ),
        ),
    ),
    Guard(
        "content-item injection: HTML",
        "lti_tool.lti.deep_linking.HtmlItem.in_json",
        "tests/unit/lti/test_deep_linking.py::test_html_holds_nothing_but_what_this_tool_put_there",
        (
            (
                "lti_tool/lti/deep_linking.py",
                'name = f"<strong>{_escaped(self.title)}</strong>"',
                'name = f"<strong>{self.title}</strong>"',
            ),
        ),
    ),
    Guard(
        "open redirect by target_link_uri",
        "lti_tool.lti.oidc.is_ours",
        "tests/unit/lti/test_oidc.py::test_a_target_elsewhere_is_refused",
        (("lti_tool/lti/oidc.py", 'if not is_ours(form["target_link_uri"], base_url):', "if False:"),),
    ),
    Guard(
        "open redirect by return_url",
        "lti_tool.web.returning.back_to_course",
        "tests/journeys/test_returning.py::test_nobody_else_says_where_the_way_back_leads",
        ((LAUNCH, "        if self._is_genuine:\n", "        if True:\n"),),
    ),
    Guard(
        "clickjacking",
        "lti_tool.web.headers.frame_ancestors",
        "tests/journeys/test_attacks.py::test_no_page_of_a_session_is_framed_by_a_stranger",
        (("lti_tool/web/headers.py", "return (\"'self'\", *origins)", "return ANYBODY"),),
    ),
    Guard(
        "session theft by referrer",
        "lti_tool.web.headers.set_headers",
        "tests/journeys/test_attacks.py::test_a_path_that_carries_a_session_is_told_to_nobody",
        (
            (
                "lti_tool/web/headers.py",
                'if g.get("session_token") is not None or request.path.startswith(("/s/", "/lti/register")):',
                "if False:",
            ),
        ),
    ),
    Guard(
        "session theft by an address: a cookie's token in a path",
        "lti_tool.web.session.open_session",
        "tests/unit/web/test_sessions.py::test_the_token_of_a_cookie_is_refused_in_a_path",
        (
            (
                "lti_tool/web/session.py",
                "if session.is_cookie_bound:\n            # A token",
                "if False:\n            # A token",
            ),
        ),
    ),
    Guard(
        "cross-site request forgery inside a session",
        "lti_tool.web.session.check_csrf",
        "tests/unit/web/test_sessions.py::test_nothing_changes_without_this_sessions_csrf_token",
        (
            (
                "lti_tool/web/session.py",
                "if not hmac.compare_digest(sent.encode(), csrf_token().encode()):",
                "if False:",
            ),
        ),
    ),
    Guard(
        "a notification forged, or signed by another tenant",
        "lti_tool.lti.notices.NoticeReader.read",
        "tests/unit/lti/test_notices.py::test_another_tenants_key_signs_nothing_here",
        (("lti_tool/lti/id_tokens.py", "if not any(_RS256", "if False and not any(_RS256"),),
    ),
    Guard(
        "replay of a notification",
        "lti_tool.store.notices.add",
        "tests/journeys/test_notices.py::test_a_copy_is_noted_once_however_often_the_notice_comes",
        (
            (
                "lti_tool/services/notifying.py",
                "id_on_platform=notice.id_on_platform,",
                "id_on_platform=str(now),",
            ),
        ),
    ),
    Guard(
        "a flood of good notifications",
        "lti_tool.services.notifying.Notices.receive",
        "tests/journeys/test_notices.py::test_a_flood_of_good_notices_fills_no_table",
        (("lti_tool/services/notifying.py", ">= MOST_AN_HOUR:", ">= 10**9:"),),
    ),
    Guard(
        "somebody else's data by a privacy page",
        "lti_tool.services.privacy.Privacy.person_of_launch",
        "tests/journeys/test_privacy.py::test_nobody_but_an_administrator_looks",
        (("lti_tool/services/privacy.py", " or not session.is_administrator", ""),),
    ),
    Guard(
        "an erased badge made whole by a late signature",
        "lti_tool.store.credentials.store_documents",
        "tests/integration/services/test_privacy.py::test_a_signature_that_comes_too_late_is_thrown_away",
        (("lti_tool/store/credentials.py", "                Credential.award_id.is_not(None),\n", ""),),
    ),
    Guard(
        "somebody whom the platform does not name",
        "lti_tool.lti.claims.read_user",
        "tests/journeys/test_anonymous.py::test_nobody_is_refused_unless_the_operator_allows_it",
        ((LAUNCH, "            self._registered.allows_anonymous\n            and ", "            "),),
    ),
    Guard(
        "rights of an anonymous visitor",
        "lti_tool.lti.launch.LaunchValidator.validate",
        "tests/journeys/test_anonymous.py::test_nobody_teaches_nothing_whatever_roles_came_along",
        ((LAUNCH, "rights=rights_of(() if user == ANONYMOUS else roles),", "rights=rights_of(roles),"),),
    ),
    Guard(
        "deep linking by whoever may not place anything",
        "lti_tool.services.configuring.Configuring",
        "tests/journeys/test_choosing.py::test_somebody_acting_as_a_teacher_places_nothing",
        (
            (
                "lti_tool/services/configuring.py",
                "if session.deep_linking is None or not session.can_configure or session.is_read_only:",
                "if session.deep_linking is None:",
            ),
        ),
    ),
    Guard(
        "somebody else's work by a submission review",
        "lti_tool.services.rights.viewed_course",
        "tests/journeys/test_reviewing.py::test_a_learner_opens_their_own_work_and_nobody_elses",
        (
            (
                "lti_tool/services/rights.py",
                'raise NotAllowed(ErrorCode.NOT_ALLOWED, "no right to see progress")',
                "pass",
            ),
            (
                "lti_tool/web/reviewing.py",
                'raise NotAllowed(ErrorCode.NOT_ALLOWED, "somebody else\'s work")',
                "pass",
            ),
        ),
    ),
    Guard(
        "deciding about a badge of another course",
        "lti_tool.store.reviews.some",
        "tests/integration/services/test_reviews.py::test_another_course_and_another_organisation_find_nothing",
        (
            (
                "lti_tool/store/reviews.py",
                "query = query.where(Review.context_id == context_id)\n",
                "query = query.where(Review.id.in_(review_ids))\n",
            ),
        ),
    ),
    Guard(
        "undoing a revocation while it is carried out",
        "lti_tool.store.reviews.can_be_undone",
        "tests/integration/services/test_reviews.py"
        "::test_a_revocation_waits_can_be_undone_and_is_carried_out_in_time",
        (("lti_tool/store/reviews.py", "Review.takes_effect_at > now", "Review.id.is_not(None)"),),
    ),
    Guard(
        "revoking a badge of a former version of which nobody can tell any more",
        "lti_tool.services.doubting.Doubting.standing",
        "tests/integration/services/test_reviews_of_former_versions.py"
        "::test_where_nobody_can_tell_any_more_the_decision_is_asked_for_once_more",
        (
            (
                "lti_tool/services/doubting.py",
                "if is_blind and _is_untold(review) and digest != review.digest:",
                "if False:",
            ),
        ),
    ),
    Guard(
        "revoking a badge whose facts are good again",
        "lti_tool.services.reviews.Reviews.carry_out",
        "tests/integration/services/test_reviews.py::test_nothing_is_revoked_once_the_facts_are_good_again",
        (
            (
                "lti_tool/services/reviews.py",
                "if standing is not None and standing.ground is not Ground.HOLDS:",
                "if False:",
            ),
        ),
    ),
    Guard(
        "a signing key that others can read",
        "lti_tool.keyring.Keyring.signer",
        "tests/unit/test_keyring.py::"
        "test_a_key_file_that_others_can_touch_is_refused_even_when_it_was_good_before",
        (("lti_tool/keyring/__init__.py", "if stat.S_IMODE(status.st_mode) & 0o077:", "if False:"),),
    ),
    Guard(
        "a signing key that others put there",
        "lti_tool.keyring.Keyring.signer",
        "tests/unit/test_keyring.py::test_a_folder_that_others_can_write_to_is_refused",
        (("lti_tool/keyring/__init__.py", "if stat.S_IMODE(status.st_mode) & 0o022:", "if False:"),),
    ),
    Guard(
        "a replayed registration link",
        "lti_tool.services.inviting.Inviting.look",
        "tests/integration/services/test_inviting.py::test_a_replayed_invitation_is_refused",
        (("lti_tool/services/inviting.py", "    InvitationState.USED: ErrorCode.INVITATION_USED,\n", ""),),
    ),
    Guard(
        "a registration link used by two at once",
        "lti_tool.store.invitations.claim",
        "tests/integration/services/test_inviting.py::test_of_two_who_use_one_link_at_once_one_is_told_before_its_lms_is_asked",
        (
            (
                "lti_tool/store/invitations.py",
                "            or_(Invitation.claimed_until.is_(None), Invitation.claimed_until <= now),\n",
                "",
            ),
        ),
    ),
    Guard(
        "a registration that somebody else's link takes over",
        "lti_tool.services.registering.store_registration",
        "tests/integration/services/test_inviting.py::test_a_foreign_organisations_registration_is_not_taken_over",
        (("lti_tool/services/registering.py", "if known.default_organisation_id != own:", "if False:"),),
    ),
    Guard(
        "keys of an approved registration changed in passing",
        "lti_tool.services.registering.store_registration",
        "tests/integration/services/test_inviting.py::test_keys_of_an_approved_registration_change_with_approval_only",
        (
            (
                "lti_tool/services/registering.py",
                "if changes and known.is_approved and not invitation.approves:",
                "if False:",
            ),
        ),
    ),
    Guard(
        "somebody else's platform registered",
        "lti_tool.lti.registering.read_platform_configuration",
        "tests/unit/lti/test_registering.py::test_the_issuer_of_a_cloud_speaks_from_its_own_host_only",
        (("lti_tool/lti/registering.py", "if urlsplit(url).hostname != own:", "if False:"),),
    ),
    Guard(
        "a registration form of another site",
        "lti_tool.services.inviting.Inviting.register",
        "tests/integration/services/test_inviting.py::test_a_form_that_was_not_made_here_registers_nothing",
        (
            (
                "lti_tool/services/inviting.py",
                "if not hmac.compare_digest(self._signature(purpose, payload).encode(), signed):",
                "if False:",
            ),
        ),
    ),
    Guard(
        "script in an uploaded drawing",
        "lti_tool.credentials.drawings.clean_svg",
        "tests/unit/credentials/test_drawings.py::test_nothing_that_runs_or_fetches_is_left",
        (("lti_tool/credentials/drawings.py", "if name not in _KEPT:", "if False:"),),
    ),
    Guard(
        "an uploaded drawing that grows without end",
        "lti_tool.credentials.drawings.clean_svg",
        "tests/unit/credentials/test_drawings.py::test_what_grows_without_end_is_refused",
        (("lti_tool/credentials/drawings.py", "if _cost(node, reading) > MAXIMUM_COST:", "if False:"),),
    ),
    Guard(
        "an uploaded picture of a few bytes and gigapixels",
        "lti_tool.credentials.uploads.sanitise",
        "tests/unit/credentials/test_uploads.py::test_decompression_bombs_are_refused_by_their_size",
        (
            (
                "lti_tool/credentials/uploads.py",
                "if image.width * image.height > MAXIMUM_PIXELS:",
                "if False:",
            ),
        ),
    ),
    Guard(
        "a picture of another organisation",
        "lti_tool.store.pictures.picture",
        "tests/integration/services/test_pictures.py::test_two_organisations_share_nothing",
        (
            (
                "lti_tool/store/pictures.py",
                "Picture.organisation_id == organisation_id, Picture.id == picture_id",
                "Picture.id == picture_id",
            ),
        ),
    ),
)


def problems(guard: Guard) -> list[str]:
    """Why a guard cannot be taken out as the table says."""
    return [
        f"{guard.attack}: {file} holds {text!r} {(ROOT / file).read_text('utf-8').count(text)} times"
        for file, text, _ in guard.cuts
        if (ROOT / file).read_text("utf-8").count(text) != 1
    ]


def run(tree: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    """pytest on some tests of a tree."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider", *tests]
    return subprocess.run(command, cwd=tree, capture_output=True, check=False, text=True)


def without(guard: Guard, tree: Path) -> int:
    """The exit status of a guard's test in a tree that lacks it; the tree is whole again afterwards."""
    before = {file: (tree / file).read_bytes() for file, _, _ in guard.cuts}
    try:
        for file, text, instead in guard.cuts:
            (tree / file).write_text((tree / file).read_text("utf-8").replace(text, instead), "utf-8")
        return run(tree, guard.test).returncode
    finally:
        for file, content in before.items():
            (tree / file).write_bytes(content)


def main(wanted: list[str]) -> int:
    """0 where every test notices; ``wanted``: words of the attacks to try, all unless given."""
    chosen = [one for one in GUARDS if not wanted or any(word in one.attack for word in wanted)]
    unusable = [problem for guard in chosen for problem in problems(guard)]
    if unusable:
        print("\n".join(unusable))
        return 1
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        shutil.copytree(ROOT, tree, ignore=LEFT_OUT)
        whole = run(tree, *dict.fromkeys(guard.test for guard in chosen))
        if whole.returncode != PASSED:
            print(f"{whole.stdout}\nA test fails though every guard is there.")
            return 1
        unnoticed = 0
        for guard in chosen:
            noticed = without(guard, tree) == FAILED
            unnoticed += not noticed
            print(f"{'noticed' if noticed else 'UNNOTICED':10}{guard.attack}: {guard.name}", flush=True)
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
