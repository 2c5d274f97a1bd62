r"""The benchmarks' published scoring rules, one file each; ``Question.scoring`` names one.

They are for comparing figures with published ones. Our own rule, "strict", is in
``perl_env.grading``; it reads more kinds of right answer and takes no wrong one for right.

Common to all of them:

* An answer that the reply marks as such (``\boxed{…}``, ``<answer>…</answer>``) is what the rule is
  applied to; else it is applied to what the reply says after its thoughts. The published rules know no
  boxes (but MathVision's), but PeRL's prompt asks for one, and "first letter of the reply" would read
  every ``\boxed{…}`` as B.
* A reply that the rule cannot read is unparsable. Where the published scorer then asks a language model,
  or takes an option at random, ours does neither; ``Rule.judge`` says where that matters.
"""

from perl_env.scoring.registry import RULES, find_rule
from perl_env.scoring.rule import Reading, Rule

__all__ = ["RULES", "Reading", "Rule", "find_rule"]
