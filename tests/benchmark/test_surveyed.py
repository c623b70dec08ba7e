"""The survey's tables from their files, and our own runs counted beside them."""

from labkit.benchmark import catalogue, results, surveyed


def test_every_section_of_the_survey_stands_in_table_one():
    folders = [folder for theme in surveyed.read()["themes"] for folder in theme["folders"]]
    assert sorted(folders) == sorted(set(catalogue.sections()) - {"dynamic"})


def test_tables_two_and_three_have_the_surveys_rows():
    two = surveyed.table_two().rows
    assert len(two) == 9 and two[2] == [("AlexNet, CP low-rank", ""), ("79.66 %", ""), ("1.82", ""), ("5.00", "")]
    three = surveyed.table_three().rows
    assert len(three) == 5 and three[0][0] == ("VGG-16", "") and three[0][1:3] == [("34.26 %", ""), ("9.85 %", "")]


def test_the_map_counts_every_run_once():
    rows = surveyed.table_four().rows
    counted = sum(int(cell[1].split()[1]) for row in rows for cell in row[1:] if cell[1])
    known = {name for one in surveyed.read()["baselines"] for name in one.get("ours", [])} | set(surveyed.OWN)
    entries = [entry for entry in results.every() if entry.point.method.partition(".")[0] in catalogue.sections()]
    assert {entry.point.network for entry in entries} <= known, "a network that stands in no row"
    assert counted == len(entries)


def test_the_surveys_own_works_are_in_the_map():
    cells = {row[0][0]: [cell[0] for cell in row[1:]] for row in surveyed.table_four().rows}
    assert cells["AlexNet"] == ["structured [29, 31, 32]", "[39]", "", ""]
    assert cells["LeNets"][0] == "sharing [24]; pruning [20, 22]"
