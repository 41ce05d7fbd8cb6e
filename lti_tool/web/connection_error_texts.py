"""What error codes say that come up where an LMS is connected: registrations, invitations, notifications."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from lti_tool.errors import ErrorCode
from lti_tool.web.error_sentences import (
    ADMINISTRATOR,
    NEW_LINK,
    OPERATOR,
    REGISTER_AGAIN,
    ErrorText,
)

CONNECTION_TEXTS: dict[ErrorCode, ErrorText] = {
    # -- registrations
    ErrorCode.REGISTRATION_UNKNOWN: ErrorText(
        _("This learning platform is not connected"),
        _("The tool does not know the platform or the client ID that sent you here."),
        _(
            "An administrator of the platform finds everything that is needed on the "
            "connection page of this tool."
        ),
        leads_to=("lti.connect", _("Connect your learning platform")),
    ),
    ErrorCode.REGISTRATION_INVALID: ErrorText(
        _("This connection is not complete"),
        _("The details of this learning platform are missing or contradict each other."),
        ADMINISTRATOR,
    ),
    ErrorCode.REGISTRATION_NOT_APPROVED: ErrorText(
        _("This connection waits for approval"),
        _("The learning platform is known, but nobody has approved it yet, or it was switched off."),
        OPERATOR,
    ),
    ErrorCode.REGISTRATION_OF_COPY: ErrorText(
        _("This is a copy for trying things out"),
        _("This learning platform holds copies of real people and courses. No badges are earned in it."),
        _("Open the same course in the real learning platform."),
    ),
    # -- registering by an invitation
    ErrorCode.INVITATION_UNKNOWN: ErrorText(
        _("This link is none of ours"),
        _("No invitation has this link. It may have been copied only in part."),
        _("Copy the whole link once more. If it does not help, ask whoever sent it for a new one."),
        advice_on_staff_pages=_("Look for it in the list of invitations."),
    ),
    ErrorCode.INVITATION_EXPIRED: ErrorText(
        _("This link is too old"),
        _("It was good for a few days, and they are over. Nothing was registered."),
        NEW_LINK,
    ),
    ErrorCode.INVITATION_USED: ErrorText(
        _("This link has been used"),
        _("It connects one learning platform, once, and that has happened."),
        _("If it was you, all is well: nothing more is to be done here. Otherwise tell whoever sent it."),
    ),
    ErrorCode.INVITATION_WITHDRAWN: ErrorText(
        _("This link was withdrawn"),
        _("Whoever made it took it back. Nothing was registered."),
        NEW_LINK,
    ),
    ErrorCode.INVITATION_BUSY: ErrorText(
        _("Somebody is using this link at this moment"),
        _("It connects one learning platform, so two cannot use it at once. Nothing was registered here."),
        _("Wait a minute. If the other one failed, begin again in your learning platform."),
    ),
    ErrorCode.REGISTRATION_FORM_INVALID: ErrorText(
        _("This page is too old"),
        _("It was left open for too long, or was not made here. Nothing was registered."),
        REGISTER_AGAIN,
    ),
    ErrorCode.CONFIGURATION_UNREACHABLE: ErrorText(
        _("Your learning platform cannot be reached from here"),
        _("The tool could not read the platform's own description of itself. Nothing was registered."),
        _(
            "Does the platform answer over the internet, by https? One on a campus network is allowed by the "
            "people who run this service (LTI_TOOL_OUTBOUND_ALLOW). Then begin again; the link still works."
        ),
    ),
    ErrorCode.CONFIGURATION_INVALID: ErrorText(
        _("The platform's description of itself cannot be used"),
        _("Something that a connection needs is missing or wrong. Nothing was registered."),
        _(
            "Please tell the people who look after your learning platform what is listed here; it can also "
            "be connected by hand. The link still works."
        ),
        leads_to=("lti.connect", _("Connect by hand")),
    ),
    ErrorCode.CONFIGURATION_FOREIGN: ErrorText(
        _("This is another platform's description"),
        _("It was read from another host than the platform that it describes. Nothing was registered."),
        _(
            "Open the platform by the address that it is configured with (in Moodle: wwwroot), and begin "
            "again there. The link still works."
        ),
    ),
    ErrorCode.REGISTRATION_REFUSED: ErrorText(
        _("Your learning platform refused"),
        _("It did not take the registration. Nothing was stored here, and the link still works."),
        REGISTER_AGAIN,
    ),
    ErrorCode.REGISTRATION_TOKEN_REFUSED: ErrorText(
        _("Your learning platform asks to begin again"),
        _(
            "Its permission to register works once, for about an hour. Nothing was stored here, and the link "
            "still works."
        ),
        REGISTER_AGAIN,
    ),
    ErrorCode.REGISTRATION_ENDPOINT_UNREACHABLE: ErrorText(
        _("Your learning platform did not answer"),
        _("Whether it took the registration is not known. Nothing was stored here; the link still works."),
        _(
            "Look into the platform's list of tools: if this tool is there, delete it. Then paste the link "
            "again."
        ),
    ),
    ErrorCode.REGISTRATION_ANSWER_INVALID: ErrorText(
        _("Your learning platform's answer cannot be used"),
        _("It answered without what is needed to know it again. Nothing was stored here."),
        _("Delete the tool from the platform's list of tools, and connect it by hand. The link still works."),
        leads_to=("lti.connect", _("Connect by hand")),
    ),
    ErrorCode.REGISTRATION_PROTECTED: ErrorText(
        _("This platform is connected already"),
        _(
            "The connection belongs to somebody else, is shared or is disabled, so this link may not change "
            "it. Nothing was changed here."
        ),
        _(
            "If the tool now stands twice in your platform's list, delete the new one. Then ask the people "
            "who run this service; the link still works."
        ),
    ),
    ErrorCode.REGISTRATION_CHANGE_UNAPPROVED: ErrorText(
        _("Somebody has to approve this change"),
        _(
            "People already use this connection, and your platform now names other addresses or keys than "
            "before. Nothing was changed here, and everybody can go on."
        ),
        _("Ask for a link that approves the connection, and begin again with it."),
    ),
    # -- notifications of platforms
    ErrorCode.NOTICE_INVALID: ErrorText(
        _("These are no notifications"),
        _("A list of signed notifications of a learning platform was expected."),
        ADMINISTRATOR,
    ),
    ErrorCode.NOTICE_REFUSED: ErrorText(
        _("This notification was refused"),
        _("Its signature, sender or time is not what it should be, or its platform is not approved here."),
        ADMINISTRATOR,
    ),
}
