"""The machinery of a check: claims and their registry, the problem, hypotheses, measured sides, tolerances and verdicts.

A file of claims finds here, in one import, what it is written with: the decorator, the hypotheses, the measured sides, what floating
point loses, and the functions that serve floating point and exact arithmetic alike.
"""

from ...algorithms import Result
from .arithmetic import (
    absolute,
    as_float,
    erfc,
    exp,
    is_exact,
    lift,
    log,
    maximum,
    minimum,
    pi,
    rationals,
    smallest_eigenvalue,
    sqrt,
    tail_level,
)
from .claim import Claim, Evaluation, Kind, Origin
from .hypotheses import (
    Hypothesis,
    at_most,
    few_tails,
    infinite_alphabet,
    matched_inputs,
    mismatched_inputs,
    no_more_samples_than_features,
    nonzero_columns,
    one_step_per_neuron,
    positive_damping,
    positive_definite,
    unsaturated,
    validation_inputs,
    with_damping,
    with_first_features,
    with_first_neurons,
    with_first_samples,
    with_one_step,
    without_dead_features,
    without_ends,
)
from .measure import (
    against_steps,
    column_norms_squared,
    damped_deployed_error_squared,
    damped_error_squared,
    deployed_errors,
    drift,
    drift_loss,
    feedback,
    gram,
    held_out,
    largest_against_steps,
    literal_numbers,
    literal_reach,
    loss_in_squares,
    lower_product,
    output_loss,
    own_errors,
    pivot_sum,
    projection_reach,
    ridge,
    squares,
    step_sizes,
    undamped_pivots_squared,
    weighted_errors_squared,
)
from .problem import Problem
from .registry import claim
from .tolerance import EPS, cancellation, squared, sums

__all__ = [
    "EPS", "Claim", "Evaluation", "Hypothesis", "Kind", "Origin", "Problem", "Result", "absolute", "against_steps", "as_float",
    "at_most", "cancellation", "claim", "column_norms_squared", "damped_deployed_error_squared", "damped_error_squared",
    "deployed_errors", "drift", "drift_loss", "erfc", "exp", "feedback", "few_tails", "gram", "held_out", "infinite_alphabet",
    "is_exact", "largest_against_steps", "lift", "literal_numbers", "literal_reach", "log", "loss_in_squares", "lower_product",
    "matched_inputs", "maximum", "minimum", "mismatched_inputs", "no_more_samples_than_features", "nonzero_columns",
    "one_step_per_neuron", "output_loss", "own_errors", "pi", "pivot_sum", "positive_damping", "positive_definite", "projection_reach",
    "rationals", "ridge", "smallest_eigenvalue", "sqrt", "squared", "squares", "step_sizes", "sums", "tail_level",
    "undamped_pivots_squared", "unsaturated", "validation_inputs", "weighted_errors_squared", "with_damping", "with_first_features",
    "with_first_neurons", "with_first_samples", "with_one_step", "without_dead_features", "without_ends",
]
