"""Evaluation on a split: evaluator, summaries, references, audit of reported numbers."""
