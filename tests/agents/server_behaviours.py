"""What a server process does beyond answering at once."""

from __future__ import annotations

import json

COLOURS = ("black", "blue", "green", "red")
#: What goes wrong, one after the other, with the requests that are a multiple of three.
FAULTS = [
    429,
    "broken",
    503,
    "cut",
    "drop",
    (429, {"Retry-After": "1"}, "slow down"),
    "empty",
    "hang",
]


def plain(server):
    server.delay = 0.05


def teacher_and_student(server):
    """Rephrases questions on colours, labels all as invariant, and answers B or C."""
    server.delay = 0.02

    def reply(body, index):
        text = "".join(part.get("text", "") for part in body["messages"][0]["content"])
        if "Rewrite it" in text:
            asked, gold = text.split("Question: ")[1].split("\nRight answer: ")
            return json.dumps({"possible": True, "question": asked, "options": COLOURS,
                               "answer": "ABCD"[COLOURS.index(gold)]})  # fmt: skip
        if "another order" in text:
            return '{"order_class": "invariant", "answer_changes": false}'
        return f"<think>hm</think>\\boxed{{{'BC'[index % 2]}}}"

    server.reply = reply


def faulty(server):
    """The same, and every third request fails in one way or another."""
    teacher_and_student(server)
    count = [0]

    def fault_of(body):
        count[0] += 1
        return FAULTS[count[0] // 3 % len(FAULTS)] if count[0] % 3 == 0 else None

    server.fault_of = fault_of


BEHAVIOURS = {"plain": plain, "teacher_and_student": teacher_and_student, "faulty": faulty}
