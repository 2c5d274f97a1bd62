"""The learner: exact gradients of whole-group updates, over micro batches and over learners."""

from __future__ import annotations

import copy
import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import tree
from ray.rllib.core import COMPONENT_RL_MODULE, DEFAULT_MODULE_ID
from ray.rllib.core.learner.learner import Learner
from ray.rllib.core.learner.torch.torch_learner import TorchLearner
from ray.rllib.utils.annotations import override
from ray.rllib.utils.metrics import (
    MODULE_TRAIN_BATCH_SIZE_MEAN,
    NUM_MODULE_STEPS_TRAINED,
    NUM_MODULE_STEPS_TRAINED_LIFETIME,
    WEIGHTS_SEQ_NO,
)

from agents.collate import LearnerBatch, Row, collate, rows_of, split_rows
from agents.drift import Drift
from agents.engines.base import Prompt
from agents.importance_sampling import policy_ratios
from agents.lora import has_adapters, merged_weights, without_adapters
from agents.losses import Totals, k3_divergence, policy_loss
from agents.precision import mixed_precision_logprobs
from agents.processing import PromptProcessor
from agents.rl_module import VisionLanguageModule
from agents.sharding import (
    full_optimizer_state,
    full_state,
    global_norm,
    load_full_optimizer_state,
    shard_model,
    whole_tensors,
)
from agents.shared_prefix import can_share
from agents.training_data import Group, GroupTrainingData


