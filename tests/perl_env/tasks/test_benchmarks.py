"""Laws of every loader of a published data set, on rows of our own with the same schema and traps."""

import pickle
from collections import Counter

import numpy as np
import pytest

import perl_env
from perl_env.errors import InputError
from perl_env.grading import canonical_answer, gold_slot, grade
from perl_env.order_class import OrderClass
from perl_env.permutation import count_orders, permute, sample_orders
from perl_env.questions import QuestionSource, QuestionStream
from perl_env.references import parse_references
from perl_env.scoring import RULES
from perl_env.tasks.dataset_columns import with_columns
from perl_env.tasks.dataset_questions import DatasetQuestions
from tests.perl_env.benchmark_fixtures import FIXTURES, LOADED, dataset, fixture_path

RULED = [task for task, fixture in FIXTURES.items() if fixture.benchmark.rule]


@pytest.fixture(params=FIXTURES)
def task(request):
    return request.param


@pytest.fixture
def fixture(task):
    return FIXTURES[task]


@pytest.fixture
def source(task):
    return FIXTURES[task].load(fixture_path(task))


def verdicts(fixture):
    """What has to become of the rows: how many are loaded, and the others by verdict and reason."""
    return Counter(verdict for _, verdict in fixture.cases)


def found_verdicts(loaded, account):
    return Counter(
        {LOADED: loaded}
        | {("excluded", what): n for what, n in Counter(r.what for r in account.excluded).items()}
        | {("malformed", what): n for what, n in Counter(r.what for r in account.malformed).items()}
    )


def denoted(question):
    """The gold, and the images that the text names, in terms of pictures."""
    mentions = parse_references(question.text, len(question.images)).mentions
    named = [question.images[slot].tobytes() for mention in mentions for slot in mention.slots]
    if "two images" in question.text or " and " in question.text:
        named = sorted(set(named))  # "the latter two images" may have become "the third and first"
    slot = gold_slot(question)
    gold = question.answer if slot is None else question.images[slot].tobytes()
    if question.order_class is OrderClass.INDEX_LIST:
        gold = canonical_answer(question, question.answer)
    if question.order_class is OrderClass.IMAGE_OPTIONS:
        named = []  # where the text names the options' slots, these stay
    return gold, named


def test_every_row_is_a_question_or_counted_with_its_reason(fixture, source):
    assert isinstance(source, QuestionSource)
    assert isinstance(source, DatasetQuestions)
    assert len(source) + len(source.excluded) + len(source.malformed) == source.rows
    assert source.rows == len(fixture.rows)
    assert found_verdicts(len(source), source) == verdicts(fixture), [
        str(row) for row in (*source.excluded, *source.malformed)
    ]
    for row in (*source.excluded, *source.malformed):
        assert row.row
        assert row.reason.startswith(row.what)
        assert "\n" not in row.reason
    keys = [question.key for question in source]
    assert len(set(keys)) == len(keys)


def test_an_oracle_is_right_in_every_order_and_the_gold_keeps_its_picture(source):
    rng = np.random.default_rng(0)
    for question in source:
        for order in sample_orders(question, min(count_orders(question), 24), rng):
            asked = permute(question, order)
            assert grade(asked, rf"\boxed{{{asked.answer}}}").correct
            assert denoted(asked) == denoted(question)


@pytest.mark.parametrize("task", RULED)
def test_an_oracle_is_right_by_the_published_rule(fixture, task):
    source = fixture.load(fixture_path(task), scoring="official")
    assert len(source) == verdicts(fixture)[LOADED]
    assert fixture.benchmark.rule in RULES
    rng = np.random.default_rng(0)
    for question in source:
        assert question.scoring == fixture.benchmark.rule
        for order in sample_orders(question, 6, rng):
            asked = permute(question, order)
            assert grade(asked, rf"\boxed{{{asked.answer}}}").correct


