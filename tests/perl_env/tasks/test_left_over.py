"""Rows of which another order would rewrite only a part are left out."""

import pytest

from perl_env.order_class import OrderClass
from perl_env.tasks import mantis_instruct, mmiu

PROMPT = "Given these 2 images, <image_1> and <image_2>. Here is a statement describing them: {} Is it true or false?"


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("The left image shows a dog, and the right image shows a cat.", OrderClass.REFERENTIAL),
        ("In the right image, the left dog looks left.", OrderClass.REFERENTIAL),
        ("There are two dogs in the left image and one in the right.", None),
        ("The left image contains one dog, while on the right there are two.", None),
        ("The left image has a dog and the right shows a cat.", None),
        ("The dog in the left image is brown, the dog on the right is black.", None),
        ("The dog on the left is brown.", None),
        ("There are exactly two dogs in the images.", None),  # then the rules say what it is
    ],
)
def test_a_statement_of_nlvr2_names_images_in_one_way(statement, expected):
    text = PROMPT.format(statement)
    found = mantis_instruct._order_class("nlvr2", text, ("True", "False"), "A", 2)
    assert found is expected


def test_an_open_answer_that_names_an_image_is_not_referential():
    arguments = "contrastive_caption", "Describe the first image.", ()
    assert mantis_instruct._order_class(*arguments, "A dog.", 3) is OrderClass.REFERENTIAL
    answer = "It is darker than the second image."
    assert mantis_instruct._order_class(*arguments, answer, 3) is None


@pytest.mark.parametrize(
    "left", ["A. 3, 1, 2, 0", "A. [3 1 2 0]", "{3,1,2,0}", "[3→1→2→0]", "such as 3-1-2-0.", ""]
)
def test_no_list_is_left_in_a_text_of_mmiu(left):
    text = f"Give each picture a sequential index, which starts from 0. {left}"
    options = "[3, 1, 2, 0]", "[0, 1, 2, 3]"
    found = mmiu._order_class("temporal_ordering", text, options, 4)
    assert found is (None if left else OrderClass.INDEX_LIST)
