"""Replies from any server that speaks OpenAI's chat protocol; no weights in."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from agents.engines.background_loop import BackgroundLoop
from agents.engines.base import REFUSED, FinishReason, Prompt, Reply, SamplingParams, reply_counts
from agents.engines.chat_client import KEY_VARIABLE, ChatClient, Endpoint, RefusedError
from agents.engines.http_retry import RetryPolicy
from agents.engines.partial import PartialRepliesError
from agents.engines.picture_urls import PictureUrls
from agents.processing import chat_content, without_tokens
from perl_env.errors import InputError

_SEED_BITS = 31  # some servers keep a seed in a signed 32-bit number


@dataclass(frozen=True)
class _Wanted:
    """A prompt and the replies that it wants.

    Attributes:
        number: of the prompt.
        prompt: what is asked.
        count: how many replies.
        may_be_refused: its refusal is an answer too, and keeps nobody from asking the others.
    """

    number: int
    prompt: Prompt
    count: int
    may_be_refused: bool


@dataclass(frozen=True)
class _Habits:
    """What a server turned out to take.

    Attributes:
        several: whether one request may want several replies.
        length_name: how it names the bound of a reply's length.
    """

    several: bool = True
    length_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"


class OpenAIEngine:
    """Asks a model behind an OpenAI-compatible address.

    A prompt looks as it does to the other engines: pictures first, numbered where there are several,
    each as a PNG in its own part. Replies come without token ids; log-probabilities are kept where the
    server sends them. What a server answered is never lost when another request fails: see ``stream``
    and ``PartialRepliesError``.

    Args:
        client: what sends the requests.
        model: the model's name at the endpoint; where the endpoint serves one alone it need not be
            said.
        logprobs: ask for log-probabilities, which some servers refuse to give.

    Raises:
        InputError: no model is named and the endpoint serves several, or it has none of this name.
    """

    name = "openai"

    def __init__(
        self, make_client: Callable[[], ChatClient], model: str = "", logprobs: bool = False
    ):
        self.logprobs = logprobs
        self.pictures = PictureUrls()
        self._habits = _Habits()
        self._loop = BackgroundLoop()
        self._client = _made(make_client, self._loop)
        try:
            self.model = model or self._only_model()
        except BaseException:
            self.close()
            raise

    @classmethod
    def at(
        cls,
        path: str,
        model: str = "",
        concurrency: int = 8,
        timeout: float = 600.0,
        requests_per_minute: float | None = None,
        max_retries: int = 8,
        key_variable: str = KEY_VARIABLE,
        logprobs: bool = False,
    ) -> OpenAIEngine:
        """An engine for the address ``path``; what follows its ``#`` names the model.

        Args:
            path: such as "http://localhost:8000/v1#Qwen2.5-VL-7B-Instruct".
            model: the model's name, where the address does not say it.
            concurrency: at most so many requests are under way.
            timeout: seconds that one attempt may take.
            requests_per_minute: at most so many are begun.
            max_retries: how often a request is repeated that failed in passing.
            key_variable: the environment variable that holds the key.
            logprobs: ask for log-probabilities.
        """
        url, _, named = str(path).partition("#")
        endpoint = Endpoint(url, key_variable, timeout, concurrency, requests_per_minute)
        retry = RetryPolicy(max_retries)
        return cls(lambda: ChatClient(endpoint, retry), model or named, logprobs)

    def __repr__(self) -> str:
        return f"<OpenAIEngine {self.model} at {self._client.endpoint.url}>"

    def generate(
        self,
        prompts: Sequence[Prompt],
        replies_per_prompt: int | Sequence[int] = 1,
        sampling: SamplingParams = SamplingParams(),  # noqa: B008 - frozen
    ) -> list[list[Reply]]:
        """For each prompt its replies.

        Raises:
            InputError: the endpoint refuses a request, and nothing was answered before.
            PartialRepliesError: some prompts were answered, then one was refused or could not be
                asked. Raised from what went wrong.
            agents.engines.chat_client.EndpointError: nothing was answered.
        """
        counts = reply_counts(replies_per_prompt, len(prompts))
        replies: list[list[Reply]] = [[] for _ in prompts]
        try:
            for number, found in self.stream(prompts, counts, sampling):
                replies[number] += found
        except Exception as error:
            whole = [
                found if len(found) == n else None for found, n in zip(replies, counts, strict=True)
            ]
            if not any(whole):
                raise
            raise PartialRepliesError(str(error), whole) from error
        return replies

    def answer(
        self,
        calls: Sequence[Sequence[Prompt]],
        counts: Sequence[Sequence[int]],
        sampling: SamplingParams,
    ) -> Iterator[tuple[int, list[list[Reply] | None]]]:
        """Several calls at once: a call's number with the replies of one of its prompts, as they come.

        The others are ``None`` in their places. No call waits for the last reply of the one before. A
        request that is refused for what it holds does not keep the others from being asked: its
        replies have the finish reason ``REFUSED``.

        Raises:
            InputError: the endpoint refuses a request for another reason.
            agents.engines.chat_client.EndpointError: a request failed at every attempt.
        """
        places = [(call, at) for call, wanted in enumerate(counts) for at in range(len(wanted))]
        prompts = (prompt for number in range(len(calls)) for prompt in calls[number])
        flat = [count for wanted in counts for count in wanted]
        replies: dict[int, list[Reply]] = {}
        for number, found in self._stream(prompts, flat, sampling, may_be_refused=True):
            replies.setdefault(number, []).extend(found)
            if len(replies[number]) == flat[number]:
                call, at = places[number]
                row: list[list[Reply] | None] = [None] * len(counts[call])
                row[at] = replies.pop(number)
                yield call, row

    def stream(
        self, prompts: Iterable[Prompt], counts: Iterable[int], sampling: SamplingParams
    ) -> Iterator[tuple[int, list[Reply]]]:
        """The number of a prompt and some of its replies, one answer of the server after the other.

        Prompts are taken as they are wanted. When a request fails for good, no other is begun, those
        under way are waited for, and what they bring still comes before the exception.

        Args:
            prompts: what is asked; gone through in another thread.
            counts: how many replies each one gets; as many as there are prompts.
            sampling: how they are drawn.

        Raises:
            InputError: the endpoint refuses a request.
            agents.engines.chat_client.EndpointError: a request failed at every attempt.
        """
        return self._stream(prompts, counts, sampling, may_be_refused=False)

    def _stream(
        self,
        prompts: Iterable[Prompt],
        counts: Iterable[int],
        sampling: SamplingParams,
        may_be_refused: bool,
    ) -> Iterator[tuple[int, list[Reply]]]:
        wanted = (
            _Wanted(number, prompt, count, may_be_refused)
            for number, (prompt, count) in enumerate(zip(prompts, counts, strict=True))
            if count
        )
        return self._loop.iterate(lambda emit: self._ask_all(wanted, sampling, emit))

    def set_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Refuse: a model behind an address cannot be given weights.

        Raises:
            InputError: always.
        """
        raise InputError("engine takes no weights", where="set_weights",
                         expected="a model in a folder", got=f"one behind {self._client.endpoint.url}")  # fmt: skip

    def close(self) -> None:
        """Close the connections."""
        self._loop.call(self._client.close())
        self._loop.close()

    def _only_model(self) -> str:
        names = self._loop.call(self._client.models(asyncio.Event()))
        if len(names) != 1:
            raise InputError("no model named", where="model", expected=f"one of {', '.join(names)}",
                             got="nothing")  # fmt: skip
        return names[0]

    async def _ask_all(
        self,
        wanted: Iterator[_Wanted],
        sampling: SamplingParams,
        emit: Callable[[tuple[int, list[Reply]]], None],
    ) -> None:
        stop = asyncio.Event()
        failures: list[Exception] = []

        async def work() -> None:
            try:
                for one in wanted:  # shared: whoever is free takes the next
                    await self._ask(one, sampling, emit, stop)
                    if stop.is_set():
                        return
            except Exception as error:
                failures.append(error)
                stop.set()

        await asyncio.gather(*(work() for _ in range(self._client.endpoint.concurrency)))
        if failures:
            raise failures[0]

    async def _ask(self, wanted: _Wanted, sampling: SamplingParams, emit, stop) -> None:
        """Ask until the prompt has its replies: a server may give fewer than were asked for."""
        content = await asyncio.to_thread(self._content, wanted.prompt)
        had = 0
        while had < wanted.count:
            try:
                answer = await self._complete(content, wanted, had, sampling, stop)
            except RefusedError as refused:
                if not (wanted.may_be_refused and refused.is_of_one_request):
                    raise
                emit((wanted.number, [_refusal(refused)] * (wanted.count - had)))
                return
            replies = [_reply(choice) for choice in answer["choices"][: wanted.count - had]]
            if len(replies) < min(wanted.count - had, 2):
                self._habits = replace(self._habits, several=False)
            emit((wanted.number, replies))
            had += len(replies)

    async def _complete(self, content: str, wanted: _Wanted, had: int, sampling, stop):
        """One request; its form is adapted where the server says that it takes another one."""
        changes: dict[str, Any] = {}
        while True:
            habits = replace(self._habits, **changes)
            n = wanted.count - had if habits.several else 1
            settings = {
                "model": self.model,
                "temperature": sampling.temperature,
                habits.length_name: sampling.max_new_tokens,
                "seed": _seed(sampling.seed, wanted.prompt.seed, had),
                **({"n": n} if n > 1 else {}),
                **({"logprobs": True} if self.logprobs else {}),
            }
            # The pictures are text already: they are pasted in, not escaped again.
            message = f'"messages": [{{"role": "user", "content": {content}}}]'
            body = json.dumps(settings)[:-1] + ", " + message + "}"
            try:
                answer = await self._client.complete(body.encode(), stop)
            except RefusedError as refused:
                change = _change(habits, refused, n)
                if not change:
                    raise self._explained(refused) from None
                changes |= change
            else:  # only now it is known that the form was the mistake, not what was asked
                self._habits = replace(self._habits, **changes)
                return answer

    def _explained(self, refused: RefusedError) -> RefusedError:
        """The refusal, with the model's name where that may be the mistake."""
        if refused.status == 404:
            refused.where = f"{refused.where}, model {self.model!r}"
        return refused

    def _content(self, prompt: Prompt) -> str:
        """The parts of the message as JSON: the same as of every engine, pictures as data URLs."""
        images = iter(prompt.images)
        parts: list[dict[str, Any]] = []
        for part in chat_content(len(prompt.images), without_tokens(prompt.text)):
            if part["type"] == "image":
                part = {"type": "image_url", "image_url": {"url": self.pictures(next(images))}}  # type: ignore[dict-item]
            parts.append(part)
        return json.dumps(parts)


