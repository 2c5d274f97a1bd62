"""A trained model as a plain Hugging Face folder."""

from __future__ import annotations

from pathlib import Path

from agents.grpo import GRPO


def export_model(algorithm: GRPO, path: str | Path) -> Path:
    """Write the model that an algorithm is training, with its processor, into a folder.

    The first learner writes it: with learners on other machines the path has to be one that they
    share with the caller.

    Args:
        algorithm: built, not stopped.
        path: of the folder; made if need be.

    Returns:
        The folder, absolute.
    """
    path = Path(path).absolute()
    group = algorithm.learner_group
    if group.is_local:
        group._learner.export(path)
        return path
    everyone = group._worker_manager.actor_ids()
    givers = everyone if algorithm.config.shard_weights else everyone[:1]
    for answer in group.foreach_learner(
        lambda learner: learner.export(path), remote_actor_ids=givers
    ):
        answer.get()
    return path
