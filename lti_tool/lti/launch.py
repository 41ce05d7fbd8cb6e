"""The second request of a launch: is this id_token what it seems (SEC §5.1.3, LTI Core §5)?

The checks run in one order, each with an error code of its own:

1. form and bounds
2. the state: ours, not old, of an approved registration, and held by this browser
3. algorithm, key id, signature
4. issuer, audience, authorised party, times
5. the nonce is the one of this state
6. LTI claims, and ``target_link_uri`` as at login

The last one, that the nonce was never used, is the insert with which ``accept_launch`` begins
(``lti_tool.services.launching``): nothing that fails before it costs the platform's person anything.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

import requests
from pylti1p3.cookie import CookieService
from pylti1p3.message_launch import MessageLaunch
from pylti1p3.request import Request
from pylti1p3.session import SessionService
from pylti1p3.tool_config.dict import ToolConfDict

from lti_tool.domain.identity import ANONYMOUS, CourseContext, Launch, LinkOnPlatform, PlatformUser
from lti_tool.domain.registrations import RegistrationView
from lti_tool.domain.roles import rights_of
from lti_tool.errors import ErrorCode, LaunchRefused
from lti_tool.lti import claims, groups, id_tokens, notices
from lti_tool.lti.id_tokens import LEEWAY_SECONDS, MAX_TOKEN_LENGTH
from lti_tool.lti.key_sets import KeySets
from lti_tool.lti.oidc import (
    STATE_LIFETIME_SECONDS,
    LoginState,
    PlatformStorage,
    RegistrationLookup,
    StateSigner,
    browser_hash,
    is_ours,
    platform_storage,
    require_approved,
)
from lti_tool.platforms import platform_for

MAX_TOKEN_AGE_SECONDS: Final = STATE_LIFETIME_SECONDS
"""A token is made between our two requests, so it cannot be older than a state may be."""
MAX_STATE_LENGTH: Final = 8_192

_STATE_NOT_HELD = (ErrorCode.LAUNCH_STATE_UNBOUND, ErrorCode.LAUNCH_STATE_EXPIRED)
_ERROR_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class LaunchValidator:
    """Turns a posted launch form into a :class:`~lti_tool.domain.identity.Launch`, or refuses it.

    :param registrations: where registrations are found.
    :param jwks: the platforms' public keys.
    :param clock: aware UTC now.
    :param secret: the installation's secret key, the same as at login.
    :param base_url: this installation's origin.
    """

    def __init__(
        self,
        registrations: RegistrationLookup,
        jwks: KeySets,
        clock: Callable[[], datetime],
        secret: bytes,
        base_url: str,
    ) -> None:
        self.registrations = registrations
        self.jwks = jwks
        self.clock = clock
        self.states = StateSigner(secret)
        self.base_url = base_url

    def validate(
        self, form: Mapping[str, str], cookies: Mapping[str, str], storage_value: str | None = None
    ) -> Launch:
        """Run every check but the nonce's use.

        :param form: the posted parameters.
        :param cookies: the request's cookies.
        :param storage_value: what our own page read back from the platform's storage; ``None`` unless the
            request came from this very origin, or another site could hand us a value that it chose.
        :raises LaunchRefused: with the code of the first check that failed.
        """
        return _Validation(self, form, cookies, storage_value).run()

    def storage_for(self, form: Mapping[str, str], cookies: Mapping[str, str]) -> PlatformStorage | None:
        """Where a page may read this login's secret back from, because the cookie did not come.

        ``None`` where the cookie came, where the platform has no storage, or where the launch is going to
        be refused anyway: then :meth:`validate` gives the answer.
        """
        try:
            return _Validation(self, form, cookies, None).storage()
        except LaunchRefused:
            return None


class _Form(Request):
    """PyLTI1p3's view of a form that was read already."""

    def __init__(self, form: Mapping[str, str]) -> None:
        self._form = form

    @property
    def session(self) -> dict[str, Any]:
        return {}

    def is_secure(self) -> bool:
        return True

    def get_param(self, key: str) -> str:
        return self._form.get(key, "")


class _Cookies(CookieService):
    """PyLTI1p3's view of the cookies that came; a launch sets none here."""

    def __init__(self, cookies: Mapping[str, str]) -> None:
        self._cookies = cookies

    def get_cookie(self, name: str) -> str | None:
        return self._cookies.get(name)

    def set_cookie(self, name: str, value: str | int, exp: int | None = 3600) -> NoReturn:
        raise NotImplementedError(name)


