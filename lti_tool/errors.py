"""The one tree of errors.

::

    ToolError
    ├── RequestInvalid        400  a form, parameter, body or file that a person or program sent
    │   └── RequestTooLarge   413  more of it than is read
    ├── LaunchRefused         4xx  a login or launch that failed one of its checks
    ├── NotAllowed            403  somebody known who has not this right
    ├── NotFound              404  no such thing, or none that this organisation may see
    ├── Gone                  410  it was here, and was erased for good
    ├── Conflict              409  the state changed meanwhile; nothing was done
    ├── PlatformFailed        502  an LMS answered wrongly, slowly or not at all
    ├── OutboundRefused       502  the outgoing HTTP policy forbids this URL
    ├── CredentialInvalid     422  a credential that may not be signed, or is none
    ├── Busy                  503  as much of this is under way as may be at once
    └── ConfigurationInvalid  500  settings, keys or database of this installation

Every error carries an :class:`ErrorCode`. Codes are stable and public: each has an entry in
``docs/reference/errors.md``, a translated page text in ``lti_tool/web/error_texts.py`` and a test.
Nothing but ``lti_tool/web/errors.py`` (pages, problem+json), ``lti_tool/jobs`` (run states) and
``lti_tool/cli.py`` (exit status) turns an error into something a person sees.
"""

from __future__ import annotations

from enum import StrEnum


