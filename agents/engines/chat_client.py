"""One OpenAI-compatible endpoint: a request is sent until it is answered, or cannot be.

The client is httpx's: of the protocol one POST is needed, and a body that breaks off or is no JSON has to
be tried again like a server that is busy, which clients of one vendor's interface leave to the caller.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2
import numpy as np

from agents.engines.http_retry import (
    LONGEST_RETRY_AFTER,
    Clock,
    Pace,
    RetryPolicy,
    TransientError,
    pause,
    retry_after_seconds,
)
from perl_env.argument_checks import check_number, check_whole
from perl_env.errors import InputError, shorten

#: Names the environment variable with the key where nothing else does.
KEY_VARIABLE = "OPENAI_API_KEY"
#: A key of at least so many characters is one; local servers take any short word.
_SECRET_LENGTH = 12
#: Statuses that another attempt may mend, beside those of the server's own faults (500 and more).
_TRANSIENT = frozenset({408, 409, 425, 429})
_NOT_IMPLEMENTED = 501
#: A server that never answered is not waited for as one that did: its address may be wrong.
_FIRST_RETRIES = 2
#: Statuses with which a request may be refused for what it holds, such as a prompt that is too long.
_OF_ONE_REQUEST = frozenset({400, 413, 422})


class UnreachableError(TransientError):
    """Nobody listens at the address, or there is no such machine."""


class EndpointError(RuntimeError):
    """An endpoint gave no usable answer, however often it was asked."""


@dataclass(frozen=True)
class Endpoint:
    """Where requests go.

    Attributes:
        url: the address below which ``/chat/completions`` lies, such as "http://localhost:8000/v1".
        key_variable: the environment variable that holds the key. The key itself is never part of
            this, nor of anything that is printed, logged or written.
        timeout: seconds that one attempt may take in all.
        concurrency: at most so many requests are under way.
        requests_per_minute: at most so many are begun; ``None`` for no limit of ours.
    """

    url: str
    key_variable: str = KEY_VARIABLE
    timeout: float = 600.0
    concurrency: int = 8
    requests_per_minute: float | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.username or parts.password or parts.query:
            raise InputError("address with credentials or settings in it", where="url",
                             expected=f"them elsewhere: the key in {self.key_variable}",
                             got=f"an address of {parts.hostname} with more than a path")  # fmt: skip
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError("not an HTTP address", where="url",
                             expected="such as http://localhost:8000/v1", got=repr(self.url))  # fmt: skip
        check_number(self.timeout, "timeout", above=0)
        check_whole(self.concurrency, "concurrency", 1)

    def key(self) -> str | None:
        """The key; ``None`` where the environment has none and nothing was said about it.

        Raises:
            InputError: the variable that was asked for is not set, or cannot be sent.
        """
        key = os.environ.get(self.key_variable, "").strip()
        if not key and self.key_variable != KEY_VARIABLE:
            raise InputError("no key", where=f"environment variable {self.key_variable}",
                             expected="the endpoint's key", got="nothing")  # fmt: skip
        if not key.isascii() or not key.isprintable():
            raise InputError("key cannot be sent", where=f"environment variable {self.key_variable}",
                             expected="printable ASCII", got="other characters")  # fmt: skip
        return key or None


class ChatClient:
    """Sends requests to an endpoint; all of its methods belong into one event loop.

    Args:
        endpoint: where they go.
        retry: how often and when a request is repeated.
        clock: what tells and passes the time.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
        clock: Clock = Clock(),  # noqa: B008 - frozen
    ):
        self.endpoint, self.retry, self._clock = endpoint, retry, clock
        self._pace = Pace(endpoint.requests_per_minute, clock)
        self._rng = np.random.default_rng()  # of the pauses, nothing else
        self._key = endpoint.key()
        self._is_there = False  # whether it ever answered, be it with an error
        self._http = httpx2.AsyncClient(
            headers={"authorization": f"Bearer {self._key}"} if self._key else {},
            timeout=endpoint.timeout,
            limits=httpx2.Limits(max_connections=endpoint.concurrency),
        )

    def __repr__(self) -> str:
        return f"<ChatClient {self.endpoint.url}>"

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def models(self, stop: asyncio.Event) -> list[str]:
        """The names of the models that the endpoint serves."""
        found = await self._sent("GET", "models", None, stop, _model_names)
        return found["models"]

    async def complete(self, body: bytes, stop: asyncio.Event) -> Mapping[str, Any]:
        """The answer to a chat request; it has at least one choice.

        Args:
            body: the request as JSON.
            stop: once it is set, nothing is sent again.

        Raises:
            InputError: the endpoint refuses the request: another attempt would not help; or it was
                never there.
            EndpointError: every attempt failed.
        """
        return await self._sent("POST", "chat/completions", body, stop, _with_choices)

    async def _sent(self, method, path, body, stop, read) -> Mapping[str, Any]:
        """The answer to a request, as ``read`` takes it; repeated while that may help."""
        for retries in range(self.retry.max_retries + 1):
            await self._pace.turn(stop)
            if stop.is_set():
                raise EndpointError(f"request not sent: {self.endpoint.url}: another one failed")
            try:
                async with asyncio.timeout(self.endpoint.timeout):
                    return await self._attempt(method, path, body, read)
            except TimeoutError:
                error = TransientError(f"no answer within {self.endpoint.timeout:g} seconds")
            except UnreachableError as failed:
                if not self._is_there and retries >= min(_FIRST_RETRIES, self.retry.max_retries):
                    raise InputError("endpoint cannot be reached", where=self.endpoint.url,
                                     expected="a server that listens", got=self._without_key(str(failed))) from None  # fmt: skip
                error = failed
            except TransientError as failed:
                error = failed
            wanted = error.retry_after
            if wanted is not None and wanted > LONGEST_RETRY_AFTER:
                error = TransientError(f"{error}; it asks for a pause of {wanted:.0f} seconds")
                break
            if wanted is not None:
                self._pace.pause(wanted)
            if retries < self.retry.max_retries:
                await pause(self.retry.delay(retries, wanted, self._rng), self._clock, stop)
        attempts = "1 attempt" if retries == 0 else f"{retries + 1} attempts"
        said = self._without_key(str(error))
        raise EndpointError(
            f"endpoint gives no usable answer: {self.endpoint.url}: {said} ({attempts})"
        )

    async def _attempt(self, method, path, body, read) -> Mapping[str, Any]:
        url = f"{self.endpoint.url.rstrip('/')}/{path}"
        try:
            response = await self._http.request(
                method, url, content=body, headers={"content-type": "application/json"}
            )
        except httpx2.TimeoutException:
            raise TransientError(f"no answer within {self.endpoint.timeout:g} seconds") from None
        except httpx2.ConnectError as error:
            raise UnreachableError(f"{type(error).__name__}: {error}") from None
        except httpx2.RequestError as error:
            raise TransientError(f"{type(error).__name__}: {error}") from None
        self._is_there = True
        if response.status_code != httpx2.codes.OK:
            raise self._refusal(response)
        try:
            return read(self._without_secret(json.loads(response.content)))
        except (ValueError, RecursionError):
            got = shorten(self._without_key(response.text), 80)
            raise TransientError(f"broken JSON in the answer: {got!r}") from None

    def _refusal(self, response: httpx2.Response) -> Exception:
        """What a response that is no answer means: try again, or not."""
        status = response.status_code
        message, code = _error_message(response)
        # Before it is shortened: half a key would not be found.
        message = self._without_key(message)
        said = self._without_key(f"{status} {response.reason_phrase}: {shorten(message, 300)}")
        out_of_money = code == "insufficient_quota"
        if (status in _TRANSIENT or status >= 500) and status != _NOT_IMPLEMENTED and not out_of_money:  # fmt: skip
            return TransientError(said, retry_after_seconds(response.headers, self._clock))
        refused = RefusedError("endpoint refuses the request", where=self.endpoint.url,
                               expected=self._advice(status), got=said)  # fmt: skip
        refused.status, refused.message = status, message
        refused.is_of_one_request = status in _OF_ONE_REQUEST and not out_of_money
        return refused

    def _advice(self, status: int) -> str:
        if status in (401, 403):
            state = "its key is not accepted" if self._key else "it is not set"
            return f"a valid key in {self.endpoint.key_variable} ({state})"
        if status == 404:
            return "an OpenAI-compatible address that ends before /chat/completions, and a model that it serves"
        if 300 <= status < 400:
            return "an address that does not lead to another one"
        return "200 OK"

    def _without_key(self, text: str) -> str:
        """What others said may repeat the key."""
        return text.replace(self._key, "…") if self._key else text

    def _without_secret(self, answer: Any) -> Any:
        """An answer in which no text repeats the key; a short one such as "EMPTY" is no secret."""
        if self._key is None or len(self._key) < _SECRET_LENGTH:
            return answer
        if isinstance(answer, str):
            return self._without_key(answer)
        if isinstance(answer, list):
            return [self._without_secret(part) for part in answer]
        if isinstance(answer, dict):
            return {name: self._without_secret(part) for name, part in answer.items()}
        return answer