class _NoHttp(requests.Session):
    """The HTTP session that PyLTI1p3 gets: it would ask without time-outs and limits (key_sets.py does)."""

    def request(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError


_NO_HTTP: Final = _NoHttp()
_NO_CONFIGURATION: Final = ToolConfDict({})


class _Validation(MessageLaunch[_Form, ToolConfDict, SessionService, _Cookies]):
    """PyLTI1p3's launch with its gaps closed (2.0.0 and the fork alike; reference in the decision records).

    Kept: the skeleton of steps, the form and cookie services. Replaced:

    * ``validate``: the order, so that no claim of an unsigned token is ever looked at.
    * ``validate_state``: PyLTI1p3 takes any state that equals its cookie, or a token that it saw before.
    * ``validate_jwt_format``: it decodes leniently, and leaves the algorithm to the platform's key set.
    * ``validate_jwt_signature``: it builds a PEM key for each launch, and never asks for new keys.
    * ``validate_registration``: it takes the first of several audiences and never looks at ``azp``.
    * ``validate_nonce``: it asks whether the nonce exists, not whether it belongs to this state.
    * ``validate_message``: it refuses a deep linking request that takes no LTI link, takes any value for
      ``for_user``, and fails over an AGS claim that is no object; bounds and ``target_link_uri`` are added.
    * ``validate_deployment``, ``save_launch_data``: ``accept_launch`` records what is to be kept.
    """

    def __init__(
        self,
        validator: LaunchValidator,
        form: Mapping[str, str],
        cookies: Mapping[str, str],
        storage_value: str | None,
    ) -> None:
        request = _Form(form)
        super().__init__(
            request,
            _NO_CONFIGURATION,
            session_service=SessionService(request),
            cookie_service=_Cookies(cookies),
            requests_session=_NO_HTTP,
        )
        self.set_auto_validation(enable=False)
        self._validator = validator
        self._storage_value = storage_value
        self._now = validator.clock().timestamp()
        self._state: LoginState
        self._known: RegistrationView | None = None
        self._is_cookie_bound = False
        self._is_genuine = False
        """Whether this registration's platform signed the token for this tool, otherwise good or not."""
        self._header: dict[str, Any] = {}
        self._body: dict[str, Any] = {}

    def _get_request_param(self, key: str) -> str:
        return self._request.get_param(key)

    # -- the two entrances

    def run(self) -> Launch:
        """All steps; whatever fails after the state was read says where a fresh launch can be had."""
        try:
            self.validate()
            return self._launch()
        except LaunchRefused as refused:
            self._name_sender(refused)
            self._say_where_from(refused)
            if self._known is not None and refused.fresh_launch_url is None:
                platform = platform_for(self._known.product)
                refused.fresh_launch_url = platform.fresh_launch_url(
                    self._known.issuer, self._state.course_module_id
                )
            raise

    def _name_sender(self, refused: LaunchRefused) -> None:
        """Say whose launch was refused, for whoever looks after the connection."""
        if self._known is None:
            with suppress(LaunchRefused):  # what was wrong first is what counts
                self._open_state()
        refused.registration_id = None if self._known is None else self._known.id
        if not self._body:
            return  # nothing signed was read
        deployment = self._body.get(claims.DEPLOYMENT_ID)
        refused.deployment_id_on_platform = deployment if isinstance(deployment, str) else None
        refused.clock_skew = self._clock_skew()

    def _say_where_from(self, refused: LaunchRefused) -> None:
        """Language and way back, where the platform signed them for this tool; nobody gets in by it.

        A launch whose state is not of this browser is the one that people meet most, where cookies are
        blocked. Its token was not looked at yet, so this is done now.
        """
        if self._known is None or not self._known.is_approved:
            return
        if not self._is_genuine and refused.code in _STATE_NOT_HELD:
            try:
                self.validate_jwt_format()
                self.validate_jwt_signature()
                self.validate_registration()
            except LaunchRefused:
                return
        if self._is_genuine:
            refused.product = self._registered.product
            refused.return_url, refused.locale = self._presentation()

    def _presentation(self) -> tuple[str | None, str | None]:
        """Where to return to, and the language, as this token says."""
        claim = self._body.get(claims.LAUNCH_PRESENTATION)
        claim = claim if isinstance(claim, dict) else {}
        custom = self._body.get(claims.CUSTOM)
        wish = {"locale": custom["locale"]} if isinstance(custom, dict) and "locale" in custom else {}
        return claims.http_url(claim.get("return_url")), claims.read_locale(claim, wish)

    def _clock_skew(self) -> float | None:
        """By how many seconds the platform's clock is ahead of ours, as far as this token proves it.

        It holds the nonce of this login, so it was made between then and now by our clock, and at ``iat`` by
        the platform's. A time that lies between proves nothing: a person may take minutes to log in.
        """
        if self._body.get("nonce") != self._state.nonce:
            return None
        try:
            issued_at = id_tokens.time_of(self._body, "iat")
        except LaunchRefused:
            return None
        return max(issued_at - self._now, 0.0) + min(issued_at - self._state.issued_at, 0.0)

    def storage(self) -> PlatformStorage | None:
        """The platform's storage, if this login may have left its secret there and no cookie came."""
        self._validate_form()
        registration = self._open_state()
        if self._cookie_service.get_cookie(self._state.cookie_name):
            return None
        return platform_storage(registration, self._state)

    def validate(self) -> _Validation:
        """The steps in the order of this module's introduction."""
        self._validate_form()
        self.validate_state()
        self.validate_jwt_format()
        self.validate_jwt_signature()
        self.validate_registration()
        self._validate_times()
        self.validate_nonce()
        self.validate_message()
        self._validated = True
        return self

    # -- 1. form and bounds

    def _validate_form(self) -> None:
        error = self._get_request_param("error")
        if error:
            # Only a name goes further: the description is text that anybody may have sent.
            name = error if _ERROR_NAME.fullmatch(error) else "unreadable"
            raise LaunchRefused(ErrorCode.LAUNCH_PLATFORM_ERROR, name, platform_error=name)
        for parameter, length in (("id_token", MAX_TOKEN_LENGTH), ("state", MAX_STATE_LENGTH)):
            value = self._get_request_param(parameter)
            if not value or len(value) > length:
                raise LaunchRefused(
                    ErrorCode.LAUNCH_FORM_INVALID, f"{parameter} has {len(value)} bytes", parameter=parameter
                )

    # -- 2. the state

    def _open_state(self) -> RegistrationView:
        self._state = self._validator.states.open(self._get_request_param("state"))
        registration = self._validator.registrations.by_id(self._state.registration_id)
        self._known = registration
        if (
            not 0
            <= self._now - self._state.issued_at + LEEWAY_SECONDS
            <= (STATE_LIFETIME_SECONDS + LEEWAY_SECONDS)
        ):
            raise LaunchRefused(ErrorCode.LAUNCH_STATE_EXPIRED, f"issued at {self._state.issued_at}")
        return require_approved(registration)

    def validate_state(self) -> _Validation:
        """The state is ours, of now, of an approved registration, and of this browser."""
        self._open_state()
        held = self._cookie_service.get_cookie(self._state.cookie_name)
        self._is_cookie_bound = held is not None
        if held is None and self._state.storage is not None:
            held = self._storage_value
        if held is None or not hmac.compare_digest(browser_hash(held), self._state.browser_hash):
            raise LaunchRefused(ErrorCode.LAUNCH_STATE_UNBOUND, "this browser holds nothing of that login")
        return self

    # -- 3. algorithm, key, signature

    def validate_jwt_format(self) -> _Validation:
        """A compact JWS with an allowed algorithm and a key id."""
        self._header = id_tokens.read_header(self._get_id_token())
        return self

    def validate_jwt_signature(self) -> _Validation:
        """Signed by a key that this registration's platform publishes under that id."""
        self._body = id_tokens.read_body(
            self._get_id_token(), self._header, self._registered, self._validator.jwks
        )
        self.set_jwt({"header": self._header, "body": self._body})  # type: ignore[typeddict-item]
        return self

    # -- 4. issuer, audience, authorised party, times

    def validate_registration(self) -> _Validation:
        """The token is from the platform that the login named, and for this tool alone (SEC §5.1.3 3-5)."""
        id_tokens.check_parties(self._body, self._registered)
        self._is_genuine = True
        return self

    def _validate_times(self) -> None:
        id_tokens.check_times(self._body, self._now, MAX_TOKEN_AGE_SECONDS)

    # -- 5. the nonce

    def validate_nonce(self) -> _Validation:
        """The nonce of this state, not merely one that this tool once gave out."""
        nonce = self._body.get("nonce")
        if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), self._state.nonce.encode()):
            raise LaunchRefused(ErrorCode.LAUNCH_NONCE_WRONG, "nonce is not the one of this state")
        return self

    # -- 6. LTI claims

    def validate_message(self) -> _Validation:
        """The claims that every message needs, and those of this one."""
        body = self._body
        if body.get(claims.VERSION) != claims.LTI_VERSION:
            raise LaunchRefused(ErrorCode.LAUNCH_VERSION_WRONG, f"version is not {claims.LTI_VERSION}")
        message_type = body.get(claims.MESSAGE_TYPE)
        if not isinstance(message_type, str) or message_type not in claims.MESSAGES:
            raise LaunchRefused(ErrorCode.LAUNCH_MESSAGE_TYPE_UNKNOWN, "a message this tool does not take")
        claims.read_roles(body)
        if claims.identifier(body.get(claims.DEPLOYMENT_ID), "deployment_id") is None:
            raise LaunchRefused(ErrorCode.LAUNCH_DEPLOYMENT_MISSING, "no deployment_id")
        if message_type == claims.RESOURCE_LINK_REQUEST:
            claims.read_resource_link(body)
        self._read_user()
        self._validate_target()
        if message_type == claims.DEEP_LINKING_REQUEST:
            claims.read_deep_linking_settings(body)
        elif message_type == claims.SUBMISSION_REVIEW_REQUEST:
            self._validate_review()
        elif message_type == claims.DATA_PRIVACY_REQUEST:
            claims.read_for_user(body)
        return self

    def _validate_review(self) -> None:
        """Whose work, and by which column (Submission Review 1.0 §3.3); the link may be left out."""
        claims.read_for_user(self._body)
        grades = claims.read_grade_service(self._body)
        if grades is None or grades.line_item_url is None:
            raise LaunchRefused(ErrorCode.LAUNCH_CLAIM_INVALID, "a review of no column", claim="lineitem")
        if claims.RESOURCE_LINK in self._body:
            claims.read_resource_link(self._body)

    def _validate_target(self) -> None:
        """The signed target is the login's, which came unsigned, and lies on this installation.

        Deep Linking 2.0 does not ask platforms for the claim; without it the login's counts, whose host
        was checked then.
        """
        target = self._body.get(claims.TARGET_LINK_URI)
        if target is None and self._body[claims.MESSAGE_TYPE] == claims.DEEP_LINKING_REQUEST:
            return
        if target != self._state.target_link_uri or not is_ours(target, self._validator.base_url):
            raise LaunchRefused(ErrorCode.LAUNCH_TARGET_WRONG, "target_link_uri is not the login's")

    # -- the result

    @property
    def _registered(self) -> RegistrationView:
        assert self._known is not None
        return self._known

    def _launch(self) -> Launch:
        body, registration = self._body, self._registered
        message_type = body[claims.MESSAGE_TYPE]
        is_deep_linking = message_type == claims.DEEP_LINKING_REQUEST
        is_privacy = message_type == claims.DATA_PRIVACY_REQUEST
        presentation = body.get(claims.LAUNCH_PRESENTATION)
        presentation = presentation if isinstance(presentation, dict) else {}
        tool_platform = body.get(claims.TOOL_PLATFORM)
        platform_url = tool_platform.get("url") if isinstance(tool_platform, dict) else None
        custom = claims.read_custom(body)
        user = self._read_user()
        settings = claims.read_deep_linking_settings(body, custom) if is_deep_linking else None
        roles = claims.read_roles(body)
        # A privacy launch is about a person, in whatever courses: both claims are to be absent from it.
        context = None if is_privacy else claims.read_context(body)
        has_link = not (is_deep_linking or is_privacy) and claims.RESOURCE_LINK in body
        return_url = claims.http_url(presentation.get("return_url"))
        return Launch(
            registration_id=registration.id,
            issuer=registration.issuer,
            client_id=registration.client_id,
            product=registration.product,
            deployment_id=body[claims.DEPLOYMENT_ID],
            message_type=message_type,
            user=user,
            # Nobody in particular teaches nothing, whatever roles came along.
            rights=rights_of(() if user == ANONYMOUS else roles),
            roles=roles,
            nonce=self._state.nonce,
            issued_at=datetime.fromtimestamp(body["iat"], UTC),
            expires_at=datetime.fromtimestamp(body["exp"], UTC),
            target_link_uri=self._state.target_link_uri,
            context=context,
            link=self._link(context, custom) if has_link else None,
            custom=custom,
            grades=claims.read_grade_service(body),
            memberships=claims.read_membership_service(body),
            deep_linking=settings,
            groups_url=groups.read_service(body),
            notices_url=notices.read_service(body),
            return_url=return_url,
            locale=claims.read_locale(presentation, custom),
            frame_origins=claims.origins_of((return_url, settings and settings.return_url, platform_url)),
            course_module_id=self._state.course_module_id
            or custom.get("assignment_id", "")[: claims.ACTIVITY_LENGTH]
            or None,
            is_masquerading=platform_for(registration.product).is_masquerading(custom),
            is_cookie_bound=self._is_cookie_bound,
            for_user=claims.read_for_user(body) if message_type in claims.ABOUT_SOMEBODY else None,
            clock_skew=self._clock_skew() or 0.0,
        )

    def _read_user(self) -> PlatformUser:
        """Who it is; nobody only where the registration allows it, and only to open a link."""
        may_be_anonymous = (
            self._registered.allows_anonymous
            and self._body[claims.MESSAGE_TYPE] == claims.RESOURCE_LINK_REQUEST
        )
        return claims.read_user(self._body, may_be_anonymous=may_be_anonymous)

    def _link(self, context: CourseContext | None, custom: Mapping[str, str]) -> LinkOnPlatform:
        link = claims.read_resource_link(self._body)
        name = platform_for(self._registered.product).link_id(
            link.id_on_platform, context.id_on_platform if context else None, custom.get("badge_link_key")
        )
        return replace(link, id_on_platform=name)
