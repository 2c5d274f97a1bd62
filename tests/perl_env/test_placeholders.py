import pytest

from perl_env.errors import InputError
from perl_env.placeholders import number_placeholders


def test_bare_placeholders_are_numbered_in_reading_order():
    texts = ("Is <image> like <image>?", "A <image>", "none")
    assert number_placeholders(texts, 3) == ("Is <image_1> like <image_2>?", "A <image_3>", "none")


@pytest.mark.parametrize(
    "text", ["no placeholder", "<image_1> twice: <image_1>", "<image2>", "an <img> tag"]
)
def test_other_texts_stay(text):
    assert number_placeholders([text], 2) == (text,)


@pytest.mark.parametrize("text", ["<image>", "<image> <image> <image>"])
def test_one_placeholder_a_picture(text):
    with pytest.raises(InputError, match=r"placeholder count .* row 7: expected 2 <image>, got"):
        number_placeholders([text], 2, where="row 7")


@pytest.mark.parametrize("text", ["<image_3>", "<image0>", "<Image 12>"])
def test_placeholders_name_pictures_that_are_there(text):
    with pytest.raises(InputError, match="placeholder names no picture"):
        number_placeholders([text], 2)
