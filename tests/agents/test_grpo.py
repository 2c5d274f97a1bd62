"""GRPO in one process: what is asked, what is filtered, what comes out."""

from __future__ import annotations

import numpy as np
import pytest

from agents.export import export_model
from tests.agents.conftest import LetterEnv, played, tiny_config, weights_of

pytestmark = pytest.mark.usefixtures("ray_session")


@pytest.mark.slow
def test_reward_rises(tiny_model, build):
    algorithm = build(tiny_config(tiny_model))
    returns = [algorithm.train()["env_runners"]["episode_return_mean"] for _ in range(30)]
    assert np.mean(returns[-5:]) > np.mean(returns[:5]) + 0.2


def test_result_holds_the_figures(tiny_model, build):
    algorithm = build(tiny_config(tiny_model, kl_coefficient=0.1, minibatches=2, epochs=2))
    result = algorithm.train()
    learner, runner, groups = (
        result["learners"]["default_policy"], result["env_runners"], result["groups"],
    )  # fmt: skip
    for name in (
        "loss", "policy_loss", "kl_to_reference", "entropy", "clip_fraction_low", "clip_fraction_high",
        "importance_ratio", "grad_norm", "tokens", "sampler_logprob_difference",
        "default_optimizer_learning_rate",
    ):  # fmt: skip
        assert np.isfinite(learner[name]), name
    assert learner["sampler_logprob_difference_max"] < 1e-4
    assert learner["kl_to_reference"] >= 0
    assert learner["prompts_shared"] == 1
    assert runner["num_episodes"] == 6 * 8
    assert groups["groups_seen"] == groups["groups_learned_from"] == 6
    assert groups["dropped_by_reason"] == {
        "all_right": 0, "all_wrong": 0, "all_equal": 0, "out_of_range": 0,
    }  # fmt: skip


def test_same_seed_same_run_bit_for_bit(tiny_model, build):
    first, second = build(tiny_config(tiny_model)), build(tiny_config(tiny_model))
    other = build(tiny_config(tiny_model).debugging(seed=1))
    for algorithm in (first, second, other):
        for _ in range(2):
            algorithm.train()
    expected, got, different = weights_of(first), weights_of(second), weights_of(other)
    assert all(np.array_equal(expected[name], got[name]) for name in expected)
    assert any(not np.array_equal(expected[name], different[name]) for name in expected)


def test_every_group_has_as_many_rollouts(tiny_model, build):
    """Also where a question has but one order, or fewer than are asked for."""
    algorithm = build(tiny_config(tiny_model, orders_per_question=4, rollouts_per_order=3))
    groups = played(algorithm, 24)
    orders = {len(group.orders) for group in groups}
    assert orders == {1, 2, 4}
    for group in groups:
        assert group.num_replies == len(group.rewards) == 12
        assert sum(len(order.advantages) for order in group.orders) == 12
        assert group.orders[0].order == tuple(range(len(group.orders[0].prompt.images)))


def test_a_single_image_question_is_asked_in_its_one_order_by_the_whole_group(tiny_model, build):
    groups = played(build(tiny_config(tiny_model, orders_per_question=3, rollouts_per_order=4)), 24)
    single = [group for group in groups if group.order_class == "single"]
    assert len(single) == 8
    for group in single:
        (only,) = group.orders
        assert only.order == (0,)
        assert len(only.token_ids) == len(only.advantages) == len(group.rewards) == 12
    assert {group.num_replies for group in groups} == {12}  # so all groups weigh the same


def test_a_mixtures_figures_come_per_task_too(tiny_model, build):
    tasks = {"perl/Shapes-v0": 1, "perl/Digits-v0": 1}
    config = tiny_config(tiny_model, rollouts_per_order=2).evaluation(
        evaluation_interval=1, evaluation_duration=8
    )
    config.environment("perl_env:perl/Mixture-v0", env_config={"tasks": tasks})
    result = build(config).train()
    for figures in (result["env_runners"], result["evaluation"]["env_runners"]):
        episodes = {task: figures[f"num_episodes/{task}"] for task in tasks}
        assert all(episodes.values())
        assert sum(episodes.values()) == figures["num_episodes"]
        for name in ("accuracy", "episode_return_mean", "reply_tokens"):
            parts = sum(n * figures[f"{name}/{task}"] for task, n in episodes.items())
            assert parts / figures["num_episodes"] == pytest.approx(figures[name])
    assert "accuracy/perl/Shapes-v0" in result["env_runners"]


def test_plain_grpo_asks_the_same_questions_in_canonical_order(tiny_model, build):
    plain = played(build(tiny_config(tiny_model, order_probability=0.0)), 12)
    permuted = played(build(tiny_config(tiny_model)), 12)
    assert [g.plan.question_index for g in plain] == [g.plan.question_index for g in permuted]
    assert {len(group.orders) for group in plain} == {1}
    assert {len(group.orders) for group in permuted} == {1, 2}
    assert (
        {group.num_replies for group in plain} == {group.num_replies for group in permuted} == {8}
    )


def test_pictures_follow_the_order_and_are_held_once(tiny_model, build):
    for group in played(build(tiny_config(tiny_model)), 12):
        canonical = group.orders[0].prompt.images
        for order in group.orders:
            assert [id(image) for image in order.prompt.images] == [
                id(canonical[slot]) for slot in order.order
            ]


def test_linear_schedule_reaches_canonical_order(tiny_model, build):
    algorithm = build(tiny_config(tiny_model, order_schedule="linear", total_steps=2))
    seen = [algorithm.train()["groups"]["order_probability"] for _ in range(3)]
    assert seen == [1.0, 0.5, 0.0]


