"""The environment's contract, over every registered task."""

import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import perl_env
from perl_env.errors import IllegalOrderError, InputError
from tests.perl_env.benchmark_fixtures import FIXTURES, fixture_path

PROCEDURAL = ["perl/Shapes-v0", "perl/Digits-v0"]


def arguments(task, folder):
    if task in FIXTURES:
        return {"path": fixture_path(task)}
    return {"path": str(folder)} if task == "perl/Folder-v0" else {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A user's folder of questions, written by our own writer."""
    from perl_env.tasks.folder import write_folder

    path = tmp_path_factory.mktemp("folder")
    write_folder(perl_env.load_questions("perl/Shapes-v0", limit=24), path)
    return path


@pytest.fixture(params=sorted(id for id in gymnasium.registry if id.startswith("perl/")))
def task(request):
    return request.param


def test_check_env_passes_without_a_warning(task, folder):
    env = gymnasium.make(task, render_mode="rgb_array", **arguments(task, folder))
    check_env(env.unwrapped)


def test_the_same_seed_gives_the_same_episode(task, folder):
    first, second = (gymnasium.make(task, **arguments(task, folder)) for _ in range(2))
    for seed in range(5):
        (observation, info), (again, info_again) = first.reset(seed=seed), second.reset(seed=seed)
        np.testing.assert_equal(observation, again)
        assert info == info_again
        assert observation in first.observation_space
        assert first.step("B")[1:] == second.step("B")[1:]


def test_the_environment_can_be_pickled(task, folder):
    env = gymnasium.make(task, **arguments(task, folder))
    copied = pickle.loads(pickle.dumps(env))
    np.testing.assert_equal(env.reset(seed=1)[0], copied.reset(seed=1)[0])


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_vector_environments_work_without_vector_arguments(task, folder, mode):
    envs = gymnasium.make_vec(task, num_envs=2, vectorization_mode=mode, **arguments(task, folder))
    single = [gymnasium.make(task, **arguments(task, folder)) for _ in range(2)]
    try:
        for start in (0, 10):
            observations, _ = envs.reset(seed=[start, start + 1])
            for i, env in enumerate(single):
                expected, _ = env.reset(seed=start + i)
                np.testing.assert_equal(observations["images"][i], expected["images"])
                assert observations["text"][i] == expected["text"]
            _, rewards, terminated, _, _ = envs.step(("A", "no idea at all"))
            assert terminated.all()
            assert rewards[0] == single[0].step("A")[1]
    finally:
        envs.close()


def test_the_module_in_front_of_the_name_registers_it():
    env = gymnasium.make("perl_env:perl/Shapes-v0")
    assert env.unwrapped.question is None


@pytest.mark.parametrize("task", PROCEDURAL)
def test_a_chosen_question_and_order_are_shown(task):
    env = gymnasium.make(task, kinds=["which-image"])
    canonical, _ = env.reset(options={"index": 3, "order": (0, 1, 2)})
    permuted, info = env.reset(options={"index": 3, "order": (2, 0, 1)})
    assert info == {"index": 3, "order": (2, 0, 1), "order_class": "slot-naming"}
    for slot, source in enumerate((2, 0, 1)):
        np.testing.assert_array_equal(permuted["images"][slot], canonical["images"][source])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"index": 3, "order": (0, 0, 1)}, "no permutation"),
        ({"index": 3, "order": "abc"}, "no permutation"),
        ({"index": 10**9}, "no such question"),
        ({"index": -1}, "no such question"),
        ({"index": "3"}, "no such question: .* a whole number, 0..9999, got '3'"),
        ({"index": 2.5}, "no such question"),
        ({"index": True}, "no such question"),
        ({"order": (1, 0, 2)}, "without a question"),
        ({"indx": 3}, "unknown reset option"),
    ],
)
def test_wrong_reset_options_are_told(options, message):
    env = gymnasium.make("perl/Shapes-v0", kinds=["which-image"])
    with pytest.raises(InputError, match=message):
        env.reset(options=options)


