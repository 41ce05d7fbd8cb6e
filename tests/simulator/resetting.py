"""Course reset: the same course and links under the same ids, and nobody's work in it any more."""

from tests.simulator.lms import Course, Lms, Role


def reset_course(lms: Lms, course: Course, *, keeps_students: bool = False) -> None:
    """Delete grades and completion, and unenrol the students unless they stay."""
    with lms.lock:
        lms.gradebook.empty(course.id)
        for activity in lms.in_course(course):
            activity.completed_by.clear()
        if not keeps_students:
            for user_id, enrolment in list(course.enrolments.items()):
                if enrolment.role is Role.STUDENT:
                    lms.unenrol(lms.users[user_id], course)
