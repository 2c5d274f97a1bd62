"""From raw questions to training data: rule filter, rephrasing, rollout filter, order labels.

The paper's pipeline (arXiv 2506.14907, section 4), each stage a file, driven by ``pipeline.prepare``.
"""

from perl_env.curation.asking import Ask, Model, Sampling
from perl_env.curation.pipeline import Report, prepare
from perl_env.curation.settings import ModelSettings, Settings, settings_from_dict

__all__ = ["Ask", "Model", "ModelSettings", "Report", "Sampling", "Settings", "prepare", "settings_from_dict"]  # fmt: skip
