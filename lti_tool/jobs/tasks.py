"""The tasks. Each gets ids, reads from the database whether there is anything to do, and may be repeated.

The real work is in services; here is only which service a task's name stands for.
"""

from __future__ import annotations

from lti_tool.bootstrap import Tool
from lti_tool.errors import ErrorCode, NotFound
from lti_tool.jobs.reconcile import EVERY_SECONDS, Reconcile
from lti_tool.queue import Periodic

THREADS = 8
"""Tasks at once in one worker. They mostly wait for an LMS; of one registration at most
:data:`~lti_tool.services.syncing.AT_ONCE` syncs at a time, and one that does not answer is left alone by the
connector, so that the others' tasks find a thread."""


def register(tool: Tool, reconcile: Reconcile) -> None:
    """Tell the tool's queue what its tasks do."""

    def sync_context(context_id: str, run_id: str | None = None) -> None:
        try:
            tool.syncing.sync_context(context_id, run_id)
        except NotFound as error:
            # The course was removed after the hint was given.
            if error.code is not ErrorCode.CONTEXT_NOT_FOUND:
                raise

    def issue_credential(award_id: str) -> None:
        tool.issuing.issue_credential(award_id)

    def sign_status_list(status_list_id: str) -> None:
        tool.status_lists.sign(status_list_id)

    def write_scores(line_item_id: str) -> None:
        tool.scoring.write_scores(line_item_id)

    def act_on_notice(notice_id: str) -> None:
        tool.notices.act(notice_id)

    def look_after_notices(deployment_id: str) -> None:
        tool.notices.look_after_handlers(deployment_id)

    def end_badges(achievement_version_id: str) -> None:
        tool.expiring.work(achievement_version_id)

    def sign_renewals(organisation_id: str) -> None:
        tool.renewing.work(organisation_id)

    def reissue(run_id: str) -> None:
        tool.reissuing.work(run_id)

    def carry_out_review(review_id: str) -> None:
        tool.reviews.carry_out(review_id)

    def decide_milestone(milestone_id: str) -> None:
        tool.milestones.work(milestone_id)

    tool.queue.register("decide_milestone", decide_milestone)
    tool.queue.register("carry_out_review", carry_out_review)

    def award_retroactively(run_id: str) -> None:
        tool.retroactive.work(run_id)

    tool.queue.register("award_retroactively", award_retroactively)
    tool.queue.register("sync_context", sync_context)
    tool.queue.register("write_scores", write_scores)
    tool.queue.register("issue_credential", issue_credential)
    tool.queue.register("sign_status_list", sign_status_list)
    tool.queue.register("reissue", reissue)
    tool.queue.register("end_badges", end_badges)
    tool.queue.register("sign_renewals", sign_renewals)
    tool.queue.register("act_on_notice", act_on_notice)
    tool.queue.register("look_after_notices", look_after_notices)
    tool.queue.register("reconcile", reconcile.run)


def work(tool: Tool, *, threads: int = THREADS) -> None:
    """Be the worker until SIGINT or SIGTERM; in the main thread.

    :raises ConfigurationInvalid: DATABASE_NOT_MIGRATED.
    """
    tool.database.require_migrated()
    reconcile = Reconcile(tool)
    register(tool, reconcile)
    try:
        tool.queue.run_worker(threads=threads, periodic=Periodic("reconcile", EVERY_SECONDS))
    finally:
        reconcile.stop()
