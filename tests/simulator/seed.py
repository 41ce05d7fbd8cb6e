"""The demo's content: five micromodules, thirty learners, grades that tell them apart."""

from dataclasses import dataclass

from tests.simulator.lms import Course, Lms, Role, User

MODULES = (
    ("MM1", "Micromodule 1: Open Data", "What open data is, where to find it and how to reuse it."),
    ("MM2", "Micromodule 2: Data Privacy", "Personal data, consent and anonymisation."),
    ("MM3", "Micromodule 3: Data Visualisation", "Charts that tell the truth."),
    ("MM4", "Micromodule 4: Data Ethics", "Whom data helps and whom it harms."),
    ("MM5", "Micromodule 5: Open Licences", "Choosing and reading a licence."),
)
_GIVEN = (
    "Ada Bilal Chiara Dmitri Eleni Farah Goran Hana Idris Jana Kofi Lucia Mateo Nadia Oskar Priya Quentin "
    "Rosa Samir Tereza Uma Viktor Wanda Xavier Yusuf Zofia Amara Bruno Celine Diego"
).split()
_FAMILY = (
    "Abel Berg Costa Dahl Evans Farkas Gupta Horvat Ibsen Jensen Kovacs Lopez Moreau Novak Olsen Petrov "
    "Quiroz Rossi Silva Tran Ueda Varga Weber Xu Yilmaz Zeman Ahmed Braun Conti Diaz"
).split()


@dataclass(frozen=True)
class Demo:
    """What `seed_demo` made; placed badge links come later, through the real deep linking flow."""

    teacher: User
    tutor: User
    learners: tuple[User, ...]
    courses: tuple[Course, ...]


def seed_demo(lms: Lms) -> Demo:
    """Fill an empty site. The same seed gives the same people, grades and numbers."""
    teacher = lms.add_user("teacher", "Tamara", "Teacher", id_number="S-1000")
    tutor = lms.add_user("tutor", "Noel", "Tutor", id_number="S-1001")
    learners = tuple(
        lms.add_user(f"learner{n:02}", given, family, id_number=f"S-{2000 + n}")
        for n, (given, family) in enumerate(zip(_GIVEN, _FAMILY, strict=True), 1)
    )
    courses = []
    for place, (short_name, title, description) in enumerate(MODULES):
        course = lms.add_course(short_name, title, id_number=f"OD-{place + 1}", description=description)
        courses.append(course)
        lms.enrol(teacher, course, Role.EDITING_TEACHER)
        lms.enrol(tutor, course, Role.TEACHER)
        for learner in learners:
            lms.enrol(learner, course)
        _fill(lms, course, learners, place)
    return Demo(teacher, tutor, learners, tuple(courses))


def _fill(lms: Lms, course: Course, learners: tuple[User, ...], place: int) -> None:
    lms.add_page(course, "Read this first", f"<p>{course.description}</p>")
    quiz1 = lms.add_quiz(course, "Quiz 1", id_number="quiz1", pass_grade=60)
    # The second quiz has no ID number yet: a teacher gives it one on the formula page.
    quiz2 = lms.add_quiz(course, "Quiz 2", pass_grade=60)
    essay = lms.add_assignment(course, "Essay", id_number="essay", maximum=50)
    forum = lms.add_forum(course, "Discussion forum")
    for number, learner in enumerate(learners):
        # The fewer micromodules a learner has begun, the further down the list; the last six begin nowhere.
        if number >= 24 or place > 4 - number // 5:
            continue
        score = (lms.random.randrange(4, 21) if number % 3 else lms.random.randrange(14, 21)) * 5
        lms.take_quiz(learner, quiz1, float(score))
        if number % 5 != 4:
            lms.complete(learner, forum)
        if number % 4 != 3:
            lms.take_quiz(learner, quiz2, float(lms.random.randrange(6, 21) * 5))
        if number % 2 == 0:
            item = lms.item_of(essay)
            if item is not None:
                lms.gradebook.report_raw(item, learner.id, float(lms.random.randrange(20, 51)))
