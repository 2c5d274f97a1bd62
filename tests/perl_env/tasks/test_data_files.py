"""Local copies of a data set in every form in which they come, and damaged ones."""

import json
import os
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import perl_env
from perl_env.errors import InputError
from perl_env.tasks.blink import BLINK
from perl_env.tasks.mantis_instruct import MANTIS_INSTRUCT
from perl_env.tasks.mathvista import MATHVISTA
from tests.perl_env.benchmark_fixtures import (
    BLINK_CASES,
    FIXTURES,
    INSTRUCT_CASES,
    LOADED,
    VISTA_CASES,
    dataset,
    fixture_path,
    png,
    shown,
)

VISTA = FIXTURES["perl/MathVista-v0"]


def parquet_without_description(benchmark, rows, path):
    """As other programs write it: pictures are records of bytes and path, nothing says more."""
    table = dataset(benchmark, rows, plain=True).data.table
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pydict({n: table[n].combine_chunks() for n in table.column_names}), path)  # fmt: skip
    assert not pq.read_schema(path).metadata
    return path


def keys(source):
    return [question.key for question in source]


EXPECTED = keys(VISTA.load(fixture_path("perl/MathVista-v0")))


def test_a_parquet_file_with_and_without_the_librarys_own_description(tmp_path):
    dataset(MATHVISTA, VISTA.rows).to_parquet(tmp_path / "described.parquet")
    plain = parquet_without_description(MATHVISTA, VISTA.rows, tmp_path / "plain.parquet")
    described = VISTA.load(tmp_path / "described.parquet")
    assert keys(described) == EXPECTED
    assert list(VISTA.load(plain)) == list(described)
    stream = VISTA.load(plain, streaming=True)
    assert list(stream) == list(described)


def test_large_strings_and_whole_numbers_for_fractions_are_fine(tmp_path):
    table = dataset(MATHVISTA, VISTA.rows, plain=True).data.table
    columns = {name: table[name].combine_chunks() for name in table.column_names}
    columns["question"] = columns["question"].cast(pa.large_string())
    columns["precision"] = columns["precision"].cast(pa.int64())
    pq.write_table(pa.Table.from_pydict(columns), tmp_path / "rows.parquet")
    assert keys(VISTA.load(tmp_path / "rows.parquet")) == EXPECTED


def test_a_clone_of_the_hub_with_other_splits_beside(tmp_path):
    first, second = VISTA.rows[:2], VISTA.rows[2:]
    for name, rows in (("testmini-00000-of-00002", first), ("testmini-00001-of-00002", second), ("test-00000-of-00001", first)):  # fmt: skip
        parquet_without_description(MATHVISTA, rows, tmp_path / "data" / f"{name}.parquet")
    source = VISTA.load(tmp_path)
    assert keys(source) == EXPECTED
    assert source.rows == len(VISTA.rows)
    (tmp_path / "data" / "testmini-00000-of-00002.parquet").rename(tmp_path / "testmini-0.parquet")
    with pytest.raises(InputError, match="files of several data sets"):
        VISTA.load(tmp_path)


def test_files_of_none_or_of_unknown_splits_are_told(tmp_path):
    with pytest.raises(InputError, match=r"no files of the split: .*got no such file"):
        VISTA.load(tmp_path)
    for name in ("a", "b"):
        parquet_without_description(MATHVISTA, VISTA.rows, tmp_path / f"{name}.parquet")
    with pytest.raises(InputError, match=r"no files of the split: .*testmini.*a\.parquet, b\.parquet"):  # fmt: skip
        VISTA.load(tmp_path)
    (tmp_path / "rows.csv").write_text("pid\n1\n")
    with pytest.raises(InputError, match=r"file of an unknown kind: .*rows\.csv"):
        VISTA.load(tmp_path / "rows.csv")


def test_several_splits_saved_to_disk(tmp_path):
    from datasets import DatasetDict

    rows = dataset(MATHVISTA, VISTA.rows)
    DatasetDict({"testmini": rows, "test": rows.select([0])}).save_to_disk(tmp_path / "both")
    assert keys(VISTA.load(tmp_path / "both")) == EXPECTED
    DatasetDict({"train": rows}).save_to_disk(tmp_path / "other")
    with pytest.raises(InputError, match=r"no such split: .*'testmini', got train"):
        VISTA.load(tmp_path / "other")


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("content", [b"", b"PAR1 and no more", None])
def test_a_damaged_file_is_told(tmp_path, content, streaming):
    file = parquet_without_description(MATHVISTA, VISTA.rows, tmp_path / "rows.parquet")
    file.write_bytes(file.read_bytes()[:-200] if content is None else content)
    with pytest.raises(InputError, match=r"data cannot be read: .*rows\.parquet") as caught:
        VISTA.load(file, streaming=streaming)
    assert len(str(caught.value).splitlines()) == 1


def test_a_folder_for_each_configuration(tmp_path):
    blink = FIXTURES["perl/BLINK-v0"]
    for config in BLINK.configs:
        rows = [row for row, _ in BLINK_CASES if row["sub_task"] == config]
        if rows:
            parquet_without_description(BLINK, rows, tmp_path / config / "val-00000-of-00001.parquet")  # fmt: skip
    with pytest.raises(InputError, match=r"no folder of a sub-task: .*Functional_Correspondence"):
        blink.load(tmp_path)
    wanted = ("Art_Style", "Jigsaw")
    source = blink.load(tmp_path, sub_tasks=wanted)
    assert {question.kind for question in source} == set(wanted)
    assert source.rows == sum(row["sub_task"] in wanted for row, _ in BLINK_CASES)