def _made(make_client: Callable[[], ChatClient], loop: BackgroundLoop) -> ChatClient:
    """A client that is made where it is used."""

    async def make() -> ChatClient:
        return make_client()

    try:
        return loop.call(make())
    except BaseException:
        loop.close()
        raise


def _change(habits: _Habits, refused: RefusedError, n: int) -> dict[str, Any]:
    """What to change of the habits where the refusal may be due to them; nothing where it is not."""
    if refused.status not in (400, 422):
        return {}
    if habits.length_name == "max_tokens" and "max_completion_tokens" in refused.message:
        return {"length_name": "max_completion_tokens"}
    return {"several": False} if n > 1 else {}


def _refusal(refused: RefusedError) -> Reply:
    nothing = np.zeros(0, np.int64), np.zeros(0, np.float32)
    return Reply(str(refused.got), *nothing, finish_reason=REFUSED)


def _reply(choice: Mapping[str, Any]) -> Reply:
    message = choice["message"]
    text = _text(message.get("content")) or _text(message.get("refusal"))
    # Servers that part the thoughts from the answer are put together again.
    thoughts = _text(message.get("reasoning_content")) or _text(message.get("reasoning"))
    if thoughts:
        text = f"<think>{thoughts}</think>{text}"
    return Reply(
        text=text,
        token_ids=np.zeros(0, np.int64),
        logprobs=_logprobs(choice.get("logprobs")),
        finish_reason=_finish_reason(choice.get("finish_reason")),
    )


def _finish_reason(said: Any) -> FinishReason:
    """Ours for the server's: some end with a tool's name or nothing, which is an end as well."""
    return said if said in ("length", "content_filter") else "stop"


def _text(content: Any) -> str:
    """A message's text, which may come in parts."""
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _logprobs(found: Any) -> np.ndarray:
    tokens = found.get("content") if isinstance(found, dict) else None
    try:
        return np.array([token["logprob"] for token in tokens or ()], np.float32)
    except (TypeError, KeyError, ValueError):
        return np.zeros(0, np.float32)


def _seed(*parts: int) -> int:
    """A seed that differs wherever one of the parts does; the same in every process."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - _SEED_BITS)
