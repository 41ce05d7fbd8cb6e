"""What a client of Canvas has to know: each trait with its source and the test that shows it here.

`source` names a section of the reference document LTI.md, and the file of Canvas's own source that says so.
"""

from functools import partial

from tests.simulator.trait import Trait as AnyTrait

Trait = partial(AnyTrait, lms="canvas", version="cloud")

TRAITS: tuple[AnyTrait, ...] = (
    Trait(
        "shared issuer",
        "All institutions share issuer, keys and, where they switch on one developer key, the "
        "client_id; token URL, deployment and tool_platform.guid are their own",
        "LTI.md §7.1; doc/lti_dev_key_config.md",
        "test_canvas_launches::test_institutions_share_issuer_keys_and_client_and_little_else",
    ),
    Trait(
        "opaque ids",
        "sub and resource_link.id are UUIDs, context.id is forty hexadecimal digits, deployment_id a "
        "number and such digits, client_id a global number",
        "LTI.md §7.1; lib/lti/messages/jwt_message.rb",
        "test_canvas_launches::test_ids_are_opaque",
    ),
    Trait(
        "deployments of courses",
        "A course may have a deployment of its own, under the same client_id, that nobody announced",
        "LTI.md §7.1; lti_services.rb verify_tool",
        "test_canvas_launches::test_a_course_has_a_deployment_of_its_own",
    ),
    Trait(
        "login parameters",
        "deployment_id beside lti_deployment_id, canvas_region, canvas_environment; "
        "lti_storage_target with login and launch",
        "LTI.md §1.1, §6.2; lti_advantage_adapter.rb",
        "test_canvas_launches::test_the_login_names_the_deployment_and_the_storage_frame",
    ),
    Trait(
        "registration",
        "The configuration needs the registration token, lies on the shared host and names a registration "
        "endpoint on the institution's; authorization_server is a bare host",
        "doc/api/registration.md; security_controller.rb openid_configuration",
        "test_canvas_registration::test_the_configuration_needs_the_token_and_names_both_hosts",
    ),
    Trait(
        "registered apps wait",
        "An app that registered itself names no deployment, and opens once an administrator enabled it",
        "dynamic_registration_controller.rb create",
        "test_canvas_registration::test_an_app_that_registered_itself_names_no_deployment_and_waits",
    ),
    Trait(
        "authorisation redirect",
        "The auth URL is on the shared host and leads on to the institution that the hint names",
        "LTI.md §7.1; authentication_controller.rb authorize_redirect",
        "test_canvas_launches::test_the_way_back_leads_over_the_shared_host",
    ),
    Trait(
        "refusals go to the tool",
        "A second use of a launch, another user: error and error_description are posted to the tool",
        "authentication_controller.rb authorize",
        "test_canvas_launches::test_a_launch_is_consumed_once_and_what_is_wrong_is_told_to_the_tool",
    ),
    Trait(
        "hint ends",
        "lti_message_hint is a JWT of five minutes; after that a plain 400",
        "lti_advantage_adapter.rb MESSAGE_HINT_LIFESPAN",
        "test_canvas_launches::test_a_hint_ends_after_five_minutes",
    ),
    Trait(
        "unknown redirect_uri",
        "Nothing is sent to an address that the key does not hold",
        "authentication_controller.rb redirect_uri",
        "test_canvas_launches::test_an_address_nobody_registered_is_told_nothing",
    ),
    Trait(
        "errors members",
        "Every object in a message has errors and validation_context",
        "the lti-advantage gem's serialisation, as Canvas's launches show it",
        "test_canvas_launches::test_objects_in_a_message_carry_canvas_own_members",
    ),
    Trait(
        "all roles",
        "Roles of context, institution and system in one sorted list; the institution's come from "
        "other courses too",
        "LTI.md §2.5; substitutions_helper.rb all_roles",
        "test_canvas_launches::test_roles_of_the_course_the_institution_and_the_system_come_together",
    ),
    Trait(
        "unexpanded variables",
        "A variable without a value, or unknown, arrives as $Name",
        "LTI.md §2.6; variable_expander.rb",
        "test_canvas_launches::test_variables_without_a_value_stay_as_they_were_written",
    ),
    Trait(
        "values of their own type",
        "An expanded variable is a JSON number or boolean where Canvas has one",
        "variable_expander.rb expand_variables!",
        "test_canvas_launches::test_variables_come_as_numbers_and_booleans",
    ),
    Trait(
        "the link's parameters win",
        "A link's custom parameter hides the tool's of the same name",
        "resource_link_request.rb unexpanded_custom_parameters",
        "test_canvas_launches::test_the_links_parameters_win_over_the_tools",
    ),
    Trait(
        "student view",
        "View as student launches as the course's Test Student: role TestUser, student_view true",
        "LTI.md §2.5, §7.5; substitutions_helper.rb StudentViewEnrollment",
        "test_canvas_launches::test_the_test_student_has_a_role_that_says_so",
    ),
    Trait(
        "masquerade",
        "Act as user is the user's own launch but for $Canvas.masqueradingUser.*",
        "LTI.md §7.5; variable_expander.rb",
        "test_canvas_launches::test_acting_as_somebody_shows_in_one_variable_only",
    ),
    Trait(
        "course navigation",
        "A launch from the course's menu has the course's id for its resource link",
        "LTI.md §7.2; resource_link_request.rb launch_resource_link_id",
        "test_canvas_launches::test_course_navigation_has_the_course_for_a_link",
    ),
    Trait(
        "links in a page",
        "A link that the editor put into a page is launched with the course's id for its resource link",
        "LTI.md §7.2; atomicjolt/lti_starter_app#416",
        "test_canvas_launches::test_links_in_a_page_have_the_course_for_a_link",
    ),
    Trait(
        "storage frame",
        "A frame post_message_forwarding beside the tool's, on the shared host, framed by the institution",
        "LTI.md §6.2; platform_storage_controller.rb",
        "test_canvas_launches::test_a_tools_page_has_the_storage_frame_beside_the_tool",
    ),
    Trait(
        "placements",
        "Each placement has its accept_types, accept_multiple and auto_create; data rides in the "
        "return URL, accept_lineitem is never said",
        "LTI.md §7.2; deep_linking_request.rb DEEP_LINKING_DETAILS",
        "test_canvas_launches::test_each_placement_says_what_it_takes",
    ),
    Trait(
        "line items by placement",
        "lineItem makes a column in assignment placements and the modules' menus, nowhere else",
        "LTI.md §7.2; deep_linking_controller.rb",
        "test_canvas_launches::test_a_line_item_counts_where_assignments_are_made",
    ),
    Trait(
        "items left out",
        "More items, or other types, than a placement takes are dropped without a word",
        "deep_linking_controller.rb; LTI.md §7.2",
        "test_canvas_launches::test_more_items_than_a_placement_takes_are_dropped",
    ),
    Trait(
        "return URL once",
        "A deep linking response is taken once",
        "deep_linking_controller.rb validate_return_url_data",
        "test_canvas_launches::test_a_return_url_is_good_once",
    ),
    Trait(
        "response is checked",
        "aud, deployment and nonce of the response have to be right",
        "deep_linking_controller.rb validate_jwt",
        "test_canvas_launches::test_a_response_for_somebody_else_is_refused",
    ),
    Trait(
        "who selects",
        "Teachers, assistants and designers choose content",
        "deep_linking_controller.rb require_context_update_rights",
        "test_canvas_launches::test_learners_choose_nothing",
    ),
    Trait(
        "assertion for one host",
        "A client assertion's aud is the institution's own token URL",
        "LTI.md §7.1; client_credentials_provider.rb",
        "test_canvas_launches::test_an_assertion_is_for_one_institution",
    ),
    Trait(
        "token for one host",
        "A token of one institution opens nothing at another",
        "lti_services.rb expected_access_token_audience",
        "test_canvas_launches::test_a_token_opens_nothing_at_the_other_institution",
    ),
    Trait(
        "all scopes or none",
        "One scope that the key does not have, and there is no token",
        "LTI.md §6.1; lib/canvas/oauth",
        "test_canvas_launches::test_one_scope_too_many_and_there_is_no_token",
    ),
    Trait(
        "roster of fifty",
        "At most fifty members a page whatever limit says",
        "LTI.md §7.4; memberships_provider.rb MAX_PAGE_SIZE",
        "test_canvas_services::test_a_page_has_fifty_members_whatever_is_asked",
    ),
    Trait(
        "opaque bookmarks",
        "Link has several relations; next is an opaque cursor in which capitals matter, without limit",
        "STYLE.md §4; memberships_provider.rb; lib/bookmarked_collection",
        "test_canvas_services::test_link_headers_have_several_relations_and_cursors_in_which_capitals_matter",
    ),
    Trait(
        "roster roles",
        "Full URIs of the context alone; active people only; the Test Student is listed",
        "LTI.md §7.4; course_memberships_provider.rb",
        "test_canvas_services::test_members_have_full_roles_and_the_test_student_is_one_of_them",
    ),
    Trait(
        "privacy level",
        "Name and e-mail depend on the tool's privacy level",
        "LTI.md §7.4; names_and_roles_serializer.rb",
        "test_canvas_services::test_names_depend_on_the_privacy_level",
    ),
    Trait(
        "parameters per member",
        "rlid gives each member the link's custom parameters, a white-list of variables expanded",
        "LTI.md §7.4; names_and_roles_serializer.rb variable_whitelist",
        "test_canvas_services::test_a_link_gives_each_member_its_parameters",
    ),
    Trait(
        "assigned students",
        "rlid of an assignment lists those students it is assigned to, and all others; a module item "
        "narrows nothing",
        "LTI.md §7.4; course_memberships_provider.rb rlid_users_scope",
        "test_canvas_services::test_a_link_narrows_students_to_those_it_is_assigned_to",
    ),
    Trait(
        "rlid refused",
        "The course's own id is a link; an unknown one is 400",
        "LTI.md §7.4; memberships_provider.rb validate!",
        "test_canvas_services::test_the_course_itself_is_a_link_and_others_are_refused",
    ),
    Trait(
        "columns of ten",
        "Lists of columns and results come ten a page, a hundred at most; own columns only",
        "LTI.md §5, §7.3; gradebook_services.rb pagination_args",
        "test_canvas_services::test_columns_come_ten_a_page_and_only_the_tools_own",
    ),
    Trait(
        "no look for duplicates",
        "A second column of the same tag and resourceId is made without a word",
        "line_items_controller.rb create",
        "test_canvas_services::test_columns_are_found_by_tag_and_resource",
    ),
    Trait(
        "hosts of columns",
        "The host of services' and columns' addresses follows the account's domain; paths stay, and the "
        "former domain answers too",
        "LTI.md §7.3; gradebook_services.rb line_item_id",
        "test_canvas_services::test_the_host_of_a_column_changes_and_its_path_stays",
    ),
    Trait(
        "coupled columns stay",
        "DELETE of a coupled column is 401; a foreign resourceLinkId 404",
        "LTI.md §7.3; line_items_controller.rb",
        "test_canvas_services::test_a_coupled_column_is_not_deleted_and_a_foreign_link_not_found",
    ),
    Trait(
        "link without a column",
        "A column for a link without an assignment is 412",
        "LTI.md §7.3; line_items_controller.rb verify_valid_resource_link",
        "test_canvas_services::test_a_module_item_has_no_column_to_join",
    ),
    Trait(
        "column extensions",
        "include[]=launch_url; submission_type takes none and external_tool",
        "LTI.md §7.3; line_items_serializer.rb, line_item.rb",
        "test_canvas_services::test_extensions_of_columns",
    ),
    Trait(
        "results after scores",
        "Only learners whom the tool has scored have results; a grade typed before is in none until "
        "it changes",
        "app/models/lti/result.rb update_score_for_submission, results_controller.rb",
        "test_canvas_services::test_results_know_only_whom_the_tool_has_scored",
    ),
    Trait(
        "teacher's change rescaled",
        "A teacher's later grade is given on the tool's own scale",
        "LTI.md §7.3; app/models/lti/result.rb scaled_result_score",
        "test_canvas_services::test_a_teachers_change_is_rescaled",
    ),
    Trait(
        "results of one",
        "user_id takes the LTI id or Canvas's number; who is no student has an empty list",
        "LTI.md §7.3; results_controller.rb index",
        "test_canvas_services::test_results_of_one_person_and_of_nobody",
    ),
    Trait(
        "scores are attempts",
        "Each score is a new attempt unless new_submission is false or submission_type none; the last "
        "one allowed is the last",
        "LTI.md §7.3; scores_controller.rb new_submission?",
        "test_canvas_services::test_each_score_is_an_attempt_unless_it_says_no",
    ),
    Trait(
        "older timestamp",
        "A score older than the result is 400; the same instant passes",
        "LTI.md §7.3; scores_controller.rb verify_valid_timestamp",
        "test_canvas_services::test_an_older_timestamp_is_refused",
    ),
    Trait(
        "students only",
        "A score for a teacher, the Test Student or somebody inactive is 422",
        "LTI.md §7.3; gradebook_services.rb verify_user_in_context",
        "test_canvas_services::test_only_students_are_scored",
    ),
    Trait(
        "teacher's grade replaced",
        "A score replaces a teacher's grade unless prioritize_non_tool_grade",
        "LTI.md §7.3; score.md",
        "test_canvas_services::test_a_teachers_grade_is_replaced_unless_the_score_spares_it",
    ),
    Trait(
        "clearing scores",
        "A score without points clears the grade unless preserve_score",
        "LTI.md §7.3; scores_controller.rb ignore_score?, score.md",
        "test_canvas_services::test_a_score_without_points_clears_unless_it_preserves",
    ),
    Trait(
        "concluded courses",
        "The gradebook services of a concluded course are 404",
        "LTI.md §7.3; gradebook_services.rb context",
        "test_canvas_services::test_a_concluded_course_has_no_columns",
    ),
    Trait(
        "rate limit",
        "A full bucket is 429, before October 2025 403, in plain text, without Retry-After; every "
        "answer says what is left",
        "LTI.md §7.6; request_throttle.rb rate_limit_exceeded",
        "test_canvas_services::test_a_full_bucket_answers_in_words_and_without_retry_after",
    ),
    Trait(
        "leaky bucket",
        "Each call fills the key's bucket of 600, ten run out each second; the answers count down until a "
        "full one refuses",
        "LTI.md §7.6; request_throttle.rb LeakyBucket",
        "test_canvas_services::test_a_bucket_fills_counts_down_refuses_and_runs_out",
    ),
    Trait(
        "who is asking",
        "No User-Agent is 403; tokens are looked at first",
        "LTI.md §1.3; lti_services.rb",
        "test_canvas_services::test_who_does_not_say_who_is_asking_is_refused",
    ),
)
