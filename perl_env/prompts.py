"""The text that goes with the pictures: question, options, instruction."""

from __future__ import annotations

from perl_env.question import LETTERS, Question

#: The instruction of PeRL's training and evaluation (arXiv 2506.14907, appendix A.3.2).
INSTRUCTION = (
    "You first think about the reasoning process as an internal monologue and then provide the final "
    "answer. The reasoning process must be enclosed within <think> </think> tags. The final answer "
    "must be put in \\boxed{} ."
)


def option_lines(question: Question) -> list[str]:
    """The options with their letters, one a line: ``A. the first image``."""
    return [
        f"{letter}. {option}" for letter, option in zip(LETTERS, question.options, strict=False)
    ]


def question_text(question: Question, instruction: str = INSTRUCTION) -> str:
    """Question, options and instruction as one text; the gold answer is no part of it."""
    return "\n".join(part for part in (question.text, *option_lines(question), instruction) if part)
