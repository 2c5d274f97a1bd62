"""Samples drawn ahead come in sequence, not too early, and can be drawn again."""

import threading

import pytest

from agents.sample_ahead import SampleAhead


class Counter:
    """Draws 0, 1, 2, …; can be made to wait in the middle of a draw."""

    def __init__(self):
        self.number, self.go_on = 0, threading.Event()
        self.go_on.set()

    def draw(self):
        assert self.go_on.wait(10)
        self.number += 1
        return self.number - 1

    def state(self):
        return self.number


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_samples_come_in_sequence(ahead):
    counter = Counter()
    samples = SampleAhead(counter.draw, counter.state, ahead)
    assert [samples.take() for _ in range(6)] == list(range(6))
    samples.close()
    assert counter.number <= 6 + ahead


def test_the_next_sample_is_drawn_while_nobody_asks():
    counter = Counter()
    samples = SampleAhead(counter.draw, counter.state, 1)
    assert samples.take() == 0
    counter.go_on.clear()
    counter.go_on.set()
    samples._pending[0].sample.result(timeout=10)
    assert counter.number == 2
    samples.close()


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_the_state_is_that_of_the_next_sample_to_be_taken(ahead):
    counter = Counter()
    samples = SampleAhead(counter.draw, counter.state, ahead)
    for taken in range(4):
        assert samples.state() == taken
        assert samples.take() == taken
    samples.drop()
    counter.number = 2
    assert samples.take() == 2
    samples.close()


def test_a_draw_that_fails_tells_whoever_takes_it():
    def fail():
        raise RuntimeError("on purpose")

    samples = SampleAhead(fail, lambda: None, 1)
    with pytest.raises(RuntimeError, match="on purpose"):
        samples.take()
    samples.close()