def test_pictures_are_decoded_when_a_question_is_asked_for(source):
    first = source[0]
    assert all(outline.images[0].shape == (1, 1, 3) for outline in source.outlines())
    assert first.images[0].shape[0] == 5
    assert source.max_pixels == max(
        image.shape[0] * image.shape[1] for question in source for image in question.images
    )
    assert source.max_images == max(len(question.images) for question in source)
    assert pickle.loads(pickle.dumps(source))[0] == first


def test_a_stream_gives_the_same_questions_and_the_same_account(fixture, task, source):
    stream = perl_env.iterate_questions(task, path=fixture_path(task))
    assert isinstance(stream, QuestionStream)
    for _ in range(2):
        assert list(stream) == list(source)
        account = stream.account
        assert account.loaded + len(account.excluded) + len(account.malformed) == account.rows
        assert found_verdicts(account.loaded, account) == verdicts(fixture)


def test_columns_that_are_missing_or_of_another_type_are_named(fixture):
    from datasets import Value

    columns = fixture.benchmark.columns
    whole = dataset(fixture.benchmark, fixture.rows, plain=True)
    for column in columns:
        without = whole.remove_columns(column.name)
        other = without.add_column(column.name, [1.5] * len(whole))
        other = other.cast_column(column.name, Value("bool"))
        for rows, got in ((without, f"no {column.name}"), (other, f"{column.name} is bool")):
            with pytest.raises(InputError, match="missing or of another type: here: ") as caught:
                with_columns(rows, columns, "here")
            assert got in str(caught.value)
            assert str(column) in str(caught.value)
    nothing = whole.select_columns(columns[0].name)
    with pytest.raises(InputError) as caught:
        with_columns(nothing, columns, "here")
    assert all(str(column) in str(caught.value) for column in columns[1:])


def test_a_loader_checks_the_columns_of_what_it_opens(fixture, tmp_path):
    first, *_ = fixture.benchmark.columns
    if fixture.layout == "json":
        rows = [{k: v for k, v in row.items() if k != first.name} for row in fixture.rows]
        fixture.write(tmp_path, rows)
    else:
        dataset(fixture.benchmark, fixture.rows, plain=True).remove_columns(first.name).save_to_disk(tmp_path)  # fmt: skip
    with pytest.raises(InputError, match=f"no {first.name}") as caught:
        fixture.load(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_without_a_network_the_error_asks_for_a_local_copy(fixture, task):
    with pytest.raises(InputError, match="cannot be fetched from the hub") as caught:
        fixture.load(None)
    assert fixture.benchmark.hub_id in str(caught.value)
    assert "path=… of a local copy, or a network" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_strict_stops_at_the_first_malformed_row(fixture, task):
    bad = [verdict for _, verdict in fixture.cases if verdict[0] == "malformed"]
    with pytest.raises(InputError, match=rf"{bad[0][1]}.*{task}, row "):
        fixture.load(fixture_path(task), strict=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "tset"}, "unknown split: .*'test'|unknown split: .*'train'"),
        ({"sub_tasks": ["nothing"]}, "unknown sub-task"),
        ({"revision": 3, "folder": "nowhere"}, "no such file or folder"),
    ],
)
def test_wrong_arguments_are_told(fixture, task, arguments, message):
    given = {"folder": fixture_path(task)} | arguments
    with pytest.raises(InputError, match=message):
        fixture.load(**given)


@pytest.mark.parametrize("task", RULED)
def test_the_scoring_is_strict_or_official(fixture, task):
    with pytest.raises(InputError, match=r"unknown scoring: .*strict, official"):
        fixture.load(fixture_path(task), scoring="offical")
    strict = fixture.load(fixture_path(task))
    assert {question.scoring for question in strict} == {"strict"}
    assert all(question.instruction is None for question in strict)


def test_sub_tasks_can_be_chosen(fixture, task, source):
    kinds = Counter(question.kind for question in source)
    assert set(kinds) <= set(fixture.benchmark.sub_tasks)
    for kind, count in kinds.items():
        assert len(fixture.load(fixture_path(task), sub_tasks=(kind,))) == count
