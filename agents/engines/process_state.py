"""What an engine that starts inside a process of ours must leave there as it was."""

from __future__ import annotations

import os
import random
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def unchanged_process(environment: Mapping[str, str]) -> Iterator[None]:
    """Keep a library's start-up from changing random streams and thread settings of its host.

    vLLM seeds all global generators; its CPU build takes ``torch.set_num_threads`` away. What a
    start-up warns of that is to change in the library itself is nothing that its user can mend.

    Args:
        environment: variables that are set where the user has not set them, and stay set: a worker
            that is started later reads them, too.
    """
    for name, value in environment.items():
        os.environ.setdefault(name, value)
    python, numpy, torch_state = random.getstate(), np.random.get_state(), torch.get_rng_state()
    threads, set_num_threads = torch.get_num_threads(), torch.set_num_threads
    try:
        with warnings.catch_warnings():
            for category in (FutureWarning, DeprecationWarning):
                warnings.simplefilter("ignore", category)
            yield
    finally:
        torch.set_num_threads = set_num_threads
        torch.set_num_threads(threads)
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(torch_state)