class ErrorCode(StrEnum):
    """Stable names of everything that can go wrong, in sections by room."""

    # -- anywhere
    INTERNAL = "internal"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    REQUEST_INVALID = "request_invalid"
    REQUEST_TOO_LARGE = "request_too_large"
    FORM_INVALID = "form_invalid"
    CSRF_INVALID = "csrf_invalid"
    RATE_LIMITED = "rate_limited"
    NOT_ALLOWED = "not_allowed"
    CONFLICT = "conflict"
    SESSION_MISSING = "session_missing"
    SESSION_EXPIRED = "session_expired"

    # -- configuration
    SETTINGS_INVALID = "settings_invalid"
    KEY_FILE_EXPOSED = "key_file_exposed"
    KEY_MISSING = "key_missing"
    KEY_PASSPHRASE_MISSING = "key_passphrase_missing"
    KEY_PASSPHRASE_WRONG = "key_passphrase_wrong"
    DATABASE_NOT_MIGRATED = "database_not_migrated"

    # -- registrations
    REGISTRATION_UNKNOWN = "registration_unknown"
    REGISTRATION_INVALID = "registration_invalid"
    REGISTRATION_NOT_APPROVED = "registration_not_approved"
    REGISTRATION_OF_COPY = "registration_of_copy"

    # -- registering by an invitation (Dynamic Registration)
    INVITATION_UNKNOWN = "invitation_unknown"
    INVITATION_EXPIRED = "invitation_expired"
    INVITATION_USED = "invitation_used"
    INVITATION_WITHDRAWN = "invitation_withdrawn"
    INVITATION_BUSY = "invitation_busy"
    REGISTRATION_FORM_INVALID = "registration_form_invalid"
    CONFIGURATION_UNREACHABLE = "configuration_unreachable"
    CONFIGURATION_INVALID = "configuration_invalid"
    CONFIGURATION_FOREIGN = "configuration_foreign"
    REGISTRATION_REFUSED = "registration_refused"
    REGISTRATION_TOKEN_REFUSED = "registration_token_refused"
    REGISTRATION_ENDPOINT_UNREACHABLE = "registration_endpoint_unreachable"
    REGISTRATION_ANSWER_INVALID = "registration_answer_invalid"
    REGISTRATION_PROTECTED = "registration_protected"
    REGISTRATION_CHANGE_UNAPPROVED = "registration_change_unapproved"

    # -- staff pages
    STAFF_LINK_INVALID = "staff_link_invalid"
    STAFF_SIGN_IN_NEEDED = "staff_sign_in_needed"
    STAFF_NOT_ALLOWED = "staff_not_allowed"
    STAFF_OPERATOR_DECIDES = "staff_operator_decides"
    STAFF_MEMBER_NOT_FOUND = "staff_member_not_found"
    STAFF_LAST_OWNER = "staff_last_owner"
    ORGANISATION_NOT_FOUND = "organisation_not_found"
    ORGANISATION_AMBIGUOUS = "organisation_ambiguous"

    # -- login (OIDC third-party initiated login)
    LOGIN_PARAMETER_MISSING = "login_parameter_missing"
    LOGIN_PARAMETER_INVALID = "login_parameter_invalid"
    LOGIN_TARGET_FOREIGN = "login_target_foreign"

    # -- launch, in the order of the checks
    LAUNCH_FORM_INVALID = "launch_form_invalid"
    LAUNCH_PLATFORM_ERROR = "launch_platform_error"
    LAUNCH_STATE_INVALID = "launch_state_invalid"
    LAUNCH_STATE_EXPIRED = "launch_state_expired"
    LAUNCH_STATE_UNBOUND = "launch_state_unbound"
    LAUNCH_TOKEN_MALFORMED = "launch_token_malformed"
    LAUNCH_ALGORITHM_REFUSED = "launch_algorithm_refused"
    LAUNCH_KEY_ID_MISSING = "launch_key_id_missing"
    LAUNCH_KEY_UNKNOWN = "launch_key_unknown"
    LAUNCH_KEYS_UNREACHABLE = "launch_keys_unreachable"
    LAUNCH_SIGNATURE_INVALID = "launch_signature_invalid"
    LAUNCH_ISSUER_WRONG = "launch_issuer_wrong"
    LAUNCH_AUDIENCE_WRONG = "launch_audience_wrong"
    LAUNCH_AUTHORISED_PARTY_WRONG = "launch_authorised_party_wrong"
    LAUNCH_EXPIRED = "launch_expired"
    LAUNCH_TIME_INVALID = "launch_time_invalid"
    LAUNCH_NONCE_WRONG = "launch_nonce_wrong"
    LAUNCH_VERSION_WRONG = "launch_version_wrong"
    LAUNCH_MESSAGE_TYPE_UNKNOWN = "launch_message_type_unknown"
    LAUNCH_ROLES_MISSING = "launch_roles_missing"
    LAUNCH_DEPLOYMENT_MISSING = "launch_deployment_missing"
    LAUNCH_RESOURCE_LINK_MISSING = "launch_resource_link_missing"
    LAUNCH_SUBJECT_MISSING = "launch_subject_missing"
    LAUNCH_CLAIM_INVALID = "launch_claim_invalid"
    LAUNCH_TARGET_WRONG = "launch_target_wrong"
    LAUNCH_REPLAYED = "launch_replayed"
    DEPLOYMENT_HELD = "deployment_held"
    DEPLOYMENT_DISABLED = "deployment_disabled"

    # -- notifications of platforms
    NOTICE_INVALID = "notice_invalid"
    NOTICE_REFUSED = "notice_refused"

    # -- deep linking
    DEEP_LINKING_NOT_ALLOWED = "deep_linking_not_allowed"
    DEEP_LINKING_TYPE_REFUSED = "deep_linking_type_refused"
    DEEP_LINKING_SETTINGS_INVALID = "deep_linking_settings_invalid"

    # -- LMS services (token endpoint, NRPS, AGS)
    PLATFORM_UNREACHABLE = "platform_unreachable"
    PLATFORM_TIMED_OUT = "platform_timed_out"
    PLATFORM_BUSY = "platform_busy"
    PLATFORM_CALLS_SPENT = "platform_calls_spent"
    PLATFORM_REFUSED = "platform_refused"
    PLATFORM_ANSWER_INVALID = "platform_answer_invalid"
    PLATFORM_ANSWER_TOO_LARGE = "platform_answer_too_large"
    PLATFORM_TOKEN_REFUSED = "platform_token_refused"
    PLATFORM_TOKEN_URL_MISSING = "platform_token_url_missing"
    PLATFORM_SCOPE_MISSING = "platform_scope_missing"
    PLATFORM_HOST_FOREIGN = "platform_host_foreign"
    PLATFORM_PAGING_BROKEN = "platform_paging_broken"
    COLUMN_MISSING = "column_missing"
    GATE_LINK_MISSING = "gate_link_missing"
    GATE_LINK_NAMELESS = "gate_link_nameless"
    AWARD_COLUMN_REFUSED = "award_column_refused"
    SCORE_NOT_A_STUDENT = "score_not_a_student"
    SCORE_STALE = "score_stale"
    SCORE_LOCKED = "score_locked"
    SCORE_REFUSED = "score_refused"

    # -- outgoing HTTP policy
    OUTBOUND_URL_REFUSED = "outbound_url_refused"
    OUTBOUND_IN_TRANSACTION = "outbound_in_transaction"

    # -- credentials
    CONTEXT_NOT_VENDORED = "context_not_vendored"
    CREDENTIAL_PROPERTY_UNCOVERED = "credential_property_uncovered"
    CREDENTIAL_TEXT_INVALID = "credential_text_invalid"
    CREDENTIAL_DATE_INVALID = "credential_date_invalid"
    CREDENTIAL_NOT_FOUND = "credential_not_found"
    CREDENTIAL_ERASED = "credential_erased"
    NOT_SUSPENDABLE = "not_suspendable"
    CATEGORY_COUNTED = "category_counted"
    MILESTONE_ASKED_FOR = "milestone_asked_for"
    ENDORSEMENTS_TOO_MANY = "endorsements_too_many"
    CREDENTIAL_NOT_RECOGNISED = "credential_not_recognised"
    CREDENTIAL_TOO_COMPLEX = "credential_too_complex"
    IMAGE_INVALID = "image_invalid"
    ARTWORK_INVALID = "artwork_invalid"
    FRAMEWORK_FILE_INVALID = "framework_file_invalid"
    VERIFY_URL_UNREACHABLE = "verify_url_unreachable"
    VERIFY_URL_INVALID = "verify_url_invalid"
    VERIFIER_BUSY = "verifier_busy"

    # -- criteria, micromodules, placements
    CRITERIA_INVALID = "criteria_invalid"
    MICROMODULE_NOT_FOUND = "micromodule_not_found"
    PLACEMENT_NOT_FOUND = "placement_not_found"
    PLACEMENT_NOT_EDITABLE = "placement_not_editable"
    VERSION_NEEDS_STAFF = "version_needs_staff"
    BADGE_IS_ON = "badge_is_on"
    PATHWAY_CIRCLE = "pathway_circle"
    CONTEXT_NOT_FOUND = "context_not_found"
    LEARNER_NOT_FOUND = "learner_not_found"
    PRIVACY_NOT_ALLOWED = "privacy_not_allowed"
    EVIDENCE_NOT_FOUND = "evidence_not_found"
    EVIDENCE_WAITING = "evidence_waiting"
    EVIDENCE_JUDGED = "evidence_judged"
    EVIDENCE_ACCEPTED = "evidence_accepted"
    EVIDENCE_LIMIT_REACHED = "evidence_limit_reached"
    GATE_NOT_FOUND = "gate_not_found"
    GATE_NOT_CONFIRMABLE = "gate_not_confirmable"


