"""The text that goes with the pictures: question, options, instruction."""

from __future__ import annotations

from dataclasses import dataclass

from perl_env.mentions.options import find_option_block
from perl_env.question import LETTERS, Question

#: The instruction of PeRL's training and evaluation (arXiv 2506.14907, appendix A.3.2).
INSTRUCTION = (
    "You first think about the reasoning process as an internal monologue and then provide the final "
    "answer. The reasoning process must be enclosed within <think> </think> tags. The final answer "
    "must be put in \\boxed{} ."
)


@dataclass(frozen=True)
class OptionStyle:
    """How a prompt shows its options.

    Attributes:
        line: one option, with ``{letter}`` and ``{text}``.
        heading: what stands before the first one.
    """

    line: str = "{letter}. {text}"
    heading: str = ""


#: The benchmarks' published styles, by the name of their scoring rule.
OPTION_STYLES = {
    "mantis-eval": OptionStyle(" ({letter}) {text}"),
    "blink": OptionStyle("({letter}) {text}"),
    "mmiu": OptionStyle("{letter}: {text}"),
    "mathvista": OptionStyle("({letter}) {text}", "Choices:\n"),
    "mathverse": OptionStyle("{letter}:{text}", "Choices:\n"),
    "mathvision": OptionStyle("{letter}. {text}", "Choices: "),
}

#: The fact of a question whose published prompt has the options before the last line of the text.
OPTIONS_BEFORE_LAST_LINE = ("options", "before the last line")


def option_lines(question: Question) -> list[str]:
    """The options with their letters, one a line: ``A. the first image``.

    There are none where the text itself says which letter is which image.
    """
    if _stand_in_text(question):
        return []
    style = OPTION_STYLES.get(question.scoring, OptionStyle())
    lines = [
        style.line.format(letter=letter, text=option)
        for letter, option in zip(LETTERS, question.options, strict=False)
    ]
    return [style.heading + lines[0], *lines[1:]] if lines else []


def _stand_in_text(question: Question) -> bool:
    """Whether the options are letters for images, and the text has them already: "A. <image_2> …"."""
    count, n = len(question.options), len(question.images)
    if not 1 < count <= n or question.options != tuple(LETTERS[:count]):
        return False
    slots = question.option_slots or tuple(range(n - count, n))
    return find_option_block(question.text, slots) is not None


def question_text(question: Question, instruction: str | None = None) -> str:
    """Question, options and instruction as one text; the gold answer is no part of it.

    Args:
        question: in the order in which it is asked.
        instruction: the last line, "" for none. By default the question's own, as its benchmark has
            published it, else ``INSTRUCTION``.
    """
    if instruction is None:
        instruction = INSTRUCTION if question.instruction is None else question.instruction
    text, options = question.text, option_lines(question)
    if OPTIONS_BEFORE_LAST_LINE in question.facts:
        first, _, last = text.rpartition("\n")
        return "\n".join(part for part in (first, *options, last, instruction) if part)
    return "\n".join(part for part in (text, *options, instruction) if part)
