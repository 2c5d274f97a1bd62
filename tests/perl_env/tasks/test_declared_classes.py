"""What becomes of single rows: their class, what may move, the prompt as published."""

import pytest

import perl_env
from perl_env.permutation import permute
from perl_env.prompts import INSTRUCTION, question_text
from tests.perl_env.benchmark_fixtures import FIXTURES, fixture_path

CLASSES = {
    "perl/MantisEval-v0": {
        "zz_1": "slot-naming", "zz_2": "slot-naming", "zz_3": "referential", "zz_4": "invariant", "zz_5": "invariant",
        "zz_6": "single", "zz_1-row-6": "slot-naming",
    },
    "perl/BLINK-v0": {
        "val_Art_Style_1": "slot-naming", "val_Jigsaw_1": "slot-naming", "val_Visual_Similarity_1": "slot-naming",
        "val_Forensic_Detection_1": "slot-naming", "val_Visual_Correspondence_1": "referential",
        "val_Multi-view_Reasoning_1": "temporal", "val_Multi-view_Reasoning_2": "temporal (0, 1)",
        "val_Relative_Depth_1": "single",
    },
    "perl/MMIU-v0": {
        "row-0": "slot-naming", "row-1": "index-list", "row-2": "referential", "row-3": "temporal (0, 1, 2)",
        "row-4": "invariant", "row-5": "invariant",
    },
    "perl/ReMI-v0": {
        "row-0": "referential", "row-1": "referential", "row-2": "referential", "row-3": "temporal (0, 1)",
        "row-4": "image-options (0,)", "row-5": "invariant", "row-6": "referential",
    },
    "perl/MVMath-v0": {
        "1": "image-options", "2": "image-options (0,)", "4": "referential", "5": "referential", "6": "referential",
        "7": "layout (0, 1)", "8": "layout (0, 1)", "9": "referential",
    },
    "perl/MantisInstruct-v0": {
        "nlvr2_1": "referential", "dreamsim_2": "slot-naming", "iconqa_3": "image-options (0,)",
        "imagecode_4": "slot-naming", "contrastive_caption_5": "slot-naming", "contrastive_caption_6": "referential",
        "contrastive_caption_7": "referential",
    },
}  # fmt: skip


def spelt(question):
    pinned = question.pinned if question.pinned and len(question.images) > 1 else ""
    return f"{question.order_class} {pinned}".strip()


@pytest.mark.parametrize("task", FIXTURES)
def test_the_class_of_each_row(task):
    source = FIXTURES[task].load(fixture_path(task))
    expected = CLASSES.get(task) or dict.fromkeys((q.key for q in source), "single")
    assert {question.key: spelt(question) for question in source} == expected


def question_of(task, key, **arguments):
    source = FIXTURES[task].load(fixture_path(task), **arguments)
    return next(question for question in source if question.key == key)


OFFICIAL = {
    ("perl/MantisEval-v0", "zz_2"): (
        "Which image shows a boat?\n (A) Image 1\n (B) Image 2\n (C) Image 3\n"
        "Answer with the option's letter from the given choices directly."
    ),
    ("perl/MantisEval-v0", "zz_5"): (
        "Given the images, answer the following short answer vqa question:\n"
        "Q: How many cups are there in total in all images?\n"
        'You can first give your analysis, and then give your final answer as "Final Answer:"'
    ),
    ("perl/BLINK-v0", "val_Jigsaw_1"): (
        "The first image lacks its lower right corner. Is the second image or the third image the missing part?\n"
        "Select from the following choices.\n(A) the second image\n(B) the third image"
    ),
    # of most tasks the context, which ends with the options, comes first
    ("perl/MMIU-v0", "row-2"): (
        "You are given some images.\nSelect from the following choices.\nA: Point A\nB: Point B\n"
        "Which point on the second image corresponds to the point REF on the first image?\n"
        "Please answer the option directly like A,B,C,D..."
    ),
    ("perl/MMIU-v0", "row-3"): (
        "What comes next?\nYou are given some images.\nSelect from the following choices.\nA: rain\nB: snow\n"
        "Please answer the option directly like A,B,C,D..."
    ),
    ("perl/MathVista-v0", "1"): (
        "Hint: Please answer the question.\nQuestion: Which bar is higher?\nChoices:\n(A) red\n(B) blue"
    ),
    ("perl/MathVerse-v0", "1"): (
        "Please directly answer the question and provide the correct option letter.\n"
        "Question: How large is angle x?\nChoices:\nA:40°\nB:60°"
    ),
    ("perl/MathVision-v0", "3"): (
        'Please solve the problem step by step and put your answer in one "\\boxed{}".How many?\n'
        "Choices: A. 3\nB. 4\nAnswer the question with the option's letter from the given choices directly."
    ),
    ("perl/ReMI-v0", "row-6"): (
        "Question: Are the graph in <image1> and that in <image2> isomorphic?\n"
        'Give your answer as JSON with the keys "explanation" and "answer", where "answer" is 1 for yes and 0 for no.'
    ),
    ("perl/MVMath-v0", "1"): (
        "Which can be got by rotating a plane figure?\nA.\n\n<image_1>\nB.\n\n<image_2>\nC.\n\n<image_3>\nD.\n\n<image_4>\n"
        "Put your final answer in braces, such as {C}."
    ),
}  # fmt: skip