class ToolError(Exception):
    """Base of every error that this tool raises on purpose.

    :param code: the stable name.
    :param detail: one line for the log; may name ids and hosts, never tokens, names of people or bodies.
    :param params: values for the translated text of this code (plain ``str`` or numbers).
    """

    status = 500
    """The HTTP status where a page or API answers with this error."""

    def __init__(self, code: ErrorCode, detail: str = "", /, **params: object) -> None:
        super().__init__(code.value if not detail else f"{code.value}: {detail}")
        self.code = code
        self.detail = detail
        self.params = params


class RequestInvalid(ToolError):
    """Something that a person or a program sent cannot be used as it is."""

    status = 400


class RequestTooLarge(RequestInvalid):
    """More was sent than this place reads."""

    status = 413


class LaunchRefused(ToolError):
    """A login or launch failed a check; nothing was recorded but the refusal itself.

    :param fresh_launch_url: where a click starts a new launch in a window of its own, if known.
    """

    status = 400

    def __init__(
        self,
        code: ErrorCode,
        detail: str = "",
        /,
        *,
        status: int = 400,
        fresh_launch_url: str | None = None,
        **params: object,
    ) -> None:
        super().__init__(code, detail, **params)
        self.status = status
        self.fresh_launch_url = fresh_launch_url
        self.registration_id: str | None = None
        """Whose LMS the login named; until a signature was checked, anybody may have named it."""
        self.deployment_id_on_platform: str | None = None
        """The deployment that a token named whose signature was good."""
        self.clock_skew: float | None = None
        """Seconds by which a signed token, made for this very login, proves the clocks to differ."""
        self.locale: str | None = None
        self.return_url: str | None = None
        """Both as a token said that this platform signed for this tool; nothing else of it counts."""
        self.product: str | None = None


class NotAllowed(ToolError):
    """The person is known and has not the right."""

    status = 403


class NotFound(ToolError):
    """No such thing, or none that this organisation may see: the two are never told apart."""

    status = 404


class Gone(ToolError):
    """It was here, and was erased for good."""

    status = 410


class Conflict(ToolError):
    """The state changed meanwhile; nothing was done."""

    status = 409


class PlatformFailed(ToolError):
    """An LMS answered wrongly, too slowly, too much or not at all.

    :param retryable: whether the same call may work later.
    :param retry_after: seconds that the platform asked us to wait.
    :param http_status: the platform's own status, where there was an answer.
    :param body: the beginning of that answer, for whoever knows what it means; never logged.
    """

    status = 502

    def __init__(
        self,
        code: ErrorCode,
        detail: str = "",
        /,
        *,
        retryable: bool = False,
        retry_after: float | None = None,
        http_status: int | None = None,
        body: bytes = b"",
        **params: object,
    ) -> None:
        super().__init__(code, detail, **params)
        self.retryable = retryable
        self.retry_after = retry_after
        self.http_status = http_status
        self.body = body


class OutboundRefused(ToolError):
    """The outgoing HTTP policy forbids this URL, or this moment (an open transaction)."""

    status = 502


class CredentialInvalid(ToolError):
    """A credential that may not be signed, or bytes that are no credential."""

    status = 422


class Busy(ToolError):
    """As much of this is under way as may be at once; nothing was done.

    :param retry_after: whole seconds after which it is worth asking again.
    """

    status = 503

    def __init__(self, code: ErrorCode, detail: str = "", /, *, retry_after: int, **params: object) -> None:
        super().__init__(code, detail, **params)
        self.retry_after = retry_after


class LimitReached(Busy):
    """One person, or one platform, asked for more in a time than anybody needs; nothing was done."""

    status = 429


class ConfigurationInvalid(ToolError):
    """Settings, keys or database of this installation are not usable."""

    status = 500
