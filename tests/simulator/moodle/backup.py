"""Course copy: backup and restore into a new course (MOODLE.md §3, recording
``launch_admin_restored_course``).
"""

from collections.abc import Mapping

from tests.simulator.gradebook import GradeItem, ServiceRecord
from tests.simulator.lms import Activity, Course, JsonObject, Lms


def copy_course(lms: Lms, course: Course, short_name: str, full_name: str) -> Course:
    """A new course without people: new numbers everywhere; custom, tag, resourceId, formulas and restrictions
    are kept, the numbers in them changed to the copy's.
    """
    with lms.lock:
        history = (course.id, *course.history)
        copy = lms.add_course(short_name, full_name, description=course.description, history=history)
        modules = {activity.id: lms.add_twin(activity, copy) for activity in lms.in_course(course)}
        items = {item.id: _copy_item(lms, item, copy, modules) for item in lms.gradebook.of_course(course.id)}
        for item_id, clone in items.items():
            clone.formula = lms.gradebook.items[item_id].formula
        for old_id, twin in modules.items():
            condition = lms.activities[old_id].availability
            twin.availability = _remapped(condition, modules, items) if condition else None
        return copy


def _copy_item(lms: Lms, item: GradeItem, copy: Course, modules: Mapping[int, Activity]) -> GradeItem:
    def twin_of(module_instance: Activity | None) -> int | None:
        return modules[module_instance.id].instance if module_instance else None

    source = lms.activity(item.module, item.instance) if item.module and item.instance else None
    clone = lms.gradebook.add_item(
        copy.id,
        item.kind,
        item.label,
        item.maximum,
        module=item.module,
        instance=twin_of(source),
        id_number=item.id_number,
        pass_grade=item.pass_grade,
    )
    clone.weight, clone.is_hidden = item.weight, item.is_hidden
    if item.service is not None:
        link = lms.activity("lti", item.service.link_id) if item.service.link_id else None
        record = item.service
        clone.service = ServiceRecord(record.tool_type_id, record.resource_id, record.tag, twin_of(link))
    return clone


def _remapped(
    condition: JsonObject, modules: Mapping[int, Activity], items: Mapping[int, GradeItem]
) -> JsonObject:
    if "op" in condition:
        return {**condition, "c": [_remapped(child, modules, items) for child in condition["c"]]}
    if condition["type"] == "completion":
        # What was deleted before the copy is missing in it, too.
        return {**condition, "cm": modules[condition["cm"]].id if condition["cm"] in modules else 0}
    if condition["type"] == "grade":
        return {**condition, "id": items[condition["id"]].id if condition["id"] in items else 0}
    return condition
