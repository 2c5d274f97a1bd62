"""GRPO in one process: what is asked, what is filtered, what is learned."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agents.export import export_model
from agents.training_data import GroupTrainingData, split_minibatches
from perl_env.errors import InputError
from tests.agents.conftest import LetterEnv, tiny_config

pytestmark = pytest.mark.usefixtures("ray_session")


@pytest.fixture
def build():
    """Builds algorithms and stops them afterwards."""
    built = []

    def _build(config):
        built.append(config.build_algo())
        return built[-1]

    yield _build
    for algorithm in built:
        algorithm.stop()


def weights_of(algorithm) -> dict[str, np.ndarray]:
    state = algorithm.learner_group.get_state(components="learner/rl_module")
    return state["learner"]["rl_module"]["default_policy"]


def largest_gap(weights, others) -> float:
    return max(np.abs(weights[name] - others[name]).max() for name in weights)


def learner_of(algorithm):
    return algorithm.learner_group._learner


def played(algorithm, count=6):
    """Groups played outside of a training step."""
    runner = algorithm.env_runner_group.local_env_runner
    return runner.play_groups(algorithm._schedule.next_groups(count, 0))


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


# --------------------------------------------------------------------------------------- learning


def test_micro_batches_change_nothing(tiny_model, build):
    results = []
    for size in (64, 7, 1):
        config = tiny_config(tiny_model, micro_batch_size=size, kl_coefficient=0.1, lr=3e-5)
        algorithm = build(config)
        results.append((algorithm.train(), weights_of(algorithm)))
    (first, expected), *others = results
    for result, weights in others:
        for name in ("loss", "entropy", "grad_norm", "tokens"):
            assert np.isclose(
                result["learners"]["default_policy"][name],
                first["learners"]["default_policy"][name], rtol=1e-3, atol=1e-6,
            ), name  # fmt: skip
        assert largest_gap(weights, expected) < 1e-5


@pytest.mark.parametrize("loss", ["grpo", "dr_grpo", "dapo"])
def test_gradient_is_that_of_the_formula(tiny_model, build, loss):
    """The accumulated gradient against the loss written down in one line, over whole groups."""
    algorithm = build(
        tiny_config(tiny_model, loss=loss, micro_batch_size=5, lr=0.0, grad_clip=None)
    )
    groups = played(algorithm, 3)
    learner = learner_of(algorithm)
    learner.update(training_data=GroupTrainingData(minibatches=[groups]))
    model = learner._model
    got = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    _written_down(learner, groups, loss).backward()
    scale = max(p.grad.abs().max() for p in model.parameters() if p.grad is not None)
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            assert torch.allclose(got[name], parameter.grad, atol=float(1e-4 * scale)), name


def _written_down(learner, groups, loss):
    """On policy the ratio is one, so the gradient is that of -advantage * log-probability."""
    from agents.collate import micro_batches, rows_of
    from agents.logprobs import reply_logprobs
    from agents.losses import Totals

    prompts = [order.prompt for group in groups for order in group.orders]
    encoded = learner._processor.encode_many(prompts)
    rows = rows_of(groups, encoded, Totals(1, 1, 1), "dapo", 1)
    (batch,) = micro_batches(rows, 1000, learner._processor, 1.0, torch.device("cpu"))
    mask = batch.replies.reply_mask
    terms = (
        -batch.advantages[:, None]
        * reply_logprobs(learner._model, batch.replies)["logprobs"]
        * mask
    )
    if loss == "grpo":  # groups are of one size, so the mean of means is the mean
        return (terms.sum(dim=1) / mask.sum(dim=1)).mean()
    if loss == "dr_grpo":
        return terms.sum() / (len(terms) * learner.config.max_new_tokens)
    return terms.sum() / mask.sum()


def test_a_policy_at_its_reference_has_no_divergence(tiny_model, build):
    algorithm = build(tiny_config(tiny_model, kl_coefficient=0.5, lr=0.0))
    assert abs(algorithm.train()["learners"]["default_policy"]["kl_to_reference"]) < 1e-6
    assert learner_of(build(tiny_config(tiny_model)))._reference is None


def test_divergence_holds_the_policy_back(tiny_model, build):
    gaps = []
    for coefficient in (1e-6, 20.0):
        algorithm = build(tiny_config(tiny_model, kl_coefficient=coefficient, minibatches=2))
        for _ in range(6):
            result = algorithm.train()
        gaps.append(result["learners"]["default_policy"]["kl_to_reference"])
    assert gaps[1] < gaps[0] / 2


def test_minibatches_hold_every_group_once(tiny_model, build):
    groups = played(build(tiny_config(tiny_model)), 7)
    minibatches = split_minibatches(groups, 3, np.random.default_rng(0))
    assert [len(minibatch) for minibatch in minibatches] == [3, 2, 2]
    assert sorted(g.plan.counter for m in minibatches for g in m) == sorted(
        g.plan.counter for g in groups
    )
    assert len(split_minibatches(groups[:2], 5, np.random.default_rng(0))) == 2


def test_shards_keep_groups_whole_and_lose_none(tiny_model, build):
    groups = played(build(tiny_config(tiny_model)), 7)
    shards = GroupTrainingData(minibatches=[groups[:5], groups[5:]]).shard(3)
    for number, expected in enumerate([groups[:5], groups[5:]]):
        shares = [data.minibatches[number] for data, _ in shards]
        assert sorted(g.plan.counter for s in shares for g in s) == [
            g.plan.counter for g in expected
        ]


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


def test_frozen_parameters_stay(tiny_model, build):
    class FrozenVision(learner_class()):
        def configure_optimizers_for_module(self, module_id, config=None):
            self._model.model.visual.requires_grad_(False)
            super().configure_optimizers_for_module(module_id, config)

    algorithm = build(tiny_config(tiny_model, learner_class=FrozenVision))
    before = weights_of(algorithm)
    algorithm.train()
    after = weights_of(algorithm)
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed
    assert not any("visual" in name for name in changed)


def learner_class():
    from agents.learner import GRPOTorchLearner

    return GRPOTorchLearner


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


# --------------------------------------------------------------------------------------- bad input


def test_registered_environments_by_either_name(tiny_model, build):
    for name in ("perl/Digits-v0", "perl_env:perl/Digits-v0"):
        config = tiny_config(tiny_model, env=name, questions_per_step=2)
        config.environment(env_config={"split": "train"})
        assert build(config).train()["env_runners"]["num_episodes"] == 16


def test_an_environment_registered_with_tune(tiny_model, build):
    from ray import tune

    tune.register_env("letters", lambda context: LetterEnv(context))
    config = tiny_config(tiny_model, env="letters").environment(env_config={"questions": 6})
    assert build(config)._schedule.num_questions == 6


def test_an_environment_without_questions_is_refused(tiny_model):
    with pytest.raises(InputError, match="environment without questions"):
        tiny_config(tiny_model, env="CartPole-v1").build_algo()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": "ppo"}, "loss"),
        ({"advantage_baseline": "questions"}, "'question'"),
        ({"order_schedule": "linear"}, "total_steps"),
        ({"order_probability": 1.5}, "order_probability"),
        ({"filter_groups": [0.9, 0.1]}, "filter_groups"),
        ({"questions_per_step": 0}, "questions_per_step"),
        ({"micro_batch_size": 2.5}, "micro_batch_size"),
        ({"orders_per_question": 1, "rollouts_per_order": 1}, "at least 2"),
    ],
)
def test_settings_that_cannot_work(tiny_model, change, message):
    with pytest.raises(InputError, match=message):
        tiny_config(tiny_model, **change).validate()


def test_unknown_settings_name_the_nearest():
    from agents import GRPOConfig

    with pytest.raises(InputError, match="'rollouts_per_order'"):
        GRPOConfig().training(rollouts_per_oder=3)
    with pytest.raises(InputError, match="'num_env_runners'"):
        GRPOConfig().env_runners(num_env_runner=3)
    with pytest.raises(InputError, match="'minibatches'"):
        GRPOConfig().training(minibatch_size=3)
    with pytest.raises(InputError, match="'kl_coefficient'"):
        GRPOConfig().update_from_dict({"kl_coef": 0.1})


def test_no_model_or_one_without_processor(tmp_path, tiny_model):
    from agents import GRPOConfig

    with pytest.raises(InputError, match="no model to train"):
        GRPOConfig().environment(LetterEnv).validate()
    with pytest.raises(InputError, match="no such model folder"):
        tiny_config(tmp_path / "nowhere").build_algo()
    (tmp_path / "bare").mkdir()
    for name in ("config.json", "model.safetensors", "generation_config.json"):
        (tmp_path / "bare" / name).write_bytes((tiny_model / name).read_bytes())
    with pytest.raises(InputError, match="processor"):
        tiny_config(tmp_path / "bare").build_algo()


def test_groups_are_small_to_send(tiny_model, build):
    """A group is sent with each of its pictures once, whatever the number of its rollouts."""
    import cloudpickle

    few, many = (
        played(build(tiny_config(tiny_model, rollouts_per_order=count)), 1)[0] for count in (2, 40)
    )
    pictures = sum(image.nbytes for image in few.orders[0].prompt.images)
    assert len(cloudpickle.dumps(few)) < pictures + 6000
    assert len(cloudpickle.dumps(many)) < len(cloudpickle.dumps(few)) + 76 * 500
