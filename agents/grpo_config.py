"""The configuration of GRPO over groups of orders."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from ray.rllib.algorithms.algorithm_config import AlgorithmConfig, NotProvided
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.utils.annotations import override
from ray.util.debug import log_once

from agents.advantages import BASELINES, Baseline
from agents.engines import KINDS, check_settings
from agents.group_filter import GroupFilter
from agents.importance_sampling import Level, check_setting
from agents.lora import LoraSettings
from agents.losses import LOSS_KINDS, LossKind
from agents.order_schedule import SCHEDULES, ScheduleKind, order_probability
from agents.setting_checks import check_environment, check_types, check_values
from perl_env.argument_checks import check_truth, check_whole
from perl_env.errors import InputError, nearest

#: Settings of ``AlgorithmConfig.training`` that mean something here.
_TRAINING_OF_RLLIB = ("lr", "grad_clip", "grad_clip_by", "learner_class")
#: Settings that RLlib itself passes to ``training`` when it rebuilds a configuration.
_PASSED_BY_RLLIB = ("model", "optimizer")
#: Keys of a configuration dictionary that RLlib and Tune handle though no attribute bears their name.
_SPECIAL_KEYS = frozenset({"multiagent", "__trial_info__", "num_workers"})


#: Methods of ``AlgorithmConfig`` whose settings reach RLlib as they are given.
_METHODS_OF_RLLIB = (
    "env_runners",
    "learners",
    "evaluation",
    "resources",
    "fault_tolerance",
    "reporting",
)

_DTYPES = ("float32", "bfloat16", "float16")


class GRPOConfig(AlgorithmConfig):
    """Configures ``GRPO``; the defaults are PeRL's run on a 7B model (arXiv 2506.14907, §5 and A.1).

    >>> config = (
    ...     GRPOConfig()
    ...     .environment("perl_env:perl/Shapes-v0", env_config={"split": "train"})
    ...     .pretrained("models/Qwen2.5-VL-7B-Instruct")
    ...     .training(lr=1e-6, orders_per_question=2, rollouts_per_order=6)
    ...     .env_runners(num_env_runners=0, max_new_tokens=64)
    ... )
    >>> config.group_size
    12
    """

    def __init__(self, algo_class: type | None = None):
        from agents.env_runner import GroupEnvRunner
        from agents.grpo import GRPO

        super().__init__(algo_class=algo_class or GRPO)
        self.orders_per_question = 2
        self.rollouts_per_order = 6
        self.questions_per_step = 128
        self.order_probability = 1.0
        self.order_schedule: ScheduleKind = "constant"
        self.total_steps: int | None = None
        self.advantage_baseline: Baseline = "question"
        self.scale_advantages = True
        self.leave_one_out = False
        self.overlong_buffer = 0
        self.loss: LossKind = "grpo"
        self.clip_low = 0.2
        self.clip_high = 0.2
        self.kl_coefficient = 0.01
        self.importance_sampling: Level | Literal[False] = "token"
        self.importance_sampling_cap = 2.0
        self.minibatches = 2
        self.epochs = 1
        self.micro_batch_tokens = 16_384
        self.weight_decay = 0.01
        self.filter_groups: bool | tuple[float, float] = False
        self.max_refill_rounds = 3
        self.async_steps = 0
        self.shard_weights = False

        self.temperature = 1.0
        self.max_new_tokens = 2048
        self.engine = "transformers"
        self.engine_settings: dict[str, Any] = {}
        self.preflight = True
        self.preflight_tolerance: float | None = None

        self.lr = 1e-6
        self.grad_clip = 1.0
        self.grad_clip_by = "global_norm"
        self.seed = 0
        self._model_config: dict[str, Any] = {}

        self.env_runner_cls = GroupEnvRunner
        self.num_env_runners = 1
        self.create_local_env_runner = False  # no copy of the model in the driver
        self.sample_timeout_s = None  # RLlib's minute would silently drop what a slow runner plays
        self.evaluation_sample_timeout_s = 3600.0
        self.delay_between_env_runner_restarts_s = 1.0
        # RLlib's own connectors cannot handle text and pictures of any size.
        self.episodes_to_numpy = False
        self.add_default_connectors_to_env_to_module_pipeline = False
        self.add_default_connectors_to_module_to_env_pipeline = False
        self.add_default_connectors_to_learner_pipeline = False
        self._dont_auto_sync_env_runner_states = True

    # -------------------------------------------------------------------------------- fluent

    def pretrained(
        self,
        path: str | Path,
        *,
        dtype: str = "float32",
        compute_dtype: str | None = None,
        attention: str = "sdpa",
        lora: Mapping[str, Any] | None = None,
        gradient_checkpointing: bool = False,
        max_pixels: int | None = None,
    ) -> GRPOConfig:
        """Which model is trained, and how; RLlib uses the name ``model`` for something else.

        Args:
            path: a Hugging Face folder with model and processor.
            dtype: of the learner's weights: a torch dtype's name, or "auto" as stored. In bfloat16
                an update of the size of the default learning rate is rounded away.
            compute_dtype: of forward and backward passes, where it is another: "bfloat16" beside
                float32 weights is mixed precision (arXiv 1710.03740).
            attention: the vision tower's attention implementation, by transformers' names.
            lora: train adapters instead of the weights: settings of ``agents.lora.LoraSettings``, such
                as ``{"rank": 16, "alpha": 32}``. The frozen weights may then be in bfloat16.
            gradient_checkpointing: compute activations twice instead of keeping them.
            max_pixels: larger pictures are scaled down (A.1: 262,144), by learner and engine alike.
        """
        settings = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        return self.rl_module(model_config={**self.model_config, **settings, "path": str(path)})

    @override(AlgorithmConfig)
    def environment(
        self, env: Any = NotProvided, *, env_config: Mapping[str, Any] = NotProvided, **kwargs: Any
    ) -> GRPOConfig:
        """Where questions come from.

        Args:
            env: a task's name, a name that Gymnasium or Tune knows, or a class.
            env_config: its arguments.
            kwargs: RLlib's other settings.

        Raises:
            InputError: arguments without names, or a setting that is unknown.
        """
        known = settings_of("environment")
        check_keys("environment", kwargs, known, known)
        if env_config is not NotProvided and not isinstance(env_config, Mapping):
            raise InputError("unusable value", where="environment, env_config",
                             expected="arguments by their names", got=repr(env_config))  # fmt: skip
        super().environment(env, env_config=env_config, **kwargs)
        return self

    @override(AlgorithmConfig)
    def learners(self, *, shard_weights: bool = NotProvided, **kwargs: Any) -> GRPOConfig:
        """How many learners there are, and what each holds.

        Args:
            shard_weights: each learner holds its share of weights, gradients and moments and gathers a
                layer when it computes it (FSDP2, arXiv 2304.11277); else each holds all of them.
            kwargs: RLlib's, such as ``num_learners`` and ``num_gpus_per_learner``.
        """
        known = settings_of("learners")
        check_keys("learners", kwargs, known, known)
        super().learners(**kwargs)
        return self._set({"shard_weights": shard_weights})

    @override(AlgorithmConfig)
    def training(
        self,
        *,
        orders_per_question: int = NotProvided,
        rollouts_per_order: int = NotProvided,
        questions_per_step: int = NotProvided,
        order_probability: float = NotProvided,
        order_schedule: ScheduleKind = NotProvided,
        total_steps: int = NotProvided,
        advantage_baseline: Baseline = NotProvided,
        scale_advantages: bool = NotProvided,
        leave_one_out: bool = NotProvided,
        overlong_buffer: int = NotProvided,
        loss: LossKind = NotProvided,
        clip_low: float = NotProvided,
        clip_high: float = NotProvided,
        kl_coefficient: float = NotProvided,
        importance_sampling: Level | Literal[False] = NotProvided,
        importance_sampling_cap: float = NotProvided,
        minibatches: int = NotProvided,
        epochs: int = NotProvided,
        micro_batch_tokens: int = NotProvided,
        weight_decay: float = NotProvided,
        filter_groups: bool | Iterable[float] = NotProvided,
        max_refill_rounds: int = NotProvided,
        async_steps: int = NotProvided,
        **kwargs: Any,
    ) -> GRPOConfig:
        """What is sampled and how it is learned from. Equations are PeRL's (arXiv 2506.14907).

        Args:
            orders_per_question: the paper's n_s + 1 (§5: n_s = 1): the canonical order and so many
                less one random ones.
            rollouts_per_order: the paper's n (§5: 6). A group has ``orders_per_question *
                rollouts_per_order`` rollouts also where a question has fewer legal orders.
            questions_per_step: groups a training step (A.1: 128).
            order_probability: the paper's alpha_0: probability that a question is asked in other
                orders; else all its rollouts are in canonical order. 0 is plain GRPO.
            order_schedule: the course of alpha_t: "constant", or the paper's "linear" decay to zero.
            total_steps: the length of that decay.
            advantage_baseline: "question" pools all orders (equations 4 and 5), "order" does not.
            scale_advantages: divide by the standard deviation (equation 5); not in Dr. GRPO.
            leave_one_out: compare each reply with the mean of the others (RLOO, arXiv 2402.14740).
            overlong_buffer: DAPO's soft punishment (arXiv 2503.14476, equation 13): a reply's reward
                falls over its last so many tokens before ``max_new_tokens``, by up to 1. 0 for none.
            loss: "grpo" (equation 6), "dr_grpo" (arXiv 2503.20783), "dapo" (arXiv 2503.14476, which
                PeRL's released code uses), "gspo" (arXiv 2507.18071; its clipping is two orders of
                magnitude tighter: 3e-4 and 4e-4 in the paper) or "cispo" (arXiv 2506.13585).
            clip_low: the ratio is clipped at one less this (released code: 0.2).
            clip_high: and at one plus this (0.2).
            kl_coefficient: weight of the k3 divergence from the model at the start (§5: 0.01). At 0
                no copy of it is held.
            importance_sampling: weigh the policy loss by how much likelier the learner finds a reply
                than the engine that drew it, on the same weights: each "token" for itself, the whole
                "sequence", or False (``agents.importance_sampling``). A step with several updates
                then begins with a pass over its replies; without, engine and learner are taken for
                equal.
            importance_sampling_cap: such a weight is at most this (2, as its authors').
            minibatches: optimizer updates an epoch (released code: 128 questions in 2); at most one a
                question.
            epochs: passes over a step's rollouts.
            micro_batch_tokens: tokens that pass through the model at once, each prompt counted once
                (``agents.collate.split_rows``); changes memory and speed, not the result. A single
                reply that has more passes alone.
            weight_decay: of AdamW (released code: 0.01).
            filter_groups: leave out groups whose rewards are all the same, or also those whose mean
                reward lies outside ``(low, high)``. (The paper filters before training, §3.)
            max_refill_rounds: how often a step asks fresh questions in place of those left out.
            async_steps: how many steps' rollouts may be sampled before they are learned from, while
                the learners work on earlier ones; they are then so many updates of weights old. 0
                samples with the newest weights.
            kwargs: ``lr`` (§5: 1e-6), ``grad_clip`` (1.0), ``grad_clip_by``, ``learner_class``.
        """
        own = {k: v for k, v in locals().items() if k not in ("self", "kwargs", "__class__")}
        allowed = (*_TRAINING_OF_RLLIB, *_PASSED_BY_RLLIB)
        check_keys("training", kwargs, allowed, settings_of("training"))
        super().training(**kwargs)
        return self._set(own)

    @override(AlgorithmConfig)
    def env_runners(
        self,
        *,
        temperature: float = NotProvided,
        max_new_tokens: int = NotProvided,
        engine: str = NotProvided,
        engine_settings: Mapping[str, Any] = NotProvided,
        preflight: bool = NotProvided,
        preflight_tolerance: float | None = NotProvided,
        **kwargs: Any,
    ) -> GRPOConfig:
        """How replies are sampled, and on how many processes.

        Args:
            temperature: of the sampler (released code: 1.0); the learner uses the same.
            max_new_tokens: a reply is cut there (A.1: 2048).
            engine: what generates, one of ``agents.engines.KINDS``.
            engine_settings: its own settings.
            preflight: compare engine and learner before the first update, and stop where they
                disagree (``agents.preflight``).
            preflight_tolerance: largest mean difference of their log-probabilities; by default 0.001
                where both compute in float32, else 0.05.
            kwargs: RLlib's, such as ``num_env_runners``; 0 plays in the driver.
        """
        own = {k: v for k, v in locals().items() if k not in ("self", "kwargs", "__class__")}
        known = settings_of("env_runners")
        check_keys("env_runners", kwargs, known, known)
        super().env_runners(**kwargs)
        return self._set(own)

    def _set(self, settings: Mapping[str, Any]) -> GRPOConfig:
        for name, value in settings.items():
            if value is not NotProvided:
                setattr(self, name, value)
        return self

    @override(AlgorithmConfig)
    def update_from_dict(self, config_dict: Mapping[str, Any]) -> GRPOConfig:
        """Take settings by their flat names, as Tune's parameter spaces give them.

        Raises:
            InputError: an unknown name.
        """
        known = {**vars(self), **self.to_dict()}  # the latter has some of RLlib's older names
        public = [
            key for key in config_dict if not key.startswith("_") and key not in _SPECIAL_KEYS
        ]
        names = [name for name in vars(self) if not name.startswith("_")]
        check_keys("config", [key for key in public if not hasattr(self, key)], known, names)
        return super().update_from_dict(config_dict)

    # ------------------------------------------------------------------------- what RLlib asks

    @property
    def model_path(self) -> str:
        """The model's folder.

        Raises:
            InputError: none was given.
        """
        path = self.model_config.get("path")
        if not path:
            raise InputError("no model to train", where="pretrained(path)",
                             expected="a Hugging Face folder", got="none")  # fmt: skip
        return str(path)

    @property
    def max_pixels(self) -> int | None:
        """Largest picture that the model is shown; as its processor says where it is None."""
        return self.model_config.get("max_pixels")

    @property
    def lora(self) -> LoraSettings | None:
        """The adapters that are trained; None where the weights are."""
        settings = self.model_config.get("lora")
        return None if settings is None else LoraSettings(**settings)

    @property
    def group_size(self) -> int:
        """Rollouts of one question."""
        return self.orders_per_question * self.rollouts_per_order

    @override(AlgorithmConfig)
    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """The module that is trained unless the user brings another."""
        from agents.rl_module import VisionLanguageModule

        return RLModuleSpec(module_class=VisionLanguageModule)

    @override(AlgorithmConfig)
    def get_default_learner_class(self) -> type:
        """The learner unless the user brings another."""
        from agents.learner import GRPOTorchLearner

        return GRPOTorchLearner

    @override(AlgorithmConfig)
    def validate(self) -> None:
        """Check everything that can be checked before models are loaded.

        Raises:
            InputError: a setting that cannot work.
        """
        self._check_each_setting()
        # Said once already, so that RLlib does not advise the old API stack, which cannot do this.
        log_once(f"{self.algo_class.__name__}_on_new_api_stack")
        super().validate()
        _one_of("loss", self.loss, LOSS_KINDS)
        _one_of("advantage_baseline", self.advantage_baseline, BASELINES)
        _one_of("order_schedule", self.order_schedule, SCHEDULES)
        _one_of("engine", self.engine, KINDS)
        check_settings(self.engine, self.engine_settings)
        if self.async_steps and not self.num_env_runners and not self.in_evaluation:
            raise InputError("nobody can sample while this process learns", where="async_steps",
                             expected="0, or num_env_runners of at least 1", got=self.async_steps)  # fmt: skip
        if self.minibatches > self.questions_per_step:
            raise InputError("more minibatches than groups", where="minibatches",
                             expected=f"at most questions_per_step, {self.questions_per_step}",
                             got=self.minibatches)  # fmt: skip
        if self.overlong_buffer > self.max_new_tokens:
            raise InputError("every reply would be overlong", where="overlong_buffer",
                             expected=f"at most max_new_tokens, {self.max_new_tokens}",
                             got=self.overlong_buffer)  # fmt: skip
        if self.order_probability > 1:
            raise InputError("not a probability", where="order_probability", expected="0 to 1",
                             got=self.order_probability)  # fmt: skip
        if self.group_size < 2:
            raise InputError("a group of one has nothing to be compared with",
                             where="orders_per_question * rollouts_per_order",
                             expected="at least 2", got=self.group_size)  # fmt: skip
        if not self.in_evaluation and self.temperature == 0:
            raise InputError("greedy replies are all the same", where="temperature",
                             expected="above 0", got=0)  # fmt: skip
        check_setting(self.importance_sampling, self.importance_sampling_cap)
        order_probability(self.order_schedule, self.order_probability, 0, self.total_steps)
        GroupFilter.from_setting(self.filter_groups)
        _ = self.model_path
        self._check_model_settings()

    def _check_each_setting(self) -> None:
        """Our own settings, and the types of RLlib's; before RLlib, whose complaints are long."""
        check_values(self)
        check_environment(self.env)
        ours = {name: value for name, value in vars(GRPOConfig()).items() if value is not None}
        defaults = {**vars(AlgorithmConfig()), **ours}
        methods = [getattr(AlgorithmConfig, name) for name in _METHODS_OF_RLLIB]
        names = {name for method in methods for name in _parameters(method)} & set(defaults)
        check_types({name: getattr(self, name) for name in sorted(names)}, defaults)

    def _check_model_settings(self) -> None:
        settings = self.model_config
        check_truth(settings.get("gradient_checkpointing", False), "gradient_checkpointing")
        _one_of("dtype", settings.get("dtype", "float32"), ("auto", *_DTYPES))
        if settings.get("compute_dtype") is not None:
            _one_of("compute_dtype", settings["compute_dtype"], _DTYPES)
        if settings.get("lora") is not None:
            if not isinstance(settings["lora"], Mapping):
                raise InputError("unusable value", where="lora", expected="settings by their names",
                                 got=repr(settings["lora"]))  # fmt: skip
            known = [field.name for field in dataclasses.fields(LoraSettings)]
            check_keys("lora", settings["lora"], known, known)
            if self.shard_weights:
                raise InputError("adapters are not split over learners", where="shard_weights",
                                 expected="false beside lora", got=True)  # fmt: skip
            _ = self.lora
        if self.max_pixels is not None:
            check_whole(self.max_pixels, "max_pixels", 1)
        if self.shard_weights and self.grad_clip and self.grad_clip_by != "global_norm":
            raise InputError("gradients in shares are clipped together", where="grad_clip_by",
                             expected="global_norm", got=self.grad_clip_by)  # fmt: skip


def check_keys(
    where: str, given: Iterable[str], allowed: Collection[str], known: Collection[str]
) -> None:
    """Raise an InputError for the first key that is not allowed, naming the nearest known one.

    >>> check_keys("training", ["clip_hi"], ["lr"], ["lr", "clip_low", "clip_high"])
    Traceback (most recent call last):
    perl_env.errors.InputError: unknown setting: training: expected 'clip_high' (the nearest), got 'clip_hi'
    """
    for key in given:
        if key not in allowed:
            expected = nearest(key, sorted(known))
            raise InputError("unknown setting", where=where, expected=expected, got=repr(key))


def settings_of(method: str) -> list[str]:
    """The settings that a method of the configuration takes, by name.

    >>> "clip_high" in settings_of("training"), "gamma" in settings_of("training")
    (True, False)
    """
    own = _parameters(getattr(GRPOConfig, method))
    if method == "training":
        return [*own, *_TRAINING_OF_RLLIB]
    return list(dict.fromkeys([*own, *_parameters(getattr(AlgorithmConfig, method))]))


def _parameters(method: Callable) -> list[str]:
    """RLlib gives its live settings this default, deprecated ones another."""
    parameters = inspect.signature(method).parameters.items()
    return [name for name, parameter in parameters if parameter.default is NotProvided]


def _one_of(name: str, value: Any, allowed: Collection[str]) -> None:
    if value not in allowed:
        raise InputError(
            "unknown value", where=name, expected=nearest(str(value), allowed), got=repr(value)
        )
