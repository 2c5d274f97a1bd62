"""Multi-image questions as Gymnasium environments whose ``reset`` permutes the images.

``import perl_env`` registers every ``perl/…-v0``. Nothing here needs torch, ray or transformers.
"""

from perl_env.classification import Classification, classify
from perl_env.errors import IllegalOrderError, InputError, UnsoundRewriteError
from perl_env.grading import Grade, grade
from perl_env.order_class import OrderClass
from perl_env.permutation import permute, sample_orders
from perl_env.question import Question
from perl_env.references import rewrite_references
from perl_env.registration import iterate_questions, load_questions, register_environments

__all__ = [
    "Classification",
    "Grade",
    "IllegalOrderError",
    "InputError",
    "OrderClass",
    "Question",
    "UnsoundRewriteError",
    "classify",
    "grade",
    "iterate_questions",
    "load_questions",
    "permute",
    "rewrite_references",
    "sample_orders",
]

register_environments()