def test_an_index_may_be_numpys():
    env = gymnasium.make("perl/Shapes-v0")
    assert type(env.reset(options={"index": np.int64(3)})[1]["index"]) is int


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"permute": "no"}, "permute: expected True or False, got 'no'"),
        ({"permute": 1}, "permute: expected True or False"),
        ({"instruction": 3}, "instruction: expected a text"),
        ({"reward_weights": {"accuracy": 1}}, "reward_weights: expected .* 'format'"),
        ({"reward_weights": {"accuracy": "1", "format": 0}}, "accuracy: expected a finite number"),
        ({"reward_weights": 3}, "reward_weights: expected"),
    ],
)
def test_wrong_arguments_of_the_environment_are_told(arguments, message):
    with pytest.raises(InputError, match=message):
        gymnasium.make("perl/Shapes-v0", **arguments)


def test_reward_weights_may_be_a_dictionary():
    env = gymnasium.make("perl/Shapes-v0", reward_weights={"accuracy": 2, "format": 0.5})
    env.reset(seed=0)
    answer = env.unwrapped.question.answer
    assert env.step(rf"<think></think>\boxed{{{answer}}}")[1] == 2.5


def test_an_order_that_moves_a_pinned_image_is_refused():
    env = gymnasium.make("perl/Shapes-v0", kinds=["image-options"])
    with pytest.raises(IllegalOrderError, match="moves image 1"):
        env.reset(options={"index": 0, "order": (1, 0, 2, 3)})


def test_a_step_needs_a_question_and_a_text():
    env = gymnasium.make("perl/Shapes-v0").unwrapped
    with pytest.raises(InputError, match="reset first"):
        env.step("A")
    env.reset(seed=0)
    with pytest.raises(InputError, match="no text"):
        env.step(3)
    env.step("A")
    with pytest.raises(InputError, match="already answered"):
        env.step("A")


@pytest.mark.parametrize("task", PROCEDURAL)
def test_the_gold_answer_is_in_no_observation_and_no_info_before_the_step(task):
    env = gymnasium.make(task)
    for seed in range(40):
        observation, info = env.reset(seed=seed)
        assert set(observation) == {"images", "text"}
        assert set(info) == {"index", "order", "order_class"}
        answer = env.unwrapped.question.answer
        _, reward, terminated, truncated, after = env.step(f"<think>so</think>\\boxed{{{answer}}}")
        assert (reward, terminated, truncated) == (pytest.approx(1.0), True, False)
        assert after["answer"] == answer
        assert after["correct"]
        assert after["well_formed"]


def test_orders_are_uniform_and_differ_between_resets():
    env = gymnasium.make("perl/Shapes-v0", kinds=["which-image"])
    env.reset(seed=0)
    counts: dict[tuple[int, ...], int] = {}
    for _ in range(1200):
        order = env.reset()[1]["order"]
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    # Each count is binomial with mean 200 and standard deviation 13.
    assert all(abs(count - 200) < 5 * 13 for count in counts.values())


def test_without_permutation_every_order_is_canonical():
    env = gymnasium.make("perl/Shapes-v0", permute=False)
    for seed in range(20):
        order = env.reset(seed=seed)[1]["order"]
        assert order == tuple(range(len(order)))


def test_nothing_touches_the_global_generators():
    np.random.seed(5)
    before = np.random.get_state()[1].copy()
    env = gymnasium.make("perl/Shapes-v0")
    env.reset(seed=1)
    env.step("A")
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_unknown_arguments_name_the_nearest_known():
    with pytest.raises(InputError, match="'difficulty'"):
        gymnasium.make("perl/Shapes-v0", dificulty=2)
    with pytest.raises(InputError, match="unknown render mode"):
        gymnasium.make("perl/Shapes-v0", render_mode="human", disable_env_checker=True)
    with pytest.raises(InputError, match="missing argument"):
        gymnasium.make("perl/Folder-v0")


def test_the_contact_sheet_shows_the_pictures_in_their_current_order():
    env = gymnasium.make("perl/Shapes-v0", kinds=["which-image"], render_mode="rgb_array")
    sheets = []
    for order in ((0, 1, 2), (2, 0, 1)):
        env.reset(options={"index": 0, "order": order})
        sheets.append(env.render())
    canonical, permuted = sheets
    assert canonical.dtype == np.uint8
    assert canonical.shape == permuted.shape
    x, y, tile, margin = 16, 16 + 26, 168, 16
    for slot, source in enumerate((2, 0, 1)):
        there = permuted[y : y + tile, x + slot * (tile + margin) :][:, :tile]
        expected = canonical[y : y + tile, x + source * (tile + margin) :][:, :tile]
        np.testing.assert_array_equal(there, expected)
