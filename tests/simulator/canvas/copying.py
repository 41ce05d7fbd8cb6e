"""Course copy as Canvas makes it: new ids everywhere, custom fields of links kept, both histories told.

Columns of links are made anew with their tag and resourceId. A column that a tool made by AGS comes along as
an assignment; whether Canvas still knows whose it is was not seen, so a test says which.
"""

from tests.simulator.canvas.lms import Canvas
from tests.simulator.gradebook import ServiceRecord
from tests.simulator.lms import Course


def copy_course(
    lms: Canvas, course: Course, short_name: str, full_name: str, *, keeps_tool_columns: bool = False
) -> Course:
    """A new course without people; assignments are everybody's again."""
    with lms.lock:
        history = (course.id, *course.history)
        copy = lms.add_course(short_name, full_name, description=course.description, history=history)
        twins = {
            activity.id: lms.add_twin(activity, copy, history=(activity.id, *activity.history))
            for activity in lms.in_course(course)
        }
        for item in lms.gradebook.of_course(course.id):
            source = lms.activity(item.module, item.instance) if item.module and item.instance else None
            clone = lms.gradebook.add_item(
                copy.id,
                item.kind,
                item.label,
                item.maximum,
                module=item.module,
                instance=twins[source.id].instance if source else None,
                id_number=item.id_number,
                pass_grade=item.pass_grade,
            )
            record = item.service
            if record is not None and (source is not None or keeps_tool_columns):
                link = lms.activity("lti", record.link_id) if record.link_id else None
                clone.service = ServiceRecord(
                    record.tool_type_id,
                    record.resource_id,
                    record.tag,
                    twins[link.id].instance if link else None,
                )
        return copy
