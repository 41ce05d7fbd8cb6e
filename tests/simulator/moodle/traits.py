"""What a client of Moodle has to know: each trait with its source and the test that shows it here.

`source` names a section of the reference document MOODLE.md or MOODLE_STEPS.md, or a recording in
``moodle/``. "C" marks what was read in Moodle's code and not seen happening.
"""

from functools import partial

from tests.simulator.trait import Trait as AnyTrait

Trait = partial(AnyTrait, lms="moodle", version="4.4")

TRAITS: tuple[AnyTrait, ...] = (
    # Registration
    Trait(
        "registration over-reports scopes",
        "Asked for result.readonly only, the answer promises lineitem too; a token does not carry it",
        "MOODLE.md §1, dynamic_registration_result_readonly",
        "test_registration::test_the_answer_promises_more_scopes_than_a_token_gets",
    ),
    Trait(
        "pending tools",
        "A self-registered tool is Pending, and even active not in the activity chooser",
        "MOODLE.md §1, MOODLE_STEPS.md §4",
        "test_registration::test_a_new_tool_waits_for_activation_and_for_its_place_in_the_chooser",
    ),
    Trait(
        "registration answer",
        "Registration answers 200, not 201; its token is good once",
        "MOODLE.md §1, dynamic_registration",
        "test_recordings::test_dynamic_registration",
    ),
    # Login and launch
    Trait(
        "login by form post",
        "Login initiation is a form POST with iss, target_link_uri, login_hint, lti_message_hint, client_id, "
        "lti_deployment_id",
        "MOODLE.md §2, login_initiation_*",
        "test_recordings::test_login_initiations",
    ),
    Trait(
        "no platform storage",
        "lti_storage_target never comes; state has to travel by cookie",
        "MOODLE.md §2",
        "test_launches::test_the_login_says_nothing_of_platform_storage",
    ),
    Trait(
        "one-use message hint",
        "Back or reload of the auth page is Moodle's error page, HTTP 404",
        "MOODLE.md §2, deep_linking_edge_cases_and_auth_errors",
        "test_launches::test_the_message_hint_is_good_for_one_use",
    ),
    Trait(
        "exact redirect_uri",
        "A redirect_uri that is not registered is Moodle's error page; the tool hears nothing",
        "MOODLE.md §2",
        "test_launches::test_nothing_goes_to_an_address_that_is_not_registered",
    ),
    Trait(
        "auth errors are posted",
        "access_denied, invalid_request and others arrive at redirect_uri with the state",
        "MOODLE.md §2, deep_linking_edge_cases_and_auth_errors",
        "test_launches::test_errors_of_the_auth_page_are_posted_with_the_state",
    ),
    Trait(
        "short-lived id_token",
        "The id_token lives 60 seconds; aud is a string; no azp, no nbf",
        "MOODLE.md §2, launch_student1",
        "test_launches::test_a_learner_reaches_the_tool_with_a_signed_id_token",
    ),
    Trait(
        "non-editing teacher is an instructor at launch",
        "Teachers of both kinds come as membership#Instructor; an administrator brings three roles",
        "MOODLE.md §2, launch_noneditor1, launch_admin",
        "test_launches::test_roles_at_launch_are_uris",
    ),
    Trait(
        "outsiders stay outside",
        "People who are not enrolled, or suspended, never reach the tool",
        "MOODLE.md §2",
        "test_launches::test_who_is_not_enrolled_never_reaches_the_tool",
    ),
    Trait(
        "privacy never",
        "Without consent no name, e-mail or user name; the idnumber is sent all the same, $User.username too",
        "MOODLE.md §2, launch_privacy_never_custom_vars",
        "test_recordings::test_launch_claims_without_personal_data",
    ),
    Trait(
        "custom parameters",
        "The tool's value wins; odd keys come twice; unknown variables come back literally",
        "MOODLE.md §2, launch_student1",
        "test_launches::test_custom_parameters",
    ),
    Trait(
        "resource key as audience",
        "An instance with a resourcekey signs with that as aud",
        "MOODLE.md §2",
        "test_launches::test_an_instance_with_a_resource_key_signs_for_another_audience",
    ),
    Trait(
        "roster claim only where used",
        "The first deep linking request in a course has no NRPS claim",
        "MOODLE.md §2, deep_linking_request_teacher",
        "test_deep_linking::test_the_first_request_in_a_course_brings_no_roster",
    ),
    Trait(
        "lineitem claim of a single column",
        "The lineitem claim is absent for a link without a column",
        "MOODLE.md §2",
        "test_deep_linking::test_a_link_without_line_item_has_no_lineitem_claim",
    ),
    Trait(
        "lineitem claim of several columns",
        "The lineitem claim is absent for a link with two columns",
        "MOODLE.md §2 (C)",
        "test_services::test_a_second_column_on_the_link_takes_the_lineitem_claim_away",
    ),
    Trait(
        "partitioned cookies only",
        "In the frame only Secure; SameSite=None; Partitioned cookies survive the blocking of others",
        "MOODLE.md §9",
        "test_launches::test_which_cookies_survive_the_dance",
    ),
    Trait(
        "repost of cross-site posts",
        "Moodle's SameSite=Lax session is missing on the tool's POST; Moodle posts it again itself",
        "MOODLE.md §9 (C contentitem_return.php)",
        "test_launches::test_moodle_reposts_what_came_without_its_session",
    ),
    Trait(
        "no framing of Moodle",
        "Moodle's pages send X-Frame-Options: sameorigin",
        "MOODLE.md §9",
        "test_launches::test_pages_of_the_site_refuse_framing",
    ),
    Trait(
        "the tool's frame",
        "An embedded launch is an iframe without sandbox whose page posts the login form",
        "MOODLE.md §9",
        "test_launches::test_the_tool_stands_in_a_frame_of_the_view_page",
    ),
    Trait(
        "a look at the activity's URL",
        "Saving an activity makes Moodle GET its URL without an id_token",
        "MOODLE.md §2",
        "test_deep_linking::test_moodle_looks_at_the_activitys_url_when_it_is_saved",
    ),
    # Deep linking
    Trait(
        "nothing before Save",
        "The response fills a form; the activity exists once the teacher saves, and the tool is not told",
        "MOODLE.md §3",
        "test_deep_linking::test_nothing_exists_before_save",
    ),
    Trait(
        "title over label",
        "The grade item takes the item's title; lineItem.label is ignored",
        "MOODLE.md §3",
        "test_deep_linking::test_the_grade_item_takes_the_title_not_the_label",
    ),
    Trait(
        "any type becomes an activity",
        "link and html items become useless LTI activities",
        "MOODLE.md §3, deep_linking_response_several",
        "test_deep_linking::test_several_items_become_several_activities_whatever_their_type",
    ),
    Trait(
        "unchecked response claims",
        "aud, nonce and deployment_id of a deep linking response are not checked",
        "MOODLE.md §3, deep_linking_edge_cases_and_auth_errors",
        "test_deep_linking::test_audience_nonce_and_deployment_of_a_response_are_not_checked",
    ),
    Trait(
        "bad response",
        "A wrong iss or an expired response is Moodle's error page",
        "MOODLE.md §3, deep_linking_edge_cases_and_auth_errors",
        "test_deep_linking::test_a_bad_response_is_moodles_error_page",
    ),
    Trait(
        "nested custom values",
        "An object as a custom value crashes Moodle's page",
        "MOODLE.md §3, deep_linking_edge_cases_and_auth_errors",
        "test_deep_linking::test_nested_custom_values_crash_moodles_page",
    ),
    Trait(
        "newline in a custom value",
        "A newline in a custom value injects another parameter",
        "MOODLE.md §3 (C lti_split_parameters)",
        "test_deep_linking::test_a_newline_in_a_custom_value_starts_another_parameter",
    ),
    Trait(
        "teachers only",
        "Only those who may manage activities reach the picker",
        "MOODLE.md §3",
        "test_deep_linking::test_only_those_who_manage_activities_reach_the_picker",
    ),
    Trait(
        "course copy",
        "A copied course has new ids; custom, tag, resourceId and formulas are kept",
        "MOODLE.md §3, launch_admin_restored_course",
        "test_services::test_a_copied_course_keeps_keys_and_formulas_under_new_numbers",
    ),
    # Names and Roles
    Trait(
        "short roles",
        "Rosters carry Learner and Instructor, and call a non-editing teacher Learner",
        "MOODLE.md §4, nrps",
        "test_services::test_rosters_carry_short_roles_and_a_non_editing_teacher_is_a_learner",
    ),
    Trait(
        "absent means gone",
        "Suspended and ended enrolments are simply absent; the status is always Active",
        "MOODLE.md §4, nrps",
        "test_services::test_suspended_and_ended_enrolments_are_absent",
    ),
    Trait(
        "role filter lost",
        "The next link loses the role filter",
        "MOODLE.md §4, nrps",
        "test_services::test_the_next_link_loses_the_role_filter",
    ),
    Trait(
        "unknown role filter",
        "An unknown role filter returns everybody",
        "MOODLE.md §4, nrps",
        "test_services::test_an_unknown_role_filter_is_ignored",
    ),
    Trait(
        "gate by rlid",
        "rlid leaves out members whom Restrict access keeps from that activity",
        "MOODLE.md §4 and §7B, nrps_rlid_availability2",
        "test_services::test_rlid_leaves_out_who_may_not_enter_the_activity",
    ),
    Trait(
        "hidden is no gate",
        "An activity that is merely hidden filters nobody",
        "MOODLE.md §7B, nrps_rlid_hidden_activity",
        "test_recordings::test_a_hidden_activity_gates_nobody",
    ),
    Trait(
        "restriction trees",
        "Restrictions are trees of all and any, over completion, grades and dates; a deleted subject is met "
        "by nobody",
        "MOODLE.md §7B, nrps_rlid_availability2; C availability/condition",
        "test_services::test_restrictions_nest_and_a_deleted_subject_is_met_by_nobody",
    ),
    Trait(
        "unmet conditions are shown",
        "The course page tells a learner what keeps an activity shut, and links nowhere",
        "MOODLE.md §7B, MOODLE_STEPS.md §3",
        "test_services::test_a_learner_reads_what_a_restriction_asks_for",
    ),
    Trait(
        "gated launch",
        "A learner who fails Restrict access gets no id_token",
        "MOODLE.md §7B",
        "test_services::test_a_learner_who_fails_the_restriction_gets_no_id_token",
    ),
    Trait(
        "exact Accept",
        "Accept must be the media type itself or hold */*; application/json is 400 No handler found",
        "MOODLE.md §4, nrps; a list of types: C service.php",
        "test_services::test_another_accept_header_finds_no_handler",
    ),
    Trait(
        "roster of any course",
        "A site tool's token reads the roster of every course",
        "MOODLE.md §4, nrps",
        "test_services::test_the_roster_of_a_course_without_the_tool_is_readable",
    ),
    Trait(
        "roster privacy",
        "Without consent a member has only status, roles, user_id and lis_person_sourcedid",
        "privacy_off_and_cross_tool",
        "test_services::test_names_stay_out_of_the_roster_without_privacy_consent",
    ),
    Trait(
        "tokens per tool",
        "Another tool's token is 401 on our URLs, and 403 on our column under its own type",
        "privacy_off_and_cross_tool",
        "test_services::test_a_token_of_another_tool_is_refused",
    ),
    # Tokens
    Trait(
        "token as html",
        "The token endpoint answers JSON as text/html",
        "MOODLE.md §5, token_endpoint",
        "test_services::test_the_token_answer_calls_itself_html",
    ),
    Trait(
        "scope intersection",
        "Scopes that are not permitted are dropped in silence; none left is invalid_scope",
        "MOODLE.md §5, token_endpoint",
        "test_services::test_scopes_not_permitted_are_dropped_in_silence",
    ),
    Trait(
        "cached key set",
        "The tool's key set is cached and read again when verification fails",
        "MOODLE.md §1 (C lti_verify_with_keyset)",
        "test_services::test_the_tools_key_set_is_cached_and_read_again_when_a_signature_fails",
    ),
    Trait(
        "token life",
        "An access token lives 3,600 seconds",
        "MOODLE.md §5, token_endpoint",
        "test_services::test_a_token_lives_an_hour",
    ),
    Trait(
        "unchecked assertion claims",
        "iss, aud, jti and the presence of exp are not checked",
        "MOODLE.md §5, token_endpoint",
        "test_recordings::test_token_endpoint",
    ),
    # Line items
    Trait(
        "own columns only",
        "Line items list the tool's own columns, never quizzes or assignments",
        "MOODLE.md §6, ags_lineitems",
        "test_services::test_own_columns_only",
    ),
    Trait(
        "duplicates",
        "The same resourceId and tag twice make two columns",
        "MOODLE.md §6, ags_lineitems",
        "test_services::test_duplicates_are_created_without_a_word",
    ),
    Trait(
        "broken Link header",
        "Paged line items carry &amp; in URLs and typographic quotes",
        "MOODLE.md §6, ags_lineitems",
        "test_services::test_the_link_header_of_line_items_cannot_be_parsed",
    ),
    Trait(
        "PUT rescales",
        "PUT with another scoreMaximum rescales every grade and kills a mirror",
        "MOODLE.md §6, calc_mirror",
        "test_gradebook::test_another_maximum_rescales_and_kills_a_mirror",
    ),
    Trait(
        "PUT empties",
        "PUT without tag and resourceId empties them; the same maximum keeps the calculation",
        "MOODLE.md §6, calc_mirror",
        "test_gradebook::test_the_same_maximum_keeps_the_calculation_and_empties_what_is_left_out",
    ),
    Trait(
        "coupled column can go",
        "DELETE of the coupled column answers 204 and launches then have no lineitem claim",
        "MOODLE.md §6, ags_lineitems",
        "test_services::test_deleting_the_coupled_column_takes_the_lineitem_claim_away",
    ),
    Trait(
        "id collision",
        "A foreign column answers 200 when its instance number equals one of the tool's links",
        "MOODLE.md §6, ags_lineitems",
        "test_services::test_a_foreign_column_answers_when_numbers_collide",
    ),
    # Scores and results
    Trait(
        "limit on results",
        "limit together with type_id is a 404 HTML page",
        "MOODLE.md §6, ags_scores_results",
        "test_services::test_limit_on_results_is_moodles_error_page",
    ),
    Trait(
        "only FullyGraded stores",
        "Any other gradingProgress, or no scoreGiven, clears the grade",
        "MOODLE.md §6, ags_scores_results",
        "test_services::test_anything_but_a_full_grade_clears",
    ),
    Trait(
        "whole seconds",
        "A second score within the same second is 409",
        "MOODLE.md §6, ags_scores_results",
        "test_services::test_two_scores_within_a_second_conflict",
    ),
    Trait(
        "future timestamps",
        "A future timestamp on an AGS-created column blocks later scores; coupled ones store server time",
        "MOODLE.md §6, teacher_override_hidden_locked",
        "test_services::test_a_future_time_on_an_own_column_blocks_later_scores",
    ),
    Trait(
        "gradable users",
        "Scores for teachers are 400, for a suspended learner 200",
        "MOODLE.md §6, ags_scores_results",
        "test_services::test_only_learners_hold_scores_suspended_ones_too",
    ),
    Trait(
        "staff hold no scores",
        "A score for an editing or non-editing teacher is 400 with the body []",
        "MOODLE.md §6, ags_scores_results; seen again with the tool itself",
        "test_award_scores::test_a_score_for_staff_is_refused_with_the_empty_list",
    ),
    Trait(
        "completion by score",
        "An activity that is complete with a passing grade follows each score at once, down as well as up",
        "MOODLE.md §7E, completion_by_ags",
        "test_award_scores::test_a_passing_score_completes_the_activity_and_a_lower_one_takes_it_back",
    ),
    Trait(
        "next activity by score",
        "A restriction on that completion opens the next activity with the score",
        "MOODLE.md §7E; seen with the tool itself",
        "test_award_scores::test_a_passing_score_opens_the_activity_that_waits_for_it",
    ),
    Trait(
        "bad gateway",
        "A userId that is no number is 502",
        "MOODLE.md §6, ags_scores_results",
        "test_services::test_a_user_id_that_is_no_number_is_a_bad_gateway",
    ),
    Trait(
        "rescaled scores",
        "Scores are rescaled to the column's maximum and capped there",
        "MOODLE.md §6, ags_scores_results",
        "test_services::test_scores_are_rescaled_and_capped",
    ),
    Trait(
        "raw comments",
        "Comments come back with their HTML; a score without one erases it",
        "MOODLE.md §6, ags_scores_results",
        "test_services::test_comments_come_back_raw_and_vanish_with_the_next_score",
    ),
    Trait(
        "teacher override",
        "A teacher's grade wins: later scores answer 200 and change nothing",
        "MOODLE.md §6, teacher_override",
        "test_gradebook::test_a_teachers_override_wins_over_later_scores",
    ),
    Trait(
        "locked column",
        "A locked column answers 500",
        "MOODLE.md §6, teacher_override_hidden_locked",
        "test_gradebook::test_a_locked_column_answers_500",
    ),
    Trait(
        "hidden columns are read",
        "Hiding a column, or giving it no weight, does not hide its results",
        "MOODLE.md §6 and §7A, teacher_override_hidden_locked",
        "test_gradebook::test_hidden_and_weightless_columns_are_read_all_the_same",
    ),
    # Mirrors
    Trait(
        "mirror",
        "A formula on an AGS-created column makes AGS results carry native grades",
        "MOODLE.md §7A, calc_before_view",
        "test_gradebook::test_a_mirror_gives_native_grades_and_leaves_the_ungraded_out",
    ),
    Trait(
        "mirror at once",
        "Results follow a quiz attempt synchronously",
        "MOODLE.md §7A, calc_mirror",
        "test_gradebook::test_a_mirror_follows_an_attempt_at_once",
    ),
    Trait(
        "missing inputs",
        "A missing input counts 0; with no input at all there is no grade",
        "MOODLE.md §7A",
        "test_gradebook::test_a_missing_input_counts_zero_and_no_input_gives_no_grade",
    ),
    Trait(
        "bounded values",
        "Calculated values are bounded to the column's maximum",
        "MOODLE.md §7A",
        "test_gradebook::test_values_are_bounded_to_the_columns_maximum",
    ),
    Trait(
        "emptied rows",
        "A row emptied by a formula change comes back without resultScore",
        "MOODLE.md §6, calc_if_formula",
        "test_gradebook::test_a_row_emptied_by_a_formula_comes_back_without_a_score",
    ),
    Trait(
        "invalid formulas",
        "An unknown ID number, or ';' in an English site, is an Invalid formula",
        "MOODLE.md §7A, calc_if_formula",
        "test_gradebook::test_what_moodle_calls_an_invalid_formula",
    ),
    Trait(
        "no calculation on coupled columns",
        "The coupled column refuses a calculation",
        "MOODLE.md §7A",
        "test_gradebook::test_the_coupled_column_takes_no_calculation",
    ),
    Trait(
        "ungraded forum",
        "An ungraded forum cannot be named in a formula",
        "MOODLE.md §7A",
        "test_gradebook::test_an_ungraded_forum_cannot_be_named",
    ),
    Trait(
        "score into a mirror",
        "A score posted to a calculated column overrides it until a teacher lifts the override",
        "MOODLE.md §7A, calc_mirror",
        "test_gradebook::test_a_score_posted_to_a_mirror_overrides_it_for_good",
    ),
    Trait(
        "same result in a mirror",
        "A new attempt with the same result leaves the date of a calculated column as it was",
        "S; lib/grade/grade_item.php use_formula",
        "test_gradebook::test_a_mirror_does_not_date_the_same_result_anew",
    ),
    Trait(
        "grades of who is unenrolled",
        "Unenrolling deletes the learner's grades of the course; coming back does not bring them back",
        "S; lib/enrollib.php unenrol_user, lib/gradelib.php grade_user_unenrol",
        "test_gradebook::test_who_is_unenrolled_loses_their_grades",
    ),
    Trait(
        "course total",
        "Every AGS-created column counts in the course total until its weight is 0",
        "MOODLE.md §7A",
        "test_gradebook::test_a_new_column_counts_in_the_course_total_until_its_weight_is_zero",
    ),
    Trait(
        "two forms",
        "Add ID numbers throws away a formula that was typed and not saved",
        "MOODLE_STEPS.md §2",
        "test_gradebook::test_adding_id_numbers_throws_an_unsaved_formula_away",
    ),
    Trait(
        "no way back",
        "After the formula page one lands in a gradebook report; returnurl is ignored",
        "MOODLE_STEPS.md, Direct URLs",
        "test_gradebook::test_the_return_parameters_of_the_formula_page",
    ),
    Trait(
        "recalculating grades",
        "Over 100 grade rows a page with Continue comes in between",
        "MOODLE_STEPS.md, Counts",
        "test_gradebook::test_over_100_grade_rows_moodle_shows_its_recalculating_page_once",
    ),
)
