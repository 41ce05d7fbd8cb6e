"""Files of skills frameworks: taken as a whole, or refused as a whole with the place that is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lti_tool.services import framework_files
from lti_tool.services.form_problems import is_unprintable
from lti_tool.services.framework_files import FileKind, FileProblem, FileRefused, fold, read_file

HEADER = (
    "conceptType,conceptUri,skillType,reuseLevel,preferredLabel,altLabels,hiddenLabels,status,modifiedDate,"
    "scopeNote,definition,inScheme,description"
)
SKILL = "http://data.europa.eu/esco/skill/"


def esco(*rows: str, header: str = HEADER) -> bytes:
    return "\n".join((header, *rows, "")).encode()


def row(
    number: int, name: str, others: str = "", *, kind: str = "KnowledgeSkillCompetence", more: str = ""
) -> str:
    return (
        f'{kind},{SKILL}{number},knowledge,cross-sector,"{name}","{others}",,released,2024-01-01,,,,"{more}"'
    )


def case(**changes: Any) -> dict[str, Any]:
    document = {
        "identifier": "d1",
        "uri": "https://case.example.edu/uri/d1",
        "title": "Digital Literacy",
        "version": "2",
        "language": "en",
    }
    item = {
        "identifier": "i1",
        "uri": "https://case.example.edu/uri/i1",
        "fullStatement": "Learners judge whether a source can be trusted.",
        "humanCodingScheme": "DL.1",
    }
    return {"CFDocument": document, "CFItems": [item], "CFAssociations": [], **changes}


def refusal(content: bytes, **given: Any) -> FileRefused:
    with pytest.raises(FileRefused) as refused:
        read_file(content, **given)
    assert str(refused.value), "every refusal is a sentence"
    return refused.value


def test_a_table_of_esco_is_read_with_its_language_from_the_name() -> None:
    content = esco(row(1, "use databases", "query databases\nwork with SQL", more="Use software."))
    file = read_file(content, file_name="ESCO/skills_en.csv", version="v1.2.0")
    assert (file.kind, file.name, file.version, file.language) == (FileKind.ESCO, "ESCO", "v1.2.0", "en")
    assert file.url == "http://data.europa.eu/esco/concept-scheme/skills#en"
    (item,) = file.items
    assert (item.url, item.name, item.code) == (f"{SKILL}1", "use databases", None)
    assert (item.description, item.target_type) == ("Use software.", "ceasn:Competency")
    assert item.words == "use databases\nquery databases\nwork with sql\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_what_spreadsheets_make_of_it_is_read_too(encoding: str, newline: str, delimiter: str) -> None:
    lines = (HEADER, 'KnowledgeSkillCompetence,http://data.europa.eu/esco/skill/1,,,"Größe messen",,,,,,,,')
    content = newline.join(line.replace(",", delimiter) for line in lines).encode(encoding)
    assert [item.name for item in read_file(content).items] == ["Größe messen"]


def test_what_esco_withdrew_is_left_out_and_said() -> None:
    withdrawn = row(2, "use a telegraph").replace("released", "obsolete")
    file = read_file(esco(row(1, "use databases"), withdrawn))
    assert ([item.name for item in file.items], file.left_out) == (["use databases"], 1)


COLLECTION = (
    "conceptType,conceptUri,preferredLabel,status,skillType,reuseLevel,altLabels,"
    "description,broaderConceptUri"
)


def test_each_table_of_esco_is_a_framework_of_its_own() -> None:
    """Else the 600 groups, or the 1,200 digital skills, would renew the table of 14,000: remove the rest."""
    skills, groups = esco(row(1, "use databases")), esco(row(2, "databases", kind="SkillGroup"))
    some = esco(f"KnowledgeSkillCompetence,{SKILL}1,use databases,released,,,,,", header=COLLECTION)
    named = [
        (skills, "skills_en.csv"),
        (esco(row(1, "use databases"), row(2, "databases", kind="SkillGroup")), "skills_en (2).csv"),
        (groups, "skillGroups_en.csv"),
        (some, "digitalSkillsCollection_en.csv"),
        (some, "ESCO/greenSkillsCollection_en.csv"),
        (some, "renamed.csv"),
    ]
    urls = [read_file(content, file_name=name).url for content, name in named]
    assert urls[0] == urls[1]
    assert len(set(urls[1:])) == 5


def test_an_address_that_comes_twice_counts_once() -> None:
    file = read_file(esco(row(1, "first"), row(1, "second"), row(2, "third")))
    assert ([item.name for item in file.items], file.repeated) == (["first", "third"], 1)


@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_case_package_is_read(wrap: bool, mark: bytes) -> None:
    package = case()
    file = read_file(mark + json.dumps({"CFPackage": package} if wrap else package).encode())
    assert (file.kind, file.name, file.version, file.language) == (
        FileKind.CASE,
        "Digital Literacy",
        "2",
        "en",
    )
    (item,) = file.items
    assert (item.code, item.target_type) == ("DL.1", "CFItem")
    assert item.name == "Learners judge whether a source can be trusted."
    assert item.description is None, "it would say the same twice"


def test_a_long_statement_is_cut_at_a_word_and_kept_beside() -> None:
    long = "word " * 200
    package = case()
    package["CFItems"][0]["fullStatement"] = long
    (item,) = read_file(json.dumps(package).encode()).items
    assert len(item.name) <= framework_files.NAME_LENGTH
    assert item.name.endswith("word…")
    assert item.description == long.strip()
    package["CFItems"][0]["abbreviatedStatement"] = "Words"
    assert read_file(json.dumps(package).encode()).items[0].name == "Words"
    for nothing in (None, "", "  ", 5, "\u2066"):
        package["CFItems"][0]["abbreviatedStatement"] = nothing
        assert read_file(json.dumps(package).encode()).items[0].name == item.name


@pytest.mark.parametrize(
    "content, problem",
    [
        (b"", FileProblem.EMPTY),
        (b"\xef\xbb\xbf \n", FileProblem.EMPTY),
        (b"PK\x03\x04rest", FileProblem.PACKED),
        ("preferredLabel,conceptUri\nGröße,x".encode("latin-1"), FileProblem.NOT_TEXT),
        (b"\xff\xfe\x00", FileProblem.NOT_TEXT),
        (b"name,url\nx,y\n", FileProblem.NOT_KNOWN),
        (b"\x89PNG", FileProblem.NOT_TEXT),
        (b"<html>", FileProblem.NOT_KNOWN),
        (b"preferredLabel,conceptUri\nx,y\n", FileProblem.COLUMN_MISSING),
        (esco(), FileProblem.NO_ITEMS),
        (esco(row(1, "baker", kind="Occupation")), FileProblem.OCCUPATIONS),
        (esco(row(1, "x", kind="Nonsense")), FileProblem.ROW_BROKEN),
        (esco("KnowledgeSkillCompetence,http://x.example/1"), FileProblem.ROW_BROKEN),
        (esco(row(1, "x") + ",one more"), FileProblem.ROW_BROKEN),
        (esco('KnowledgeSkillCompetence,http://x.example/1,,,"never closed'), FileProblem.ROW_BROKEN),
        (esco(row(1, "x" * 200_000)), FileProblem.ROW_BROKEN),
        (esco(header='conceptUri,"preferredLabel"x,conceptType'), FileProblem.ROW_BROKEN),
        (esco(header='conceptUri,preferredLabel,"conceptType'), FileProblem.ROW_BROKEN),
        (esco(header=HEADER + "," + "x" * 200_000), FileProblem.ROW_BROKEN),
        (esco(row(1, "")), FileProblem.NAME_MISSING),
        (esco(row(1, "\u202e\u0007")), FileProblem.NAME_MISSING),
        (esco(row(1, "\u200b\u00ad")), FileProblem.NAME_MISSING),
        (b"{", FileProblem.NOT_JSON),
        (b"[" * 100_000, FileProblem.NOT_JSON),
        (b"[]", FileProblem.PART_MISSING),
        (b"{}", FileProblem.PART_MISSING),
        (b'{"CFDocument": {}, "CFItems": 1}', FileProblem.PART_MISSING),
        (b'{"CFDocument": {}, "CFItems": []}', FileProblem.PART_MISSING),
    ],
)
def test_what_is_no_such_file_is_refused_with_its_reason(content: bytes, problem: FileProblem) -> None:
    assert refusal(content).problem is problem


def test_a_letter_keeps_no_more_accents_than_can_be_sorted() -> None:
    (item,) = read_file(esco(row(1, "a" + "\u0316\u0302" * 20_000 + "b"))).items
    assert len(item.name) <= 32
    assert item.name.endswith("b")


def test_the_line_is_named() -> None:
    refused = refusal(esco(row(1, "fine"), row(2, "")))
    assert (refused.problem, refused.params["line"]) == (FileProblem.NAME_MISSING, "line 3")
    package = case()
    package["CFItems"].append({"uri": "https://x.example/2"})
    refused = refusal(json.dumps(package).encode())
    assert refused.params["line"] == "CFItems[2]"


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)//http://x",
        "data:text/html,x",
        "urn:uuid:1",
        "//x.example/1",
        "https://",
        "https://user:word@x.example/",
        "https://@x.example/",
        "https://x.example/a b",
        'https://x.example/"onclick',
        "https://x.example/<b>",
        "https://x.example/\u202egnp",
        "https://x.example:0/",
        "https://x.example:99999/",
        "https://[x/",
        "https://[::1]/",
        "https://a_b.example/1",
        "https://x..example/1",
        "https://x.example/" + "a" * 2_000,
        17,
        None,
    ],
)
def test_an_address_that_must_not_become_a_link_is_refused(url: object) -> None:
    package = case()
    package["CFItems"][0]["uri"] = url
    refused = refusal(json.dumps(package).encode())
    assert refused.problem is FileProblem.URL_INVALID
    assert len(str(refused.params["given"])) <= 80


@pytest.mark.parametrize("value", [1, None, [], {}, True, "\ud800", "\u2066\u2069", "\u0000"])
def test_a_statement_that_is_no_text_is_no_name(value: object) -> None:
    package = case()
    package["CFItems"][0]["fullStatement"] = value
    assert refusal(json.dumps(package).encode()).problem is FileProblem.NAME_MISSING
    package["CFItems"][0] = value
    assert refusal(json.dumps(package).encode()).problem is FileProblem.NAME_MISSING


def test_texts_hold_nothing_that_cannot_be_signed() -> None:
    package = case()
    package["CFItems"][0]["fullStatement"] = "a\u0000b\u202ec\ud83d\r\nd\u2028e\ufefff\ue000g"
    (item,) = read_file(json.dumps(package).encode()).items
    assert item.name == "a bc d ef g"
    assert not is_unprintable(item.name)


def test_limits_are_said_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framework_files, "MOST_ITEMS", 2)
    assert read_file(esco(row(1, "a"), row(2, "b"), row(2, "c"))).repeated == 1
    refused = refusal(esco(row(1, "a"), row(2, "b"), row(3, "c")))
    assert (refused.problem, refused.params["limit"]) == (FileProblem.TOO_MANY, 2)
    monkeypatch.setattr(framework_files, "LARGEST_FILE", 10)
    assert refusal(b"x" * 11).problem is FileProblem.TOO_LARGE


def test_a_language_that_is_none_is_refused() -> None:
    assert refusal(esco(row(1, "a")), language="x\n<b>").problem is FileProblem.LANGUAGE_INVALID
    assert read_file(esco(row(1, "a")), language="pt-BR").language == "pt-BR"
    assert read_file(esco(row(1, "a")), file_name="skills.csv").language is None


def test_searches_are_compared_folded() -> None:
    assert fold("  ＳＱＬ\u00a0and  Straße ﬁne ") == "sql and strasse fine"
