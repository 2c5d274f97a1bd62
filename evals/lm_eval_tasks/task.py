"""The one class behind all our tasks of lm-eval: a document is a question, asked in several orders."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask
from PIL import Image

from evals.lm_eval_tasks.documents import Document, Documents
from evals.lm_eval_tasks.prompt import (
    check_fits,
    hide_placeholders,
    model_of,
    placed_prompt,
    show_placeholders,
)
from evals.lm_eval_tasks.scores import document_metrics
from evals.lm_eval_tasks.settings import Settings, load_documents
from perl_env.errors import InputError

log = logging.getLogger(__name__)


class PermutedQuestions(ConfigurableTask):
    """A task of lm-eval over a registered task of ours, named by ``dataset_path`` in its YAML.

    Each document gives one request for every order and repeat, and its metrics are computed from all
    replies together. So ``--limit`` counts questions and standard errors are clustered by question.
    """

    MULTIMODAL = True
    task_docs: Documents

    def __init__(self, config: Mapping[str, Any]):
        config = {name: value for name, value in config.items() if name != "class"}
        self.settings = Settings.of(config.get("metadata") or {})
        super().__init__(config=config)

    def download(self, dataset_kwargs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Load the questions; nothing is fetched where the data lie on this machine."""
        name, task = str(self.config.task), str(self.config.dataset_path)
        source = load_documents(name, task, self.settings, dataset_kwargs or {})
        left_out = (*getattr(source, "excluded", ()), *getattr(source, "malformed", ()))
        if left_out:
            log.warning("%s: %d rows of the data are no questions, such as: %s",
                        name, len(left_out), left_out[0].reason)  # fmt: skip
        found = asdict(self.settings) | {"rows_left_out": len(left_out)}
        self.config.metadata = (self.config.metadata or {}) | found  # written into the results
        self.documents = Documents(source, self.settings)

    def test_docs(self) -> Documents:
        """The documents, one a question."""
        return self.documents

    def build_all_requests(self, *, cache_requests: bool = False, **kwargs: Any) -> None:
        """Build the requests.

        Raises:
            InputError: with ``cache_requests``, since lm-eval would take those of other settings.
        """
        if cache_requests:
            raise InputError("requests of other settings may be cached", where=str(self.config.task),
                             expected="no --cache_requests", got="--cache_requests")  # fmt: skip
        super().build_all_requests(**kwargs)

    def fewshot_context(
        self,
        doc: Document,
        num_fewshot: int = 0,
        system_instruction: str | None = None,
        apply_chat_template: bool = False,
        fewshot_as_multiturn: bool = False,
        chat_template: Callable[..., str] | None = None,
        gen_prefix: str | None = None,
    ) -> list[str]:
        """The rendered prompt of each order.

        Raises:
            InputError: examples are asked for, or lm-eval's model would not show what is asked.
        """
        name = str(self.config.task)
        if num_fewshot:
            raise InputError("examples with pictures", where=name, expected="--num_fewshot 0", got=num_fewshot)  # fmt: skip
        model = model_of(chat_template if apply_chat_template else None, name)
        max_gen_toks = int(self.config.generation_kwargs.get("max_gen_toks", 0))
        contexts = []
        for question in self.documents.asked(doc["index"]).in_orders:
            check_fits(
                model, len(question.images), max_gen_toks, f"{name}, question {doc['key']!r}"
            )
            prompt = placed_prompt(model, len(question.images), self.documents.text(question))
            rendered = super().fewshot_context(
                doc | {"prompt": prompt},
                num_fewshot=0,
                system_instruction=system_instruction and hide_placeholders(system_instruction),
                apply_chat_template=True,
                fewshot_as_multiturn=fewshot_as_multiturn,
                chat_template=chat_template,
                gen_prefix=gen_prefix,
            )
            contexts.append(show_placeholders(rendered))
        return contexts

    def construct_requests(
        self, doc: Document, ctx: Sequence[str], **kwargs: Any
    ) -> list[Instance]:
        """One request for each order and repeat; an excluded question is asked once, for one token.

        lm-eval wants a request of every document. The reply to an excluded question is not looked at.
        """
        asked = self.documents.asked(doc["index"])
        canonical = [Image.fromarray(picture) for picture in asked.in_orders[0].images]
        generation = self._generation() | ({"max_gen_toks": 1} if asked.excluded else {})
        metadata = (*kwargs["metadata"][:2], 1)  # our repeats are requests of their own
        return [
            Instance(
                request_type="generate_until",
                doc=doc,
                # The repeat is there for lm-eval's cache of replies, which would else answer all alike.
                arguments=(context, deepcopy(generation),
                           {"visual": [canonical[slot] for slot in question.order], "repeat": repeat}),
                idx=place * self._repeats(asked.excluded) + repeat,
                metadata=metadata,
            )
            for place, (question, context) in enumerate(zip(asked.in_orders, ctx, strict=True))
            for repeat in range(self._repeats(asked.excluded))
        ]  # fmt: skip

    def process_results(self, doc: Document, results: Sequence[str]) -> dict[str, float]:
        """The metrics of a document, of those in the task's list."""
        values = document_metrics(
            self.documents.asked(doc["index"]),
            results,
            self.settings.repeats,
            str(self.config.task),
        )
        return {name: value for name, value in values.items() if name in self._metric_fn_list}

    def _repeats(self, excluded: str) -> int:
        return 1 if excluded else self.settings.repeats

    def _generation(self) -> dict[str, Any]:
        """How replies are drawn: a temperature above 0 draws from the model's whole distribution.

        Else transformers would decode greedily without ``do_sample``, and take the narrower
        distribution that a model's folder may ask for.
        """
        generation = dict(self.config.generation_kwargs)
        if float(generation.get("temperature", 0)) > 0:
            return {"do_sample": True, "top_p": 1.0, "top_k": 0} | generation
        return {"do_sample": False} | generation
