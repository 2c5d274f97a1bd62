"""The transformers engine against the model itself."""

import numpy as np
import pytest
import torch

from agents.engines import Prompt, SamplingParams, make_engine
from agents.engines.transformers_engine import left_padded
from agents.weights import get_weights
from perl_env.errors import InputError


@pytest.fixture(scope="module")
def engine(tiny_model):
    return make_engine(tiny_model)


def make_prompts(counts=(2, 3, 1), text="Which image is the red one?"):
    rng = np.random.default_rng(0)
    return [
        Prompt(tuple(rng.integers(0, 256, (56, 56, 3), np.uint8) for _ in range(n)), text, seed)
        for seed, n in enumerate(counts)
    ]


def plain_logprobs(engine, prompt, token_ids, temperature):
    """Log-probabilities by one pass over prompt and reply, without cache or padding."""
    (encoded,) = engine.processor.encode_many([prompt])
    inputs = left_padded([encoded], engine.processor.pad_token_id, torch.device("cpu"))
    tail = torch.from_numpy(token_ids)[None]
    inputs["input_ids"] = torch.cat([inputs["input_ids"], tail], dim=1)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    inputs["mm_token_type_ids"] = torch.cat(
        [inputs["mm_token_type_ids"], torch.zeros_like(tail)], 1
    )
    with torch.no_grad():
        logits = engine.model(**inputs).logits[0, -len(token_ids) - 1 : -1]
    logits[:, sorted(engine.processor.image_token_ids)] = -torch.inf
    return torch.log_softmax(logits / temperature, -1)[range(len(token_ids)), token_ids].numpy()


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_logprobs_are_those_of_one_plain_pass(engine, temperature):
    prompts = make_prompts()
    replies = engine.generate(prompts, [3, 1, 2], SamplingParams(temperature, 8, seed=1))
    assert [len(found) for found in replies] == [3, 1, 2]
    for prompt, found in zip(prompts, replies, strict=True):
        for reply in found:
            expected = plain_logprobs(engine, prompt, reply.token_ids, temperature)
            np.testing.assert_allclose(reply.logprobs, expected, atol=1e-5)


def test_replies_do_not_depend_on_what_else_is_in_the_batch(engine):
    prompts = make_prompts()
    together = engine.generate(prompts, 2, SamplingParams(1.0, 8, seed=1))
    for prompt, expected in zip(prompts, together, strict=True):
        (alone,) = engine.generate([prompt], 2, SamplingParams(1.0, 8, seed=1))
        assert [reply.text for reply in alone] == [reply.text for reply in expected]
    small = type(engine)(engine.model, engine.processor, max_batch_rows=2)
    again = small.generate(prompts, 2, SamplingParams(1.0, 8, seed=1))
    assert [[r.text for r in found] for found in again] == [
        [r.text for r in found] for found in together
    ]


def test_another_seed_gives_other_replies_and_greedy_ones_are_all_the_same(engine):
    prompts = make_prompts((3,))
    texts = {
        engine.generate(prompts, 1, SamplingParams(1.0, 12, seed))[0][0].text for seed in range(4)
    }
    assert len(texts) == 4
    (greedy,) = engine.generate(prompts, 3, SamplingParams(0.0, 12))
    assert len({reply.text for reply in greedy}) == 1


def test_samples_follow_the_models_distribution(engine):
    """Frequencies of the first token against its probabilities."""
    (prompt,) = make_prompts((1,))
    (replies,) = engine.generate([prompt], 200, SamplingParams(0.3, 1))
    first = np.array([reply.token_ids[0] for reply in replies])
    probabilities = {int(r.token_ids[0]): float(np.exp(r.logprobs[0])) for r in replies}
    for token, probability in probabilities.items():
        if probability > 0.02:
            deviation = (probability * (1 - probability) / 200) ** 0.5
            assert abs((first == token).mean() - probability) < 5 * deviation


def test_image_tokens_are_never_sampled(engine):
    weights = get_weights(engine.model)
    try:
        hot = {name: array.copy() for name, array in weights.items()}
        image = sorted(engine.processor.image_token_ids)
        # Every image token's row becomes the largest logit by far.
        for name in ("lm_head.weight", "model.language_model.embed_tokens.weight"):
            if name in hot:
                hot[name][image] = 10 * np.abs(hot[name]).max()
        engine.set_weights(hot)
        replies = engine.generate(make_prompts(), 4, SamplingParams(1.0, 10))
        for reply in (reply for found in replies for reply in found):
            assert not set(reply.token_ids.tolist()) & engine.processor.image_token_ids
            assert np.isfinite(reply.logprobs).all()
    finally:
        engine.set_weights(weights)


def test_a_reply_ends_with_its_first_end_token_or_is_cut(engine):
    replies = engine.generate(make_prompts((1,) * 6), 40, SamplingParams(1.0, 30, seed=2))
    found = [reply for group in replies for reply in group]
    stopped = [reply for reply in found if reply.finish_reason == "stop"]
    assert stopped
    eos = engine.processor.eos_token_ids
    for reply in found:
        ends = [int(token) in eos for token in reply.token_ids]
        assert sum(ends) == (reply.finish_reason == "stop")
        assert ends[-1] == (reply.finish_reason == "stop")
        assert len(reply.token_ids) == len(reply.logprobs) <= 30


def test_weights_are_taken_in_place_and_checked(engine):
    weights = get_weights(engine.model)
    name = next(iter(weights))
    before = engine.generate(make_prompts((2,)), 1, SamplingParams(0, 8))[0][0]
    changed = {key: array * 1.5 if array.ndim > 1 else array for key, array in weights.items()}
    engine.set_weights(changed)
    after = engine.generate(make_prompts((2,)), 1, SamplingParams(0, 8))[0][0]
    assert not np.allclose(before.logprobs[:1], after.logprobs[:1])
    engine.set_weights(weights)
    back = engine.generate(make_prompts((2,)), 1, SamplingParams(0, 8))[0][0]
    np.testing.assert_array_equal(before.logprobs, back.logprobs)
    with pytest.raises(InputError, match="missing"):
        engine.set_weights({key: array for key, array in weights.items() if key != name})
    with pytest.raises(InputError, match="another shape"):
        engine.set_weights(weights | {name: np.zeros((1, 1), np.float32)})


def test_bfloat16_survives_the_way_through_numpy():
    from agents.weights import array_to_tensor, tensor_to_array

    tensor = torch.randn(4, 5, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    array = tensor_to_array(tensor)
    assert array.dtype == np.uint16
    assert torch.equal(array_to_tensor(array), tensor)


def test_an_unknown_engine_is_told(tiny_model):
    with pytest.raises(InputError, match="unknown engine"):
        make_engine(tiny_model, kind="trnsformers")