class GRPOTorchLearner(TorchLearner):
    """Learns from groups of replies.

    An optimizer update is the sum over its replies of loss terms whose weights hold the whole
    normalisation (``agents.losses``), so micro batches are accumulated and learners' gradients are
    summed; the result is the same to rounding for any number of either. For another loss override
    ``compute_loss_for_module``.
    """

    @override(Learner)
    def build(self) -> None:
        """Load model, processor and, where the loss asks for it, the frozen reference."""
        self._reference: torch.nn.Module | None = None
        self._gathered_optimizers: dict[str, Any] = {}
        super().build()
        self._processor = PromptProcessor(self.config.model_path, self.config.max_pixels)
        self._sums: dict[str, torch.Tensor] = {}
        self._drift = Drift()

    @override(TorchLearner)
    def _make_module(self) -> Any:
        """The model that learns and its reference, split over the learners where that is asked for."""
        module = super()._make_module()
        policy = module[DEFAULT_MODULE_ID].unwrapped()
        if self.config.kl_coefficient > 0 and not has_adapters(policy.model):
            # The module has been loaded just now: a checkpoint's weights come later, if at all.
            self._reference = copy.deepcopy(policy.model).requires_grad_(False)
            if policy.compute_dtype is not None:
                self._reference.to(policy.compute_dtype)
        if self._sharded:
            precision = policy.compute_dtype or torch.float32
            for model in (policy.model, self._reference):
                if model is not None:
                    shard_model(model, self._device, precision)
        return module

    @property
    def _policy(self) -> VisionLanguageModule:
        return self.module[DEFAULT_MODULE_ID].unwrapped()

    @property
    def _model(self) -> torch.nn.Module:
        """The Hugging Face model that learns."""
        return self._policy.model

    @property
    def _sharded(self) -> bool:
        """Whether each learner holds a share of the model."""
        return self.config.shard_weights and self.distributed

    @override(Learner)
    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """AdamW over the parameters that are not frozen."""
        parameters = [p for p in self.module[module_id].parameters() if p.requires_grad]
        self.register_optimizer(
            module_id=module_id,
            optimizer=torch.optim.AdamW(
                parameters, betas=(0.9, 0.95), weight_decay=config.weight_decay
            ),
            params=parameters,
            lr_or_lr_schedule=config.lr,
        )

    # ------------------------------------------------------------------------------- update

    @override(Learner)
    def update(
        self,
        *,
        training_data: GroupTrainingData,
        timesteps: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """One optimizer update a minibatch, for each epoch; the metrics of all of them.

        All learners have the same number of minibatches, though some may be empty.
        """
        self._check_is_built()
        self.before_gradient_based_update(timesteps=timesteps or {})
        self._weights_seq_no += 1
        old = self._old_logprobs(training_data.minibatches)
        for epoch in range(self.config.epochs):
            for number, groups in enumerate(training_data.minibatches):
                self._update_once(groups, on_policy=epoch == number == 0, old=old[number])
        self.after_gradient_based_update(timesteps=timesteps or {})
        return self.metrics.reduce()

    def _old_logprobs(
        self, minibatches: Sequence[Sequence[Group]]
    ) -> list[list[torch.Tensor] | None]:
        """By the weights that drew the replies, for each micro batch of each minibatch.

        None where the only update's own pass gives them, or where nothing asks for them.
        """
        if self.config.importance_sampling is False or self.config.epochs * len(minibatches) == 1:
            return [None] * len(minibatches)
        old: list[list[torch.Tensor] | None] = []
        for groups in minibatches:
            batches = self._batches(groups, self._totals(groups), reference=False)
            out = (self.module.forward_inference({DEFAULT_MODULE_ID: batch}) for batch in batches)
            old.append([each[DEFAULT_MODULE_ID]["logprobs"] for each in out])
        return old

    def _update_once(
        self, groups: Sequence[Group], on_policy: bool, old: list[torch.Tensor] | None
    ) -> None:
        self._sums, self._drift = defaultdict(self._zero), Drift(self._device)
        totals = self._totals(groups)
        for optimizer in self._optimizer_parameters:
            optimizer.zero_grad(set_to_none=True)
        for number, batch in enumerate(self._batches(groups, totals)):
            if old is not None:  # the micro batches are the same whenever they are made
                batch = dataclasses.replace(batch, recomputed_logprobs=old[number])
            batches = {DEFAULT_MODULE_ID: batch}
            out = self.module.forward_train(batches)
            if batch.idle:
                (0.0 * out[DEFAULT_MODULE_ID]["logprobs"].sum()).backward()
                continue
            losses = self.compute_losses(fwd_out=out, batch=batches)
            sum(losses.values()).backward()
        if self.distributed and not self._sharded:
            self._sum_gradients()
        gradients = {ref: p.grad for ref, p in self._params.items() if p.grad is not None}
        norm = global_norm(gradients.values())
        self.apply_gradients(self._clipped(gradients, norm))
        self._log(totals, len(groups), norm, on_policy)

    def _batches(self, groups: Sequence[Group], totals: Totals, reference: bool = True):
        """This learner's share of an update, a micro batch at a time."""
        prompts = [order.prompt for group in groups for order in group.orders]
        rows = rows_of(
            groups,
            self._processor.encode_many(prompts),
            totals,
            self.config.loss,
            self.config.max_new_tokens,
        )
        parts = split_rows(rows, self.config.micro_batch_tokens, can_share(self._model))
        idle = self._most(len(parts)) - len(parts) if self._sharded else 0
        for number, part in enumerate(parts + [[self._idle_row()]] * idle):
            batch = collate(part, self._processor, self.config.temperature, self._device)
            batch = dataclasses.replace(batch, idle=number >= len(parts))
            if self.config.kl_coefficient > 0 and reference:
                batch = dataclasses.replace(batch, reference_logprobs=self._by_reference(batch))
            yield batch

    def _by_reference(self, batch: LearnerBatch) -> torch.Tensor:
        """Log-probabilities [B, T] under the frozen reference."""
        precision = self._policy.compute_dtype
        with torch.no_grad():
            if self._reference is not None:
                found = mixed_precision_logprobs(self._reference, batch.replies, precision)
            else:  # the model without its adapters is what it was
                with without_adapters(self._model):
                    found = mixed_precision_logprobs(self._model, batch.replies, precision)
        return found["logprobs"]

    def _most(self, count: int) -> int:
        """The largest of all learners' counts."""
        (most,) = self._reduced([torch.tensor(float(count))], dist.ReduceOp.MAX)
        return int(most)

    def _idle_row(self) -> Row:
        """What a learner computes while the others still have rows: all gather the model together."""
        picture = np.zeros((56, 56, 3), dtype=np.uint8)
        prompt = self._processor.encode(Prompt((picture,), ""))
        reply = np.array([self._processor.pad_token_id])
        return Row(prompt, reply, np.zeros(1, dtype=np.float32), 0.0, 0.0)

    @override(TorchLearner)
    def compute_loss_for_module(
        self, *, module_id: str, config: Any, batch: LearnerBatch, fwd_out: dict[str, torch.Tensor]
    ) -> torch.Tensor:
        """This micro batch's part of the update's loss."""
        mask, logprobs = batch.replies.reply_mask, fwd_out["logprobs"] * batch.replies.reply_mask
        level, cap = config.importance_sampling, config.importance_sampling_cap
        sampler = batch.sampler_logprobs
        ratios = policy_ratios(logprobs, batch.recomputed_logprobs, sampler, mask, level, cap)
        policy = policy_loss(
            config.loss, logprobs, ratios.old_logprobs, batch.advantages, mask,
            config.clip_low, config.clip_high,
        )  # fmt: skip
        from_policy = policy.loss * ratios.weights
        per_token = from_policy
        if batch.reference_logprobs is not None:
            divergence = k3_divergence(logprobs, batch.reference_logprobs * mask)
            per_token = per_token + config.kl_coefficient * divergence
            self._add("kl_to_reference", divergence * mask)
        loss = (per_token * batch.weights).sum()
        self._add("loss", per_token * batch.weights)
        self._add("policy_loss", from_policy * batch.weights)
        self._add("entropy", fwd_out["entropy"] * mask)
        self._add("importance_ratio", policy.ratio * mask)
        self._add("clip_fraction_low", policy.clipped_low * mask)
        self._add("clip_fraction_high", policy.clipped_high * mask)
        old = logprobs if level is False else ratios.old_logprobs
        self._drift.add(old, sampler, mask, batch.image_counts, cap)
        return loss

    # ------------------------------------------------------------------- across the learners

    @override(TorchLearner)
    def _make_modules_ddp_if_necessary(self) -> None:
        """No DDP wrapper: gradients are summed once an update, whatever the micro batches were."""
        if self.distributed and not self._sharded:
            for module in self.module.values():
                for tensor in (*module.parameters(), *module.buffers()):
                    dist.broadcast(tensor.detach(), src=0)

    def _totals(self, groups: Sequence[Group]) -> Totals:
        counts = (
            len(groups),
            sum(g.num_replies for g in groups),
            sum(g.num_tokens for g in groups),
        )
        return Totals(*self._reduced([torch.tensor(float(count)) for count in counts]))

    def _sum_gradients(self) -> None:
        parameters = list(self._params.values())
        for parameter in parameters:
            if parameter.grad is None:  # no reply of this learner's needed it, or it had no group
                parameter.grad = torch.zeros_like(parameter)
        flat = torch.cat([parameter.grad.flatten() for parameter in parameters])
        dist.all_reduce(flat)
        offset = 0
        for parameter in parameters:
            count = parameter.numel()
            parameter.grad.copy_(flat[offset : offset + count].view_as(parameter))
            offset += count

    def _clipped(self, gradients: dict, norm: torch.Tensor) -> dict:
        """Gradients clipped as the configuration says; RLlib's own way knows no split ones."""
        if not self._sharded:
            return self.postprocess_gradients(gradients)
        if self.config.grad_clip is not None:
            share = (self.config.grad_clip / (norm + 1e-6)).clamp(max=1.0)
            for gradient in gradients.values():
                gradient.mul_(share)
        return gradients

    def _reduced(self, values: Sequence[torch.Tensor], op: Any = None) -> list[float]:
        """Scalars summed, or as ``op`` says, over all learners."""
        if not values:
            return []
        stacked = torch.stack([v.double() for v in values]).to(self._device)
        if self.distributed:
            dist.all_reduce(stacked, op=op or dist.ReduceOp.SUM)
        return stacked.tolist()

    # ------------------------------------------------------------------------------ metrics

    def _zero(self) -> torch.Tensor:
        return torch.zeros((), dtype=torch.float64, device=self._device)

    def _add(self, name: str, per_token: torch.Tensor) -> None:
        self._sums[name] = self._sums[name] + per_token.detach().sum().double()

    #: Sums that are figures themselves; all others are divided by the number of tokens.
    _ALREADY_WEIGHTED = frozenset({"loss", "policy_loss"})
    #: Sums in the sequence in which all learners reduce them, those without data included.
    _SUMMED = (
        "loss", "policy_loss", "entropy", "importance_ratio", "clip_fraction_low",
        "clip_fraction_high", "kl_to_reference",
    )  # fmt: skip

    def _log(self, totals: Totals, groups_here: int, norm: torch.Tensor, on_policy: bool) -> None:
        """Log one update's figures, the same on every learner."""
        figures = dict(
            zip(self._SUMMED, self._reduced([self._sums[n] for n in self._SUMMED]), strict=True)
        )
        figures = {
            name: value if name in self._ALREADY_WEIGHTED else value / totals.tokens
            for name, value in figures.items()
        }
        if not self.config.kl_coefficient:
            del figures["kl_to_reference"]
        if self.distributed:
            dist.all_reduce(self._drift.sums)
            dist.all_reduce(self._drift.maxima, op=dist.ReduceOp.MAX)
        # Without old log-probabilities only the first update compares two programs on one policy.
        if on_policy or self.config.importance_sampling is not False:
            figures |= self._drift.figures()
            self._log_by_images(self._drift.figures_by_images())
        figures |= {
            "grad_norm": float(norm),
            "tokens": totals.tokens,
            "prompts_shared": float(can_share(self._model)),
        }
        for name, value in figures.items():
            reduce = "max" if name.endswith("_max") else "mean"
            self.metrics.log_value((DEFAULT_MODULE_ID, name), value, reduce=reduce)
        log, here = self.metrics.log_value, groups_here
        log((DEFAULT_MODULE_ID, NUM_MODULE_STEPS_TRAINED), here, reduce="sum")
        log((DEFAULT_MODULE_ID, NUM_MODULE_STEPS_TRAINED_LIFETIME), here, reduce="lifetime_sum")
        log((DEFAULT_MODULE_ID, MODULE_TRAIN_BATCH_SIZE_MEAN), totals.replies, reduce="mean")

    def _log_by_images(self, figures: Mapping[str, Mapping[int, float]]) -> None:
        for name, by_count in figures.items():
            for count, value in by_count.items():
                reduce = "max" if name.endswith("_max") else "mean"
                key = (DEFAULT_MODULE_ID, f"{name}_by_images", str(count))
                self.metrics.log_value(key, value, reduce=reduce)

    # -------------------------------------------------------------------------------- state

    @override(Learner)
    def set_state(self, state: dict[str, Any]) -> None:
        """Take a state, also one that is older than this learner's (RLlib would skip its weights)."""
        if COMPONENT_RL_MODULE in state and state.get(WEIGHTS_SEQ_NO, 0) > 0:
            self._weights_seq_no = -1
        super().set_state(state)

    def gather_state(self) -> None:
        """Gather what is split over the learners on the first of them, to be read. Collective."""
        if not self._sharded:
            return
        first = dist.get_rank() == 0
        self._policy.gathered = full_state(self._policy.trained_tensors, first)
        self._gathered_optimizers = {
            name: full_optimizer_state(optimizer, first)
            for name, optimizer in self._named_optimizers.items()
        }

    def drop_gathered_state(self) -> None:
        """Free what was gathered."""
        self._policy.gathered = None
        self._gathered_optimizers = {}

    def weights_to_send(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Names and whole tensors of what is trained, one by one. Collective where they are split."""
        return whole_tensors(self._policy.trained_tensors)

    @override(TorchLearner)
    def _get_optimizer_state(self) -> dict[str, Any]:
        """As tensors: RLlib's way through numpy has no bfloat16."""
        states = self._gathered_optimizers or {
            name: tree.map_structure(_on_host, optimizer.state_dict())
            for name, optimizer in self._named_optimizers.items()
        }
        return {
            name: {"module_id": self._optimizer_name_to_module[name], "state": state}
            for name, state in states.items()
        }

    @override(TorchLearner)
    def _set_optimizer_state(self, state: dict[str, Any]) -> None:
        for name, saved in state.items():
            load_full_optimizer_state(self._named_optimizers[name], saved["state"])

    def export(self, path: str | Path) -> None:
        """Write model and processor as a plain Hugging Face folder, adapters merged. Collective."""
        weights = self._whole_weights()
        if not self._sharded or dist.get_rank() == 0:
            self._model.save_pretrained(str(path), state_dict=weights)
            self._processor.save(path)

    def _whole_weights(self) -> dict[str, torch.Tensor] | None:
        if has_adapters(self._model):
            return merged_weights(self._model)
        return dict(whole_tensors(self._model.state_dict())) if self._sharded else None


def _on_host(value: Any) -> Any:
    return value.detach().to("cpu", copy=True) if isinstance(value, torch.Tensor) else value
