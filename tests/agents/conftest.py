"""What tests of the agents share: a task that is learned in seconds."""

from __future__ import annotations

import os

import gymnasium
import numpy as np
import pytest

from perl_env.env import QuestionEnv
from perl_env.question import Question
from perl_env.questions import QuestionList


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Tiny tensors gain nothing from a second thread, and lose much where cores are shared."""
    import torch

    torch.set_num_threads(1)


def make_questions(count: int = 24, seed: int = 0) -> list[Question]:
    """Questions of several order classes: three pictures, two, and a single one."""
    rng = np.random.default_rng(seed)
    questions = []
    for index in range(count):
        shown = (3, 2, 1)[index % 3]
        questions.append(
            Question(
                images=tuple(
                    rng.integers(0, 256, (28, 28, 3), dtype=np.uint8) for _ in range(shown)
                ),
                text=f"image {index}?",
                answer=str(index % 2),
                order_class="single" if shown == 1 else "invariant",
                key=str(index),
            )
        )
    return questions


class LetterEnv(QuestionEnv):
    """Rewards each reply by its share of small "e": a random model learns that within seconds."""

    def __init__(self, config=None, questions: int = 24, reward: str = "letter"):
        settings = dict(config or {})
        self.reward = settings.get("reward", reward)
        source = QuestionList(make_questions(settings.get("questions", questions)))
        super().__init__(source, instruction="")

    def step(self, action):
        observation, _, terminated, truncated, info = super().step(action)
        share = action.count("e") / max(1, len(action)) if self.reward == "letter" else 1.0
        return observation, share, terminated, truncated, info | {"correct": share > 0}


class FlakyEnv(LetterEnv):
    """Its process dies once, at a question of one's choice."""

    def __init__(self, config=None):
        super().__init__(config)
        self.die_at, self.marker = config["die_at"], config["marker"]

    def reset(self, *, seed=None, options=None):
        if (options or {}).get("index") == self.die_at and not os.path.exists(self.marker):
            with open(self.marker, "x", encoding="utf-8"):
                os._exit(1)
        return super().reset(seed=seed, options=options)


def tiny_config(model, env: type[gymnasium.Env] = LetterEnv, **training):
    """A run that takes a tenth of a second a step."""
    from agents import GRPOConfig

    settings = {
        "lr": 3e-3,
        "orders_per_question": 2,
        "rollouts_per_order": 4,
        "questions_per_step": 6,
        "minibatches": 1,
        "micro_batch_tokens": 4096,
        "kl_coefficient": 0.0,
    }
    return (
        GRPOConfig()
        .environment(env)
        .pretrained(model, dtype="float32")
        .training(**{**settings, **training})
        .env_runners(num_env_runners=0, max_new_tokens=4, preflight=False)
        .learners(num_learners=0)
        .fault_tolerance(delay_between_env_runner_restarts_s=0.0)
        .debugging(seed=0, log_level="ERROR")
    )


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


def assert_same_updates(algorithm, other, groups):
    """Both learn the same from groups; a part of them is learnt last, and leaves some learners idle."""
    from agents.training_data import GroupTrainingData

    for minibatches in ([groups[:5], groups[5:]], [groups[:1]]):
        figures = [
            each.learner_group.update(
                training_data=GroupTrainingData(minibatches=minibatches), timesteps={}
            )[0]["default_policy"]
            for each in (algorithm, other)
        ]
        for name in ("loss", "grad_norm", "entropy", "kl_to_reference", "tokens"):
            first, second = (figure[name].peek() for figure in figures)
            assert np.isclose(first, second, rtol=1e-3, atol=1e-5), name
