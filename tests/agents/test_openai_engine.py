"""The engine behind an address, against a real server on loopback that plays faults."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import threading
import time
import traceback

import numpy as np
import pytest
from PIL import Image

from agents.engines import Prompt, SamplingParams, make_engine
from agents.engines.base import REFUSED
from agents.engines.chat_client import ChatClient, Endpoint, EndpointError
from agents.engines.http_retry import Clock, Pace, RetryPolicy, retry_after_seconds
from agents.engines.openai_engine import OpenAIEngine
from agents.engines.partial import PartialRepliesError
from perl_env.errors import InputError
from tests.agents.fault_server import FaultServer, free_port, pictures_of, server_process, text_of
from tests.agents.test_engine import make_prompts

KEY = "sk-a-key-that-nobody-may-see"


class FastClock:
    """Time that passes as soon as somebody waits for it."""

    def __init__(self):
        self.time, self.pauses = 0.0, []

    async def sleep(self, seconds):
        self.pauses.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)

    def clock(self):
        return Clock(now=lambda: self.time, sleep=self.sleep, wall=lambda: 1e9 + self.time)


@pytest.fixture
def server():
    with FaultServer() as running:
        yield running


@pytest.fixture
def fast():
    return FastClock()


@pytest.fixture
def connect(fast):
    """Makes engines whose pauses take no time, and closes them afterwards."""
    made = []

    def _connect(server, retries=4, model="tiny", **endpoint):
        where = Endpoint(server if isinstance(server, str) else server.url, **endpoint)
        client = lambda: ChatClient(where, RetryPolicy(retries), fast.clock())  # noqa: E731
        made.append(OpenAIEngine(client, model))
        return made[-1]

    yield _connect
    for engine in made:
        engine.close()


def texts(replies):
    return [[reply.text for reply in found] for found in replies]


def test_a_prompt_is_asked_as_the_other_engines_show_it(server, connect, tiny_model):
    (prompt,) = make_prompts((3,), "Is <image_2> red? <|image_pad|>")
    connect(server).generate([prompt], 2, SamplingParams(0.7, 99, seed=3))
    (body,) = server.bodies
    assert (body["model"], body["n"], body["temperature"], body["max_tokens"]) == ("tiny", 2, 0.7, 99)  # fmt: skip
    shown = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))))
        for url in pictures_of(body)
    ]
    np.testing.assert_array_equal(shown, prompt.images)
    from agents.processing import PromptProcessor

    own = PromptProcessor(tiny_model).processor.apply_chat_template(
        [{"role": "user", "content": [{"type": "image"} if "image_url" in part else part
                                      for part in body["messages"][0]["content"]]}],
        add_generation_prompt=True, tokenize=False,
    )  # fmt: skip
    assert own == PromptProcessor(tiny_model).chat_text(prompt)


def test_replies_come_in_the_order_of_prompts_however_fast_they_are(server, connect):
    server.reply = lambda body, i: f"{text_of(body)} {i}"
    server.delay = 0.01
    prompts = [Prompt((), f"question {n}", n) for n in range(30)]
    counts = [n % 4 for n in range(30)]
    replies = connect(server, concurrency=5).generate(prompts, counts)
    assert texts(replies) == [
        [f"question {n} {i}" for i in range(count)] for n, count in enumerate(counts)
    ]
    assert 2 <= server.most_under_way <= 5


def test_a_picture_is_encoded_once_however_many_orders_and_replies_show_it(server, connect):
    (prompt,) = make_prompts((3,))
    orders = [Prompt(tuple(prompt.images[i] for i in order), "which?", seed)
              for seed, order in enumerate([(0, 1, 2), (2, 1, 0), (1, 0, 2)])]  # fmt: skip
    engine = connect(server)
    engine.generate(orders, 4)
    engine.generate(orders, 4)
    assert engine.pictures.encoded == 3
    assert sum(len(pictures_of(body)) for body in server.bodies) == 18


@pytest.mark.parametrize("fault", [500, 502, 503, 408, 429, "broken", "cut", "drop", "empty"])
def test_what_passes_is_tried_again_with_growing_pauses(server, connect, fast, fault):
    server.faults.extend([fault] * 4)
    ((reply,),) = connect(server).generate([Prompt((), "?")])
    assert reply.text == "reply 0"
    assert len(server.bodies) == 5
    pauses = [p for p in fast.pauses if p]
    assert all(0.25 * 2**n <= pause <= 0.75 * 2**n for n, pause in enumerate(pauses)), pauses


def test_a_server_that_hangs_is_left_and_asked_again(server, connect):
    server.faults.extend(["hang", "hang"])
    began = time.monotonic()
    ((reply,),) = connect(server, timeout=0.3).generate([Prompt((), "?")])
    assert reply.text == "reply 0"
    assert 0.6 <= time.monotonic() - began < 10


@pytest.mark.parametrize("wanted", ["7", "Sun, 09 Sep 2001 01:46:47 GMT"])
def test_the_pause_that_a_server_asks_for_is_kept_by_all(server, connect, fast, wanted):
    server.faults.append((429, {"Retry-After": wanted}, "slow down"))
    engine = connect(server, concurrency=1)
    engine.generate([Prompt((), "?"), Prompt((), "!")])
    assert 7 <= fast.time <= 8
    assert len(server.bodies) == 3


def test_a_server_that_asks_for_a_day_is_not_waited_for(server, connect, fast):
    server.faults.append((429, {"Retry-After": "86400"}, "come back tomorrow"))
    with pytest.raises(EndpointError, match="pause of 86400 seconds"):
        connect(server).generate([Prompt((), "?")])
    assert fast.time == 0


def test_nothing_is_tried_for_ever(server, connect):
    server.fault_of = lambda body: 503
    with pytest.raises(EndpointError, match=r"503 Service Unavailable.*\(5 attempts\)"):
        connect(server).generate([Prompt((), "?")])
    assert len(server.bodies) == 5


def test_a_server_that_was_never_there_is_told_soon(connect, fast):
    with pytest.raises(InputError, match=r"cannot be reached.*127\.0\.0\.1.*ConnectError"):
        connect(f"http://127.0.0.1:{free_port()}/v1").generate([Prompt((), "?")])
    assert fast.time < 3


def test_a_server_that_goes_away_is_waited_for(connect, fast, tmp_path):
    port = free_port()
    with server_process(port, tmp_path / "log"):
        engine = connect(f"http://127.0.0.1:{port}/v1", concurrency=1)
        engine.generate([Prompt((), "?")])
    with pytest.raises(EndpointError, match=r"ConnectError.*\(5 attempts\)"):
        engine.generate([Prompt((), "!")])
    assert fast.time > 3


@pytest.mark.parametrize(
    ("status", "said"),
    [(400, "200 OK"), (401, "a valid key in OPENAI_API_KEY"), (404, "and a model that it serves")],
)
def test_a_refusal_is_one_clear_line_at_once_and_without_the_key(
    server, connect, monkeypatch, caplog, status, said
):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.fault_of = lambda body: (status, {}, f"the key {KEY} or so is not right")
    engine = connect(server)
    with pytest.raises(InputError) as caught:
        engine.generate([Prompt((), "?")])
    assert len(server.bodies) == 1
    assert server.keys == [f"Bearer {KEY}"]
    line = str(caught.value)
    assert "\n" not in line
    assert all(part in line for part in (server.url, str(status), said, "…"))
    told = "".join(traceback.format_exception(caught.value))
    for text in (line, told, repr(caught.value), repr(engine), repr(engine.__dict__), caplog.text):
        assert KEY not in text


def test_the_key_is_in_no_reply_and_no_broken_answer(server, connect, monkeypatch):
    monkeypatch.setenv("MY_KEY", KEY)
    server.fault_of = lambda body: (500, {}, f"internal: Bearer {KEY}")
    with pytest.raises(EndpointError) as caught:
        connect(server, retries=0, key_variable="MY_KEY").generate([Prompt((), "?")])
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert server.keys == [f"Bearer {KEY}"]
    server.fault_of = lambda body: None
    server.reply = lambda body, index: f"your key is {KEY}"
    [[reply]] = connect(server, key_variable="MY_KEY").generate([Prompt((), "?")])
    assert reply.text == "your key is …"


@pytest.mark.parametrize("before", [300 - len(KEY) // 2, 296 - len(KEY) // 2])
def test_half_of_the_key_is_in_no_message(server, connect, monkeypatch, before):
    monkeypatch.setenv("MY_KEY", KEY)
    server.fault_of = lambda body: (401, {}, "x" * before + KEY)
    with pytest.raises(InputError) as caught:
        connect(server, retries=0, key_variable="MY_KEY").generate([Prompt((), "?")])
    assert KEY[: len(KEY) // 3] not in str(caught.value)


def test_what_a_local_server_takes_for_a_key_may_stand_in_replies(server, connect, monkeypatch):
    monkeypatch.setenv("MY_KEY", "EMPTY")
    server.reply = lambda body, index: "the box is EMPTY"
    [[reply]] = connect(server, key_variable="MY_KEY").generate([Prompt((), "?")])
    assert reply.text == "the box is EMPTY"


def test_a_key_that_was_asked_for_has_to_be_there(monkeypatch):
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with pytest.raises(InputError, match="NO_SUCH_KEY"):
        make_engine("http://127.0.0.1:1/v1", model="m", key_variable="NO_SUCH_KEY")
    monkeypatch.setenv("BAD_KEY", "schlüssel")
    with pytest.raises(InputError, match="printable ASCII") as caught:
        make_engine("http://127.0.0.1:1/v1", model="m", key_variable="BAD_KEY")
    assert "schl" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "settings", "complaint"),
    [
        ("http://user:secret@localhost/v1", {}, "credentials"),
        ("http://localhost/v1?api_key=secret", {}, "credentials"),
        ("http:///v1", {}, "not an HTTP address"),
        ("http://localhost/v1", {"concurrency": 0}, "at least 1"),
        ("http://localhost/v1", {"requests_per_minute": 0}, "more than 0"),
        ("http://localhost/v1", {"timeout": 0}, "finite number above 0"),
        ("http://localhost/v1", {"timeout": None}, "finite number above 0"),
        ("http://localhost/v1", {"concurrency": "abc"}, "whole number of at least 1"),
        ("http://localhost/v1", {"max_retries": -1}, "at least 0"),
        ("http://localhost/v1", {"temprature": 1}, "unknown setting"),
    ],
)
def test_wrong_settings_are_told(url, settings, complaint):
    with pytest.raises(InputError, match=complaint) as caught:
        make_engine(url, model="m", **settings)
    assert "secret" not in str(caught.value)


def test_the_model_is_named_in_the_address_or_the_only_one(server):
    for address, expected in ((server.url, "tiny"), (f"{server.url}#other/model", "other/model")):
        engine = make_engine(address, max_images=4)
        assert engine.model == expected
        engine.close()
    server.models = ("one", "two")
    with pytest.raises(InputError, match="one, two"):
        make_engine(server.url, kind="openai")


def test_what_was_answered_survives_a_request_that_fails_for_good(server, connect):
    server.fault_of = lambda body: 500 if text_of(body) == "question 5" else None
    prompts = [Prompt((), f"question {n}", n) for n in range(40)]
    engine = connect(server, retries=1, concurrency=2)
    with pytest.raises(PartialRepliesError) as caught:
        engine.generate(prompts, 2)
    assert isinstance(caught.value.__cause__, EndpointError)
    replies = caught.value.replies
    answered = {text_of(body) for body in server.answered}
    assert {f"question {n}" for n, found in enumerate(replies) if found} == answered
    assert replies[5] is None
    assert 5 <= len(answered) <= 8  # no other was begun after the failure


def test_replies_are_handed_over_one_by_one_and_before_the_failure(server, connect):
    server.fault_of = lambda body: 404 if text_of(body) == "question 5" else None
    prompts = [Prompt((), f"question {n}", n) for n in range(6)]
    had = []

    def take(answers):
        for call, replies in answers:
            had.append((call, [found and len(found) for found in replies]))

    calls, counts = [prompts[:4], prompts[4:]], [[1] * 4, [2] * 2]
    answers = connect(server, concurrency=1).answer(calls, counts, SamplingParams())
    with pytest.raises(InputError, match="refuses the request"):
        take(answers)
    assert had == [
        (0, [1, None, None, None]), (0, [None, 1, None, None]), (0, [None, None, 1, None]),
        (0, [None, None, None, 1]), (1, [2, None]),
    ]  # fmt: skip


def test_a_server_that_gives_one_reply_at_a_time_is_asked_several_times(connect):
    with FaultServer(most_replies=1) as server:
        server.reply = lambda body, i: str(body["seed"])
        replies = connect(server).generate([Prompt((), "?", 1), Prompt((), "!", 2)], [3, 2])
        found = [text for group in texts(replies) for text in group]
        assert len(found) == len(set(found)) == 5  # a seed each
        assert len(server.bodies) == 5


def test_a_server_that_refuses_several_replies_or_a_name_is_obeyed(server, connect):
    def fault(body):
        if body.get("n", 1) > 1:
            return 400, {}, "n must be 1"
        if "max_tokens" in body:
            return 400, {}, "Unsupported parameter: use 'max_completion_tokens' instead"
        return None

    server.fault_of = fault
    engine = connect(server, concurrency=1)
    assert texts(engine.generate([Prompt((), "?"), Prompt((), "!")], 2)) == [["reply 0"] * 2] * 2
    assert len(server.bodies) == 4 + 2  # two refusals, then nothing is refused again
    assert server.bodies[-1]["max_completion_tokens"] == 2048


def test_a_refusal_for_what_is_asked_says_nothing_on_the_form_of_requests(server, connect):
    server.fault_of = lambda body: (400, {}, "too long") if "long" in text_of(body) else None
    engine = connect(server, concurrency=1)
    prompts = [Prompt((), text, n) for n, text in enumerate(["a long one", "one", "two"])]
    ((_, refused), *answered) = engine.answer([prompts], [[3, 3, 3]], SamplingParams())
    assert [(r.text, r.finish_reason) for r in refused[0]] == [
        ("400 Bad Request: too long", REFUSED)
    ] * 3
    assert [texts([found for found in row if found]) for _, row in answered] == [
        [["reply 0", "reply 1", "reply 2"]]
    ] * 2
    assert (
        len(server.bodies) == 2 + 2
    )  # the refused one once more with one reply; then three at a time


def test_an_account_without_money_is_no_matter_of_one_request(server, connect):
    server.fault_of = lambda body: (400, {}, "insufficient_quota")
    error = json.dumps({"error": {"message": "pay first", "code": "insufficient_quota"}})
    server.error_of = lambda message: error
    with pytest.raises(InputError, match="pay first"):
        list(connect(server).answer([[Prompt((), "?")]], [[1]], SamplingParams()))


def test_seeds_are_the_same_for_the_same_reply_and_differ_for_all_others(server, connect):
    engine = connect(server)
    prompts = [Prompt((), "?", n) for n in range(4)]
    for seed in (0, 1, 0):
        engine.generate(prompts, 1, SamplingParams(seed=seed))
    seeds = [sorted(body["seed"] for body in server.bodies[i : i + 4]) for i in (0, 4, 8)]
    assert seeds[0] == seeds[2]
    assert len({*seeds[0], *seeds[1]}) == 8
    assert all(0 <= seed < 2**31 for seed in seeds[0])


def test_thoughts_parts_and_finish_reasons_are_understood():
    from agents.engines.openai_engine import _reply

    def reply(finish, logprobs=None, **message):
        return _reply({"message": message, "finish_reason": finish, "logprobs": logprobs})

    for reason in ("length", "content_filter"):
        assert reply(reason, content="a").finish_reason == reason
    assert reply("tool_calls", content="a").finish_reason == "stop"
    assert reply("content_filter", content=None).text == ""
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert reply("stop", content=parts, reasoning_content="why").text == "<think>why</think>ab"
    assert reply("stop", {"content": [{"logprob": -0.5}]}, content="a").logprobs.tolist() == [-0.5]
    assert reply("stop", {"content": None}, content="a").logprobs.size == 0


def test_no_more_requests_a_minute_than_allowed(fast):
    async def run():
        pace, stop, began = Pace(30, fast.clock()), asyncio.Event(), []
        for _ in range(5):
            await pace.turn(stop)
            began.append(fast.time)
        return began

    assert asyncio.run(run()) == [0, 2, 4, 6, 8]


def test_pauses_that_mean_nothing_are_not_kept():
    clock = FastClock().clock()
    assert retry_after_seconds({"retry-after": "soon"}, clock) is None
    assert retry_after_seconds({"retry-after": "nan"}, clock) is None
    assert retry_after_seconds({"retry-after": "-3"}, clock) == 0


def test_leaving_early_ends_the_requests(server, connect):
    server.delay = 0.02
    engine = connect(server, concurrency=2)
    stream = engine.stream([Prompt((), "?", n) for n in range(100)], [1] * 100, SamplingParams())
    next(stream)
    stream.close()
    sent = len(server.bodies)
    time.sleep(0.2)
    assert len(server.bodies) == sent < 10


def test_no_thread_is_left_behind_and_weights_are_refused(server, connect):
    engine = make_engine(server.url)
    with pytest.raises(InputError, match="takes no weights"):
        engine.set_weights({})
    engine.close()
    assert not [t for t in threading.enumerate() if t.name == "http"]


@pytest.mark.slow
def test_a_run_goes_on_when_its_server_was_killed_and_asks_nothing_twice(tmp_path):
    """The evaluation stops with what it has; the same command asks the rest of a new server."""
    import perl_env
    from evals.errors import EvaluationStoppedError
    from evals.harness import run_evaluation

    questions = perl_env.load_questions("perl/Shapes-v0", limit=12)
    port, log = free_port(), tmp_path / "log"

    def run(on_progress=None):
        engine = make_engine(f"http://127.0.0.1:{port}/v1#tiny", max_retries=1, concurrency=4)
        try:
            return run_evaluation(engine, questions, tmp_path / "out", 3, 2, progress=on_progress,
                                  model="tiny", report=False)  # fmt: skip
        finally:
            engine.close()

    stopped = pytest.raises(EvaluationStoppedError, match="the same command asks the others")
    with server_process(port, log) as process, stopped:
        run(lambda done, total: process.kill() if done >= 12 else None)
    kept = (tmp_path / "out" / "replies.jsonl").read_text().splitlines()
    assert 12 <= len(kept) < 60
    with server_process(port, log):
        result = run()
    assert len(result.table) == sum(min(3, n) * 2 for n in result.table.groupby("question")["order"].nunique())  # fmt: skip
    seeds = [json.loads(line)["seed"] for line in log.read_text().splitlines()]
    assert len(seeds) - len(set(seeds)) <= 4  # those that were on their way when it was killed
