"""The machinery of a check: claims and their registry, the problem, hypotheses, measured sides, tolerances and verdicts."""
