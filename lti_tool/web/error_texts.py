"""What each error code says to a person: a title, what happened, what to do."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from lti_tool.errors import ErrorCode
from lti_tool.web.connection_error_texts import CONNECTION_TEXTS
from lti_tool.web.error_sentences import (
    ADMINISTRATOR,
    AGAIN,
    BACK,
    BADGE,
    LATER,
    LAUNCH,
    OPERATOR,
    PLATFORM,
    STAFF_AGAIN,
    ErrorText,
)

TEXTS: dict[ErrorCode, ErrorText] = {
    **CONNECTION_TEXTS,
    # -- anywhere
    ErrorCode.INTERNAL: ErrorText(
        _("Something went wrong on our side"),
        _("The tool met a problem that it did not expect. What you did last may not have been saved."),
        _(
            "Please try again. If it happens again, tell the people who run this badge "
            "service the code shown here."
        ),
    ),
    ErrorCode.NOT_FOUND: ErrorText(
        _("There is nothing here"),
        _("The address leads nowhere, or to something that is not shared with you."),
        _("Check the address. A badge that its owner stopped sharing is no longer shown."),
        advice_on_staff_pages=_("Look for it in the lists of your organisation; it may have been removed."),
    ),
    ErrorCode.METHOD_NOT_ALLOWED: ErrorText(
        _("This address works differently"),
        _("The page was asked for in a way that it does not offer."),
        BACK,
        advice_on_staff_pages=STAFF_AGAIN,
    ),
    ErrorCode.REQUEST_INVALID: ErrorText(
        _("This request cannot be understood"),
        _("A part of the request is missing or is not what it should be."),
        BACK,
        advice_on_staff_pages=STAFF_AGAIN,
    ),
    ErrorCode.REQUEST_TOO_LARGE: ErrorText(
        _("This is too large"),
        _("What was sent is larger than the tool accepts."),
        _("Send a smaller file or a shorter text."),
    ),
    ErrorCode.FORM_INVALID: ErrorText(
        _("Please check what you entered"),
        _("Some fields need your attention."),
        _("Go back to the form and correct what is missing, too long or not what it should be."),
    ),
    ErrorCode.CSRF_INVALID: ErrorText(
        _("This form is no longer valid"),
        _("The form did not come from a page of this session, so nothing was changed."),
        AGAIN,
        advice_on_staff_pages=STAFF_AGAIN,
    ),
    ErrorCode.RATE_LIMITED: ErrorText(
        _("Too many requests"),
        _("More was asked for in a short time than anybody needs, from your network or for you."),
        _("Wait a while, then try again."),
    ),
    ErrorCode.NOT_ALLOWED: ErrorText(
        _("You may not do this"),
        _("Your role in this course does not include this."),
        _("If you teach this course, ask for the role that lets you edit it, then open the activity again."),
    ),
    ErrorCode.CONFLICT: ErrorText(
        _("Somebody else was faster"),
        _("This was changed in the meantime, so nothing was done."),
        _("Go back, look at the current state, and decide again."),
    ),
    ErrorCode.SESSION_MISSING: ErrorText(
        _("Please open this from your course"),
        _("This page belongs to a session that started in another browser or window, or that has ended."),
        AGAIN,
    ),
    ErrorCode.SESSION_EXPIRED: ErrorText(
        _("Your session has ended"),
        _("For your safety a session ends after an hour."),
        AGAIN,
    ),
    # -- configuration
    ErrorCode.SETTINGS_INVALID: ErrorText(
        _("This badge service is not set up correctly"), _("A setting is missing or wrong."), OPERATOR
    ),
    ErrorCode.KEY_FILE_EXPOSED: ErrorText(
        _("This badge service is not set up correctly"),
        _("A key file can be read by others, so it is not used."),
        OPERATOR,
    ),
    ErrorCode.KEY_MISSING: ErrorText(
        _("This badge service is not set up correctly"), _("A signing key is missing."), OPERATOR
    ),
    ErrorCode.KEY_PASSPHRASE_MISSING: ErrorText(
        _("This badge service is not set up correctly"),
        _("Its signing keys are encrypted, and it was not given what opens them."),
        OPERATOR,
    ),
    ErrorCode.KEY_PASSPHRASE_WRONG: ErrorText(
        _("This badge service is not set up correctly"),
        _("Its signing keys are encrypted, and what it was given does not open them."),
        OPERATOR,
    ),
    ErrorCode.DATABASE_NOT_MIGRATED: ErrorText(
        _("This badge service is being updated"),
        _("The database does not have its newest form yet."),
        _("Wait a minute, then try again."),
    ),
    # -- staff pages
    ErrorCode.STAFF_LINK_INVALID: ErrorText(
        _("This sign-in link does not work any more"),
        _("A sign-in link works once, for 15 minutes, and only until a newer one is made."),
        _("Ask an owner of your organisation, or whoever runs this service, for a new link."),
        leads_to=("staff.sign_in", _("To the sign-in page")),
    ),
    ErrorCode.STAFF_SIGN_IN_NEEDED: ErrorText(
        _("Please sign in"),
        _("You are not signed in to the staff pages, or your session of 12 hours has ended."),
        _("Use a new sign-in link, or open the staff pages from your learning platform if it offers them."),
        leads_to=("staff.sign_in", _("To the sign-in page")),
    ),
    ErrorCode.STAFF_NOT_ALLOWED: ErrorText(
        _("Your role does not include this"),
        _("What you may see and change here depends on your role in the organisation."),
        _("Ask an owner of your organisation for the role that includes it."),
    ),
    ErrorCode.STAFF_OPERATOR_DECIDES: ErrorText(
        _("This is up to the operator"),
        _("The operator of this installation disabled it, or other organisations can use it too."),
        _("Ask the operator, who can do it at the command line."),
    ),
    ErrorCode.STAFF_MEMBER_NOT_FOUND: ErrorText(
        _("There is no such staff member"),
        _("They do not exist, or they belong to another organisation."),
        _("Look at the list of members again."),
    ),
    ErrorCode.STAFF_LAST_OWNER: ErrorText(
        _("An organisation needs an owner"),
        _("This is its last owner, so nothing was changed."),
        _("Make somebody else an owner first."),
    ),
    ErrorCode.ORGANISATION_NOT_FOUND: ErrorText(
        _("There is no such organisation"),
        _("No organisation has this name or id."),
        _("Look at the list of organisations again."),
    ),
    ErrorCode.ORGANISATION_AMBIGUOUS: ErrorText(
        _("Several organisations have this name"),
        _("It is not clear which of them is meant, so nothing was changed."),
        _("Name the organisation by its id."),
    ),
    # -- login
    ErrorCode.LOGIN_PARAMETER_MISSING: ErrorText(
        _("The launch began without all it needs"),
        _("The learning platform left out a part of the first step of the launch."),
        ADMINISTRATOR,
    ),
    ErrorCode.LOGIN_PARAMETER_INVALID: ErrorText(
        _("The launch began with something unusable"),
        _("A part of the first step of the launch is not what it should be."),
        ADMINISTRATOR,
    ),
    ErrorCode.LOGIN_TARGET_FOREIGN: ErrorText(
        _("This launch leads somewhere else"),
        _("The activity is set up with an address that does not belong to this tool."),
        ADMINISTRATOR,
    ),
    # -- launch
    ErrorCode.LAUNCH_FORM_INVALID: ErrorText(
        LAUNCH, _("The learning platform sent an incomplete or oversized answer."), AGAIN
    ),
    ErrorCode.LAUNCH_PLATFORM_ERROR: ErrorText(
        _("The learning platform could not start this"),
        _("The platform reported an error instead of signing you in."),
        _("Log in to the learning platform again, then open the activity."),
    ),
    ErrorCode.LAUNCH_STATE_INVALID: ErrorText(LAUNCH, _("This launch did not begin with this tool."), AGAIN),
    ErrorCode.LAUNCH_STATE_EXPIRED: ErrorText(
        _("This launch took too long"),
        _("Some minutes passed between the first and the second step of the launch."),
        AGAIN,
    ),
    ErrorCode.LAUNCH_STATE_UNBOUND: ErrorText(
        _("Your browser blocks what this activity needs here"),
        _(
            "The tool must know that this launch began in your browser. Inside the course "
            "page your browser does "
            "not let it remember that."
        ),
        _("Open the activity in a window of its own. That works with every browser."),
        _(
            "Reload the course page and try again. If that does not help, allow cookies for this site in "
            "your browser, or ask the people who look after your learning platform to let the tool open in "
            "a new window."
        ),
    ),
    ErrorCode.LAUNCH_TOKEN_MALFORMED: ErrorText(
        LAUNCH, _("The platform's message cannot be read."), ADMINISTRATOR
    ),
    ErrorCode.LAUNCH_ALGORITHM_REFUSED: ErrorText(
        LAUNCH, _("The platform's message is signed in a way that is not secure enough."), ADMINISTRATOR
    ),
    ErrorCode.LAUNCH_KEY_ID_MISSING: ErrorText(
        LAUNCH, _("The platform's message does not name the key it is signed with."), ADMINISTRATOR
    ),
    ErrorCode.LAUNCH_KEY_UNKNOWN: ErrorText(
        LAUNCH,
        _("The platform's message is signed with a key that the platform does not publish."),
        ADMINISTRATOR,
    ),
    ErrorCode.LAUNCH_KEYS_UNREACHABLE: ErrorText(
        _("The learning platform cannot be reached"),
        _("The tool could not fetch the keys of the learning platform, so it cannot check this launch."),
        _(
            "Try again in a minute. If it happens again, tell the people who look after your "
            "learning platform."
        ),
    ),
    ErrorCode.LAUNCH_SIGNATURE_INVALID: ErrorText(
        LAUNCH, _("The signature of the platform's message is wrong."), ADMINISTRATOR
    ),
    ErrorCode.LAUNCH_ISSUER_WRONG: ErrorText(
        LAUNCH,
        _("The message comes from another platform than the one that began the launch."),
        ADMINISTRATOR,
    ),
    ErrorCode.LAUNCH_AUDIENCE_WRONG: ErrorText(
        LAUNCH, _("The message is addressed to another tool."), ADMINISTRATOR
    ),
    ErrorCode.LAUNCH_AUTHORISED_PARTY_WRONG: ErrorText(
        LAUNCH, _("The message was made for another tool."), ADMINISTRATOR
    ),
    ErrorCode.LAUNCH_EXPIRED: ErrorText(
        _("This launch took too long"), _("The platform's message is valid for a short time only."), AGAIN
    ),
    ErrorCode.LAUNCH_TIME_INVALID: ErrorText(
        LAUNCH,
        _("The time in the platform's message cannot be right. Perhaps the clock of a server is wrong."),
        ADMINISTRATOR,
    ),
    ErrorCode.LAUNCH_NONCE_WRONG: ErrorText(LAUNCH, _("The message belongs to another launch."), AGAIN),
    ErrorCode.LAUNCH_VERSION_WRONG: ErrorText(
        LAUNCH, _("The message is not of LTI version 1.3."), ADMINISTRATOR
    ),
    ErrorCode.LAUNCH_MESSAGE_TYPE_UNKNOWN: ErrorText(
        LAUNCH, _("The tool does not know this kind of message."), ADMINISTRATOR
    ),
    ErrorCode.LAUNCH_ROLES_MISSING: ErrorText(
        LAUNCH, _("The message does not say anything about roles."), ADMINISTRATOR
    ),
    ErrorCode.LAUNCH_DEPLOYMENT_MISSING: ErrorText(
        LAUNCH, _("The message does not name the deployment."), ADMINISTRATOR
    ),
    ErrorCode.LAUNCH_RESOURCE_LINK_MISSING: ErrorText(
        LAUNCH, _("The message does not name the activity."), ADMINISTRATOR
    ),
    ErrorCode.LAUNCH_SUBJECT_MISSING: ErrorText(
        _("The platform did not say who you are"),
        _("Badges belong to people, and this launch names nobody."),
        _("Log in to the learning platform, then open the activity again."),
    ),
    ErrorCode.LAUNCH_CLAIM_INVALID: ErrorText(
        LAUNCH, _("A part of the message is missing, too long, or of the wrong kind."), ADMINISTRATOR
    ),
    ErrorCode.LAUNCH_TARGET_WRONG: ErrorText(
        LAUNCH, _("The signed address differs from the one that the launch began with."), ADMINISTRATOR
    ),
    ErrorCode.LAUNCH_REPLAYED: ErrorText(
        _("This launch was used already"),
        _("A launch works once. Reloading the page or going back sends it a second time."),
        AGAIN,
    ),
    ErrorCode.DEPLOYMENT_HELD: ErrorText(
        _("One more step before this works"),
        _("The connection is new. It was recorded, and somebody has to approve it before it can be used."),
        OPERATOR,
    ),
    ErrorCode.DEPLOYMENT_DISABLED: ErrorText(
        _("This connection is switched off"),
        _("The badge service no longer accepts launches from here."),
        OPERATOR,
    ),
    # -- deep linking
    ErrorCode.DEEP_LINKING_NOT_ALLOWED: ErrorText(
        _("You cannot add badges here"),
        _("Badges are added by people who may edit the course, from its list of activities."),
        _("Open the course in edit mode and add the activity from there."),
    ),
    ErrorCode.DEEP_LINKING_TYPE_REFUSED: ErrorText(
        _("The platform does not accept links here"),
        _("At this place the learning platform takes other kinds of content only."),
        _("Add the badge as an activity of the course."),
    ),
    ErrorCode.DEEP_LINKING_SETTINGS_INVALID: ErrorText(
        _("The platform's request is incomplete"),
        _("The learning platform did not say where to send your choice."),
        ADMINISTRATOR,
    ),
    # -- LMS services
    ErrorCode.PLATFORM_UNREACHABLE: ErrorText(
        PLATFORM, _("The learning platform could not be reached."), LATER
    ),
    ErrorCode.PLATFORM_TIMED_OUT: ErrorText(
        PLATFORM, _("The learning platform took too long to answer."), LATER
    ),
    ErrorCode.PLATFORM_BUSY: ErrorText(PLATFORM, _("The learning platform asked us to wait."), LATER),
    ErrorCode.PLATFORM_CALLS_SPENT: ErrorText(
        PLATFORM,
        _("So many people visit at once that the learning platform is not asked for everybody right away."),
        LATER,
    ),
    ErrorCode.PLATFORM_REFUSED: ErrorText(
        PLATFORM, _("The learning platform refused to answer."), ADMINISTRATOR
    ),
    ErrorCode.PLATFORM_ANSWER_INVALID: ErrorText(
        PLATFORM, _("The learning platform's answer could not be read."), ADMINISTRATOR
    ),
    ErrorCode.PLATFORM_ANSWER_TOO_LARGE: ErrorText(
        PLATFORM, _("The learning platform's answer was too large."), ADMINISTRATOR
    ),
    ErrorCode.PLATFORM_TOKEN_REFUSED: ErrorText(
        PLATFORM,
        _(
            "The learning platform does not let this tool read grades and participants: it "
            "refuses the tool's key."
        ),
        _(
            "An administrator should check the address of the tool's public keys in the "
            "platform's tool settings."
        ),
    ),
    ErrorCode.PLATFORM_TOKEN_URL_MISSING: ErrorText(
        PLATFORM,
        _("This tool does not know yet where your institution's learning platform gives it access."),
        _(
            "An administrator should tell the people who run this tool the address at which your "
            "institution opens its learning platform."
        ),
    ),
    ErrorCode.PLATFORM_SCOPE_MISSING: ErrorText(
        PLATFORM,
        _("The learning platform did not give this tool the right to do this."),
        _(
            "An administrator should switch on the grade and participant services in the "
            "platform's tool settings."
        ),
    ),
    ErrorCode.PLATFORM_HOST_FOREIGN: ErrorText(
        PLATFORM, _("The learning platform named an address that does not belong to it."), ADMINISTRATOR
    ),
    ErrorCode.PLATFORM_PAGING_BROKEN: ErrorText(
        PLATFORM, _("The learning platform's list could not be read to its end."), LATER
    ),
    ErrorCode.COLUMN_MISSING: ErrorText(
        _("A gradebook column is missing"),
        _(
            "The column was deleted in the learning platform or was never created, or the course has ended "
            "there."
        ),
        _("If the course still runs, a teacher can create the column again on its badge page."),
    ),
    ErrorCode.GATE_LINK_MISSING: ErrorText(
        _("A gate activity is missing"),
        _("The learning platform does not know this gate activity any more; perhaps it was deleted."),
        _("Add it again: open “Select content” and choose the badge. Badges that were earned stay."),
    ),
    ErrorCode.GATE_LINK_NAMELESS: ErrorText(
        _("This link cannot be a gate"),
        _("The learning platform does not tell links inside a page apart."),
        _("Add the gate as an activity or assignment of its own, and open it from there."),
    ),
    ErrorCode.AWARD_COLUMN_REFUSED: ErrorText(
        _("No gradebook column for this badge"),
        _("The learning platform made no gradebook column for this activity."),
        _("Let the activity be graded in the learning platform, then choose “Look again”."),
    ),
    ErrorCode.SCORE_NOT_A_STUDENT: ErrorText(
        _("Not a student"),
        _("The learning platform takes scores for students only, and this person is none there."),
        _("If they learn here, give them a student's role in the course, then choose “Look again”."),
    ),
    ErrorCode.SCORE_STALE: ErrorText(
        _("A later score is there"),
        _("The gradebook holds something with a later date, and takes no score from before it."),
        _("It is tried again by itself for some days; then choose “Look again”. The badge is not touched."),
    ),
    ErrorCode.SCORE_LOCKED: ErrorText(
        _("The grade is locked"),
        _("The column, or this person's grade in it, is locked in the gradebook."),
        _("Unlock it in the gradebook, then choose “Look again”."),
    ),
    ErrorCode.SCORE_REFUSED: ErrorText(
        _("The score was refused"),
        _("The learning platform did not take the score of the award."),
        _("It is tried again by itself for some days; then choose “Look again”. The badge is not touched."),
    ),
    # -- outgoing HTTP policy
    ErrorCode.OUTBOUND_URL_REFUSED: ErrorText(
        _("This address may not be opened"),
        _("The tool only opens public addresses that begin with https://."),
        _("Check the address."),
    ),
    ErrorCode.OUTBOUND_IN_TRANSACTION: ErrorText(
        _("Something went wrong on our side"),
        _("The tool stopped itself before it could block others."),
        OPERATOR,
    ),
    # -- credentials
    ErrorCode.CONTEXT_NOT_VENDORED: ErrorText(
        BADGE, _("It uses a vocabulary that this tool does not carry."), OPERATOR
    ),
    ErrorCode.CREDENTIAL_PROPERTY_UNCOVERED: ErrorText(
        BADGE, _("A part of it has no defined meaning, so signing it would not protect it."), OPERATOR
    ),
    ErrorCode.CREDENTIAL_TEXT_INVALID: ErrorText(
        BADGE,
        _("A text contains characters that cannot be signed reliably."),
        _("Type the text again without special control characters."),
    ),
    ErrorCode.CREDENTIAL_DATE_INVALID: ErrorText(BADGE, _("One of its dates cannot be right."), OPERATOR),
    ErrorCode.FRAMEWORK_FILE_INVALID: ErrorText(
        _("The file was not imported"),
        _("It is no table of ESCO's skills and no CASE package, or something in it cannot be used."),
        _("Take the file as it was published, and try again."),
    ),
    ErrorCode.CREDENTIAL_NOT_FOUND: ErrorText(
        _("There is no such badge"),
        _("The badge does not exist, or its owner does not share it."),
        _("Ask the person who sent you the address."),
    ),
    ErrorCode.NOT_SUSPENDABLE: ErrorText(
        _("This badge cannot be suspended"),
        _("It can only be revoked: that was settled when it was awarded, and is signed in it."),
        _("Revoke it if it must not count any more, or choose suspension for badges awarded from now on."),
    ),
    ErrorCode.CATEGORY_COUNTED: ErrorText(
        _("A milestone asks for this category"),
        _("Its badge is given for micromodules in the category, so the category has to stay."),
        _("Retire the milestone first, or discard its draft. Whoever has its badge keeps it."),
    ),
    ErrorCode.MILESTONE_ASKED_FOR: ErrorText(
        _("Something asks for this milestone"),
        _("Its badge is needed for something else, so it has to stay."),
        _(
            "Let what needs it ask for something else, with its next version. A milestone that needs it can "
            "also be retired, or its draft discarded. Then come back."
        ),
    ),
    ErrorCode.ENDORSEMENTS_TOO_MANY: ErrorText(
        _("No further endorsement can be accepted"),
        _("As many stand for this already as a badge can carry."),
        _("Take another one off first, then accept this one."),
    ),
    ErrorCode.CREDENTIAL_ERASED: ErrorText(
        _("This badge was erased"),
        _("Everything about its owner was erased here, and the badge was withdrawn with it."),
        _("Nothing more can be said about it, and a copy of it is no longer valid."),
    ),
    ErrorCode.CREDENTIAL_NOT_RECOGNISED: ErrorText(
        _("This is not a badge"),
        _("No Open Badge was found in what you sent."),
        _("Send a badge as a JSON file, a PNG or SVG picture, or its address."),
    ),
    ErrorCode.CREDENTIAL_TOO_COMPLEX: ErrorText(
        _("This badge is too complex to check"),
        _("Checking it would take more time or memory than the tool gives to one badge."),
        _("Ask the issuer for another form of the badge."),
    ),
    ErrorCode.IMAGE_INVALID: ErrorText(
        _("This picture cannot be used"),
        _("The file is damaged, too large, or not a PNG or SVG picture."),
        _("Choose another picture."),
    ),
    ErrorCode.ARTWORK_INVALID: ErrorText(
        _("This picture cannot be drawn"),
        _("The shape, icon, colour or text is not one that the composer knows."),
        _("Choose again from the lists."),
    ),
    ErrorCode.VERIFY_URL_UNREACHABLE: ErrorText(
        _("There is no badge at this address"),
        _("The address does not answer, answers with an error, or is not open to the public."),
        _("Check the address, or download the badge and choose its file instead."),
    ),
    ErrorCode.VERIFY_URL_INVALID: ErrorText(
        _("This is not a web address"),
        _("What stands in the address field cannot be opened as a page."),
        _("Copy the whole address of the badge, with https:// in front, or choose its file instead."),
    ),
    ErrorCode.VERIFIER_BUSY: ErrorText(
        _("Many badges are being checked right now"),
        _("Yours was not looked at, so nothing is known about it yet."),
        _("Try again in a few seconds."),
    ),
    # -- criteria, micromodules, placements
    ErrorCode.CRITERIA_INVALID: ErrorText(
        _("These criteria cannot be used"),
        _("A rule is incomplete or can never be met."),
        _("Check the rules; everything that you entered is still there."),
    ),
    ErrorCode.MICROMODULE_NOT_FOUND: ErrorText(
        _("There is no such micromodule"),
        _("It does not exist, or it belongs to another organisation."),
        _("Open the list of micromodules again and choose another one."),
    ),
    ErrorCode.PLACEMENT_NOT_FOUND: ErrorText(
        _("This badge is not part of the course"),
        _("It was removed, or it belongs to another course."),
        _(
            "If you found it on the page of this course, tell a teacher of the course: it has to be "
            "added again."
        ),
    ),
    ErrorCode.PLACEMENT_NOT_EDITABLE: ErrorText(
        _("This badge cannot be changed any more"),
        _("It was published, earned, or placed in another course too: others rely on what it says."),
        _("Export its rules, and import them into a new badge."),
    ),
    ErrorCode.VERSION_NEEDS_STAFF: ErrorText(
        _("Other courses have this badge, too"),
        _("A change would take effect in all of them. That is for your organisation's staff."),
        _("Tell them what should change: they do it on the micromodule's page."),
    ),
    ErrorCode.PATHWAY_CIRCLE: ErrorText(
        _("These badges ask for each other"),
        _("It asks for something that needs this one first, so that nobody could ever earn either."),
        _("Nothing was changed. Let one of them ask for something else first, then try again."),
    ),
    ErrorCode.BADGE_IS_ON: ErrorText(
        _("It issues a badge already"),
        _("Somebody has switched its badge on."),
        _("Open the page again: it says how far awarding is."),
    ),
    ErrorCode.LEARNER_NOT_FOUND: ErrorText(
        _("Somebody here does not learn in this course"),
        _("They left the course, or teach in it. Nothing was changed for anybody."),
        _("Load the list again, and choose from it."),
    ),
    ErrorCode.PRIVACY_NOT_ALLOWED: ErrorText(
        _("You may not see this person's data"),
        _("Only an administrator of the learning platform who asks for one person's data may do so."),
        _("Everybody can download their own data from their own badges page."),
    ),
    ErrorCode.EVIDENCE_NOT_FOUND: ErrorText(
        _("This is not asked for here"),
        _("The badge asks for nothing of this name, or what was handed in is not shared with you."),
        _("Go back to the page that you came from and load it again."),
    ),
    ErrorCode.EVIDENCE_WAITING: ErrorText(
        _("You have handed something in already"),
        _("It waits for a teacher. What you sent now was not handed in a second time."),
        _("Load the page again. To hand in something else, take back what waits first."),
    ),
    ErrorCode.EVIDENCE_JUDGED: ErrorText(
        _("Somebody was quicker"),
        _("This has been judged or taken back meanwhile. What you entered was not saved."),
        _("Load the page again to see how it stands."),
    ),
    ErrorCode.EVIDENCE_ACCEPTED: ErrorText(
        _("What you handed in is accepted"),
        _("It counts, and stays as it is. Nothing more is needed."),
        _("Load the page again to see what was accepted."),
    ),
    ErrorCode.EVIDENCE_LIMIT_REACHED: ErrorText(
        _("No more can be handed in here"),
        _("You have handed in as often, or as much, as can be kept for one rule of a badge."),
        _("Tell a teacher of the course: what was given back last, they can still accept."),
    ),
    ErrorCode.CONTEXT_NOT_FOUND: ErrorText(
        _("There is no such course"),
        _("This launch did not come from a course."),
        _("Open the activity from the page of a course."),
    ),
    ErrorCode.GATE_NOT_FOUND: ErrorText(
        _("There is no such gate"),
        _("Its badge was removed, or it belongs to another course."),
        _("Open the badge activity of this course to see its gates."),
    ),
    ErrorCode.GATE_NOT_CONFIRMABLE: ErrorText(
        _("This gate cannot be confirmed yet"),
        _("Who passes was not read yet, or it changed while you were looking. Nothing was changed."),
        _("Go back, look at who passes now, and confirm again."),
    ),
}


def text_of(code: ErrorCode | str) -> ErrorText:
    """The sentences of a code; an unknown one (stored by a newer release) reads as an internal error."""
    try:
        return TEXTS[ErrorCode(code)]
    except (ValueError, KeyError):
        return TEXTS[ErrorCode.INTERNAL]