# ------------------------------------------------------------------------------------- filtering


def test_without_filter_all_groups_are_learned_from(tiny_model, build):
    algorithm = build(_constant(tiny_model, filter_groups=False))
    result = algorithm.train()
    assert result["groups"]["groups_learned_from"] == 6
    assert result["learners"]["default_policy"]["policy_loss"] == 0


@pytest.mark.parametrize("rounds", [0, 2])
def test_a_step_without_anything_to_learn_is_still_a_step(tiny_model, build, rounds):
    algorithm = build(_constant(tiny_model, filter_groups=True, max_refill_rounds=rounds))
    before = weights_of(algorithm)
    for step in (1, 2):
        result = algorithm.train()
        groups = result["groups"]
        assert result["training_iteration"] == step
        assert "default_policy" not in result.get("learners", {})
        assert groups["groups_learned_from"] == 0
        assert groups["refill_rounds"] == rounds
        assert groups["groups_seen"] == groups["groups_dropped"] == 6 * (rounds + 1)
        assert groups["dropped_by_reason"]["all_right"] == 6 * (rounds + 1)
        assert set(groups["dropped_share_by_order_class"].values()) == {1.0}
    assert algorithm._schedule.counter == 2 * 6 * (rounds + 1)
    after = weights_of(algorithm)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_dropped_groups_are_replaced_by_fresh_questions(tiny_model, build):
    # One reply in ten has the letter: most groups of two replies have nothing to teach.
    config = tiny_config(
        tiny_model, orders_per_question=1, rollouts_per_order=2, filter_groups=True,
        max_refill_rounds=50,
    )  # fmt: skip
    result = build(config).train()
    groups = result["groups"]
    assert groups["groups_learned_from"] == 6
    assert groups["groups_dropped"] > 0
    assert groups["groups_seen"] == 6 + groups["groups_dropped"]
    assert groups["refill_rounds"] >= 1
    assert result["env_runners"]["num_episodes"] == 2 * groups["groups_seen"]


def test_range_filter(tiny_model, build):
    config = tiny_config(tiny_model, filter_groups=(2.0, 3.0), max_refill_rounds=0)
    groups = build(config).train()["groups"]
    assert groups["groups_learned_from"] == 0
    assert groups["dropped_by_reason"]["out_of_range"] > 0


def _constant(model, **training):
    return tiny_config(model, **training).environment(env_config={"reward": "constant"})


# ---------------------------------------------------------------------------------------- the rest


def test_evaluation_is_greedy_and_repeatable(tiny_model, build):
    config = tiny_config(tiny_model).evaluation(evaluation_interval=1, evaluation_duration=12)
    algorithm = build(config)
    first, second = (algorithm.evaluate()["env_runners"] for _ in range(2))
    assert first["num_episodes"] == 12
    assert first["episode_return_mean"] == second["episode_return_mean"]
    assert "evaluation" in algorithm.train()


def test_callbacks_see_each_reply(tiny_model, build):
    seen = []
    config = tiny_config(tiny_model).callbacks(
        on_episode_end=lambda episode, **kwargs: seen.append(episode.get_return()),
    )
    result = build(config).train()
    assert len(seen) == 48
    assert np.isclose(np.mean(seen), result["env_runners"]["episode_return_mean"])


def test_exported_model_is_a_plain_folder(tiny_model, build, tmp_path):
    from agents.engines import Prompt, SamplingParams, make_engine

    algorithm = build(tiny_config(tiny_model))
    algorithm.train()
    folder = export_model(algorithm, tmp_path / "exported")
    engine, runner = make_engine(folder), algorithm.env_runner_group.local_env_runner
    prompt = Prompt(runner.source[0].images, "Which image?")
    greedy = SamplingParams(temperature=0, max_new_tokens=8)
    (expected,), (got,) = (e.generate([prompt], 1, greedy)[0] for e in (runner.engine, engine))
    assert got.text == expected.text
    assert np.allclose(got.logprobs, expected.logprobs, atol=1e-6)
    (before,) = make_engine(tiny_model).generate([prompt], 1, greedy)[0]
    assert not np.allclose(before.logprobs[:1], got.logprobs[:1], atol=1e-6)


def test_an_order_that_cannot_be_rewritten_costs_no_rollout(tiny_model, build):
    algorithm = build(tiny_config(tiny_model, env=UnsoundEnv))
    groups = played(algorithm, 6)
    assert {len(group.orders) for group in groups} == {1}
    assert {group.num_replies for group in groups} == {8}
    assert algorithm.train()["env_runners"]["orders_refused"] > 0


class UnsoundEnv(LetterEnv):
    def reset(self, *, seed=None, options=None):
        from perl_env.errors import UnsoundRewriteError

        observation, info = super().reset(seed=seed, options=options)
        if not self.question.is_canonical:
            raise UnsoundRewriteError("cannot be rewritten", where="test")
        return observation, info


def test_groups_are_small_to_send(tiny_model, build):
    """A group is sent with each of its pictures once, whatever the number of its rollouts."""
    import cloudpickle

    few, many = (
        played(build(tiny_config(tiny_model, rollouts_per_order=count)), 1)[0] for count in (2, 40)
    )
    pictures = sum(image.nbytes for image in few.orders[0].prompt.images)
    assert len(cloudpickle.dumps(few)) < pictures + 6000
    assert len(cloudpickle.dumps(many)) < len(cloudpickle.dumps(few)) + 76 * 500
