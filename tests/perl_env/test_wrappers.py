"""Agents without language: fixed-size pixels in, a number out."""

import ast

import gymnasium
import gymnasium.utils.env_checker
import numpy as np
import pytest
from stable_baselines3.common.env_checker import check_env

import perl_env
from perl_env.errors import InputError
from perl_env.wrappers import FixedPixels


def wrapped(kind="odd-one-out", **arguments):
    return FixedPixels(gymnasium.make("perl/Shapes-v0", kinds=[kind]), num_actions=3, **arguments)


def test_the_env_checker_of_stable_baselines_accepts_it():
    check_env(wrapped())


def test_the_env_checker_of_gymnasium_accepts_it():
    env = wrapped()
    with pytest.warns(UserWarning, match="different from the unwrapped version"):  # it is wrapped
        gymnasium.utils.env_checker.check_env(env)
    assert env.spec.additional_wrappers[-1].kwargs == {
        "size": 84,
        "num_actions": 3,
        "scaled": False,
    }


def test_scaled_pixels_are_the_same_pixels():
    plain, _ = wrapped().reset(seed=1)
    env = wrapped(scaled=True)
    scaled, _ = env.reset(seed=1)
    assert env.observation_space.contains(scaled)
    np.testing.assert_array_equal((scaled * 255).round().astype(np.uint8), plain)


@pytest.mark.parametrize("kind", ["odd-one-out", "which-image", "true-of-some"])
def test_the_right_choice_and_no_other_is_rewarded(kind):
    env = wrapped(kind)
    for seed in range(6):
        rewards = []
        for action in range(3):
            env.reset(seed=seed)
            rewards.append(env.step(action)[1])
        assert sorted(rewards) == pytest.approx([0.1, 0.1, 1.0])


def test_pixels_follow_the_order_of_the_pictures():
    env = wrapped(size=96)
    canonical, _ = env.reset(options={"index": 1, "order": (0, 1, 2)})
    permuted, _ = env.reset(options={"index": 1, "order": (2, 0, 1)})
    tiles = np.split(canonical[:67], 3, axis=1)
    np.testing.assert_array_equal(
        permuted[:67], np.concatenate([tiles[2], tiles[0], tiles[1]], axis=1)
    )


def test_open_questions_and_too_many_choices_are_refused():
    with pytest.raises(InputError, match="no multiple-choice question"):
        wrapped("count-all").reset(seed=0)
    env = FixedPixels(gymnasium.make("perl/Shapes-v0", kinds=["odd-one-out"]), num_actions=2)
    with pytest.raises(InputError, match="more choices than actions"):
        env.reset(seed=0)
    with pytest.raises(InputError, match="not an environment of questions"):
        FixedPixels(gymnasium.make("CartPole-v1"))


@pytest.mark.parametrize("kind", ["odd-one-out", "which-image", "true-of-some"])
def test_an_action_beyond_the_last_choice_is_a_wrong_answer(kind):
    env = FixedPixels(gymnasium.make("perl/Shapes-v0", kinds=[kind]), num_actions=40)
    for action in (3, 6, 25, 27, 39):
        env.reset(seed=1)
        assert env.step(action)[1] == pytest.approx(0.1)
    env.reset(seed=1)
    assert env.step(np.array(39))[1] == pytest.approx(0.1)


@pytest.mark.parametrize("action", [-1, 3, 2.7, True, "1", np.array([1]), np.float32(1), None])
def test_what_is_no_action_is_told(action):
    env = wrapped()
    env.reset(seed=1)
    with pytest.raises(InputError, match=r"no such action: step, action: expected .* 0\.\.2, got"):
        env.step(action)


def test_a_step_before_the_first_question_is_told():
    with pytest.raises(InputError, match="step without a question"):
        wrapped().unwrapped.step("B")
    with pytest.raises(InputError, match="step without a question"):
        FixedPixels(wrapped().unwrapped).step(0)


@pytest.mark.parametrize(
    ("name", "value"),
    [("size", 0), ("size", -3), ("size", 8.5), ("size", True), ("num_actions", 0), ("num_actions", 2.0), ("scaled", "no")],
)  # fmt: skip
def test_arguments_that_cannot_work_are_told(name, value):
    with pytest.raises(InputError, match=f"unusable value: FixedPixels, {name}: expected"):
        FixedPixels(gymnasium.make("perl/Shapes-v0"), **{name: value})


@pytest.mark.parametrize(
    ("task", "open_kind"), [("perl/Shapes-v0", "count-all"), ("perl/Digits-v0", "sum")]
)
def test_of_open_questions_the_kinds_to_choose_are_told(task, open_kind):
    env = FixedPixels(gymnasium.make(task))
    index = [kind.name for kind in env.unwrapped.source.kinds].index(open_kind)
    with pytest.raises(InputError, match="choose such kinds, as kinds=") as caught:
        env.reset(options={"index": index})
    kinds = ast.literal_eval(caught.value.expected.partition("kinds=")[2])
    assert "odd-one-out" in kinds
    env = FixedPixels(gymnasium.make(task, kinds=kinds, difficulty=3))
    for index in range(8 * len(kinds)):
        env.reset(options={"index": index})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of RLlib's own, about its own defaults
def test_rllibs_stock_ppo_trains_on_it(ray_session):
    from ray.rllib.algorithms.ppo import PPOConfig
    from ray.tune import register_env

    register_env("pixels", lambda _: wrapped(size=42, scaled=True))
    config = (
        PPOConfig()
        .environment("pixels")
        .env_runners(num_env_runners=0, num_envs_per_env_runner=2)
        .training(train_batch_size=128, minibatch_size=64, num_epochs=2)
        .debugging(seed=0)
    )
    algorithm = config.build_algo()
    try:
        before = algorithm.get_module().get_state()
        result = algorithm.train()
        after = algorithm.get_module().get_state()
    finally:
        algorithm.stop()
    assert 0.1 <= result["env_runners"]["episode_return_mean"] <= 1.0
    assert any(not np.array_equal(before[name], after[name]) for name in before)
    assert perl_env.registration.TASKS


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of RLlib's own, about its own defaults
@pytest.mark.parametrize("mode", ["sync", "async"])
def test_rllib_makes_vector_environments_of_questions(ray_session, mode):
    """RLlib's own runner passes no vector arguments; only its way of making them is used here."""
    from ray.rllib.algorithms.ppo import PPOConfig
    from ray.rllib.env.single_agent_env_runner import SingleAgentEnvRunner

    config = (
        PPOConfig()
        .environment("perl_env:perl/Shapes-v0")
        .env_runners(num_env_runners=0, num_envs_per_env_runner=2, gym_env_vectorize_mode=mode)
    )
    runner = object.__new__(SingleAgentEnvRunner)
    runner.config, runner.env, runner.worker_index, runner.num_workers = config, None, 0, 0
    runner._callbacks, runner.metrics = [], None
    runner._needs_initial_reset = True
    runner.make_env()
    try:
        observations, _ = runner.env.reset(seed=[1, 2])
        assert len(observations["text"]) == len(observations["images"]) == 2
    finally:
        runner.env.close()