@pytest.mark.parametrize(("task", "key"), OFFICIAL)
def test_the_published_prompt(task, key):
    question = question_of(task, key, scoring="official")
    assert question_text(question) == OFFICIAL[task, key]
    ours = question_of(task, key)
    assert question_text(ours).endswith(INSTRUCTION)
    assert question_text(question, "Be brief.").endswith("\nBe brief.")
    assert question.answer == ours.answer
    assert (question.order_class, question.pinned) == (ours.order_class, ours.pinned)


def test_an_environment_asks_by_the_published_prompt_unless_told_otherwise():
    import gymnasium

    arguments = {"path": fixture_path("perl/BLINK-v0"), "scoring": "official", "permute": False}
    env = gymnasium.make("perl/BLINK-v0", **arguments)
    assert env.reset(options={"index": 1})[0]["text"] == OFFICIAL["perl/BLINK-v0", "val_Jigsaw_1"]
    env = gymnasium.make("perl/BLINK-v0", instruction=INSTRUCTION, **arguments)
    assert env.reset(options={"index": 1})[0]["text"].endswith(INSTRUCTION)


def test_options_move_with_their_pictures_before_the_last_line_too():
    asked = permute(question_of("perl/MMIU-v0", "row-0", scoring="official"), (3, 0, 1, 2))
    lines = question_text(asked).splitlines()
    assert lines[2:6] == ["A: the second image", "B: the third image", "C: the fourth image", "D: the first image"]  # fmt: skip
    assert lines[6].startswith("Which image")
    assert asked.answer == "B"


def test_letters_bound_to_pictures_in_the_text_are_not_listed_again():
    for task, key in (("perl/ReMI-v0", "row-4"), ("perl/MantisInstruct-v0", "iconqa_3")):
        question = question_of(task, key)
        assert question_text(question, "") == question.text
        swapped = permute(question, (*range(len(question.images) - 2), len(question.images) - 1, len(question.images) - 2))  # fmt: skip
        assert swapped.text == question.text
    assert swapped.answer == "A"
    assert question.answer == "B"


def test_stated_frames_of_a_video_move_with_the_statement():
    question = question_of("perl/BLINK-v0", "val_Multi-view_Reasoning_1")
    asked = permute(question, (1, 0))
    assert asked.text.startswith("The second image is from the beginning of the video and the first image is from the end.")  # fmt: skip
    assert asked.answer == question.answer


def test_captions_and_ordinals_inside_a_picture_stay():
    asked = permute(question_of("perl/MVMath-v0", "6"), (1, 0))
    assert asked.text == "Compare <image_2> and <image_1>. Which card was rotated?"
    assert asked.options[:2] == ("The first card", "The second card")
    asked = permute(question_of("perl/MVMath-v0", "4"), (1, 0))
    assert asked.text.endswith("<image_2>\nFigure 1\n\n<image_1>\nFigure 2")
    assert asked.text.startswith("How many edges do the solids in Figure 1 and Figure 2 have?")


def test_facts_of_the_row_that_rules_need_are_there():
    facts = {
        "perl/MantisEval-v0": {"question_type", "category"},
        "perl/BLINK-v0": {"sub_task"},
        "perl/MMIU-v0": {"task"},
        "perl/MathVista-v0": {"question_type", "answer_type", "precision", "unit", "task", "category"},
        "perl/MathVerse-v0": {"problem_version", "question_type", "question_for_eval"},
        "perl/MathVision-v0": {"level", "subject"},
        "perl/ReMI-v0": {"task"},
        "perl/MVMath-v0": {"problem_type", "subject"},
    }  # fmt: skip
    for task, names in facts.items():
        for question in FIXTURES[task].load(fixture_path(task), scoring="official"):
            assert set(dict(question.facts)) - {"options"} == names


def test_tokens_of_a_merged_picture_name_its_parts():
    question = question_of("perl/MathVision-v0", "1")
    assert question.text == "When it goes from home [figure 1] along [figure 2], where is it?"
    assert len(question.images) == 1


def test_the_training_mixture_of_the_paper():
    paths = {task: {"path": fixture_path(task)} for task in ("perl/MantisInstruct-v0", "perl/MMK12-v0")}  # fmt: skip
    questions = [
        perl_env.registration.load_source(
            "perl/MantisInstruct-v0: 22, perl/MMK12-v0: 36",
            split="train",
            arguments=paths,
            size=580,
        )
    ][0]
    tasks = [questions.task_of(index) for index in range(580)]
    assert abs(tasks.count("perl/MMK12-v0") - 360) < 4 * (580 * 22 * 36) ** 0.5 / 58
    assert all(questions[index].key.startswith(tasks[index]) for index in range(0, 580, 29))
    assert questions.malformed_counts["picture is missing"] == 3
    assert len(questions.malformed) + len(questions.excluded) == 9 + 3