class RefusedError(InputError):
    """An endpoint refuses a request for good.

    Attributes:
        status: the HTTP status.
        message: what the endpoint says.
        is_of_one_request: whether it may answer other requests; not where address, key, model or money
            are the matter.
    """

    status: int = 0
    message: str = ""
    is_of_one_request: bool = False


def _error_message(response: httpx2.Response) -> tuple[str, str]:
    """What the endpoint says about a refusal, and its code for it."""
    try:
        error = json.loads(response.content)
        error = error.get("error", error)
        if isinstance(error, str):
            return error, ""
        return str(error.get("message") or error.get("detail") or ""), str(error.get("code"))
    except (ValueError, AttributeError, RecursionError):
        return response.text, ""


def _with_choices(answer: Any) -> Mapping[str, Any]:
    """The answer, if it is one.

    Raises:
        TransientError: it is not.
    """
    choices = answer.get("choices") if isinstance(answer, dict) else None
    sound = isinstance(choices, list) and choices and all(
        isinstance(choice, dict) and isinstance(choice.get("message"), dict) for choice in choices
    )  # fmt: skip
    if not sound:
        raise TransientError(f"answer without a reply: {shorten(answer, 80)!r}")
    return answer


def _model_names(answer: Any) -> Mapping[str, Any]:
    try:
        return {"models": [str(model["id"]) for model in answer["data"]]}
    except (TypeError, KeyError):
        raise TransientError(f"answer without models: {shorten(answer, 80)!r}") from None
