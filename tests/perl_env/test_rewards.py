import itertools

import pytest

from perl_env.errors import InputError
from perl_env.grading import Grade
from perl_env.rewards import RewardWeights, reward


@pytest.mark.parametrize(
    ("correct", "well_formed"), list(itertools.product([False, True], repeat=2))
)
def test_the_papers_weights_are_the_default(correct, well_formed):
    grade = Grade("B", "a cat", correct, well_formed)
    assert reward(grade) == pytest.approx(0.9 * correct + 0.1 * well_formed)


def test_weights_can_be_chosen():
    grade = Grade("B", "a cat", correct=True, well_formed=False)
    assert reward(grade, RewardWeights(accuracy=1.0, format=0.5)) == 1.0


def test_a_reward_is_a_plain_float():
    assert type(reward(Grade(None, None, False, False))) is float


@pytest.mark.parametrize("weight", [-0.1, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["accuracy", "format"])
def test_unusable_weights_are_refused(name, weight):
    with pytest.raises(InputError, match=name):
        RewardWeights(**{name: weight})