def test_pictures_in_the_zip_file_of_a_configuration(tmp_path):
    for config in MANTIS_INSTRUCT.configs:
        rows = [dict(row) for row, _ in INSTRUCT_CASES if row["source"] == config]
        for row in rows:
            row["images"] = [{**image, "path": image["path"].split("/")[-1]} for image in row["images"]]  # fmt: skip
        file = tmp_path / config / "train-00000-of-00001.parquet"
        # what the authors call the source need not be the configuration's name
        parquet_without_description(MANTIS_INSTRUCT, [row | {"source": "x"} for row in rows], file)
        with zipfile.ZipFile(tmp_path / config / "train_images.zip", "w") as archive:
            for number in range(5):
                archive.writestr(f"{number}.png", png(number))
    source = FIXTURES["perl/MantisInstruct-v0"].load(tmp_path)
    expected = [verdict for row, verdict in INSTRUCT_CASES if row["source"] in MANTIS_INSTRUCT.configs]  # fmt: skip
    assert len(source) == expected.count(LOADED)
    assert {question.kind for question in source} == set(MANTIS_INSTRUCT.configs)
    assert source[0].images[0].shape[2] == 3


def test_json_lines_and_unpacked_pictures(tmp_path):
    fixture = FIXTURES["perl/MVMath-v0"]
    folder = fixture.write(tmp_path / "json")
    expected = list(fixture.load(folder))
    rows = json.loads((folder / "rows.json").read_text())
    (folder / "rows.json").unlink()
    (folder / "lines.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert list(fixture.load(folder)) == expected
    assert list(fixture.load(folder / "lines.jsonl")) == expected
    # the authors' whole file beside its parts
    (folder / "lines.jsonl").rename(folder / "MV-MATH.jsonl")
    (folder / "MV-MATH-choice.json").write_text(json.dumps(rows[:1]))
    assert list(fixture.load(folder)) == expected
    (folder / "MV-MATH-choice.json").unlink()
    (folder / "MV-MATH.jsonl").rename(folder / "lines.jsonl")
    (folder / "lines.jsonl").write_text("[1, 2]")
    with pytest.raises(InputError, match="file holds no rows"):
        fixture.load(folder)
    mixed = [rows[0] | {"answer": "2"}, rows[1] | {"answer": None}, rows[2] | {"answer": 2}]
    (folder / "lines.jsonl").write_text("\n".join(map(json.dumps, mixed)))
    with pytest.raises(
        InputError, match=r"several types.*lines.jsonl, row 2, column 'answer'.*text.*a number: 2"
    ):
        fixture.load(folder)
    (folder / "lines.jsonl").write_text('{"problem_id": ')
    with pytest.raises(InputError, match="data cannot be read"):
        fixture.load(folder)


def test_a_damaged_archive_spoils_its_rows_alone(tmp_path):
    fixture = FIXTURES["perl/MMIU-v0"]
    folder = fixture.write(tmp_path / "mmiu")
    archive = folder / "pictures.zip"
    archive.write_bytes(archive.read_bytes()[:300])
    with pytest.raises(InputError, match="no usable question") as caught:
        fixture.load(folder)
    assert "picture cannot be unpacked" in str(caught.value.got)


def test_a_link_may_not_lead_outside(tmp_path):
    fixture = FIXTURES["perl/MVMath-v0"]
    folder = fixture.write(tmp_path / "json")
    whole = len(fixture.load(folder))
    (tmp_path / "outside.png").write_bytes(png(1))
    (folder / "images" / "4.png").unlink()
    os.symlink(tmp_path / "outside.png", folder / "images" / "4.png")
    source = fixture.load(folder)
    assert len(source) == whole - 1  # the one question with five pictures
    assert source.malformed_counts["path leaves the folder"] == 1


def damaged_inside(data):
    """A picture with a whole header and end whose pixels are damaged."""
    at = data.index(b"IDAT") + 6
    return data[:at] + bytes(8) + data[at + 8 :]


def test_damage_inside_a_picture_is_found_when_asked_for_or_at_load(tmp_path):
    fixture = FIXTURES["perl/MathVista-v0"]
    rows = [dict(row) for row, verdict in VISTA_CASES if verdict == LOADED]
    rows[1]["decoded_image"] = {"bytes": damaged_inside(png(1)), "path": None}
    folder = fixture.write(tmp_path / "rows", rows)
    source = fixture.load(folder)
    assert len(source) == len(rows)
    with pytest.raises(InputError, match=r"truncated or damaged: perl/MathVista-v0, row 2, picture 1"):  # fmt: skip
        source[1]
    checked = fixture.load(folder, decode=True)
    assert len(checked) == len(rows) - 1
    assert [row.row for row in checked.malformed] == ["2"]


def test_rows_keep_their_number_whatever_is_selected():
    fixture = FIXTURES["perl/ReMI-v0"]
    path = fixture_path("perl/ReMI-v0")
    charts = [question.key for question in fixture.load(path) if question.kind == "Charts"]
    assert keys(fixture.load(path, sub_tasks=("Charts",))) == charts == ["row-2"]
    stream = perl_env.iterate_questions("perl/ReMI-v0", path=path, sub_tasks="Charts")
    assert keys(stream) == charts


def test_rows_beyond_the_declared_number_of_images_stop_a_stream(tmp_path):
    fixture = FIXTURES["perl/MantisEval-v0"]
    row = fixture.rows[0] | {"images": shown(33), "question": "How many cups are there in total in all images?", "options": ["1", "2"], "answer": "A"}  # fmt: skip
    folder = fixture.write(tmp_path / "many", [row])
    with pytest.raises(InputError, match=r"more images than the data set is said to have: .*at most 32, got 33"):  # fmt: skip
        list(fixture.load(folder, streaming=True))
    assert fixture.load(folder).max_images == 33
