"""The paper's tables on your own data: many rows, one budget, the same test pictures.

plan.py     what is asked: methods, seeds, a budget; the config that each method trains with
work.py     one row and seed: train, measure, write the result; in a process of its own
compare.py  all of them, what is done is left alone; then the tables
pairs.py    means with errors over pictures and seeds, and paired tests
tables.py   Table 1 as text, CSV, JSON, Markdown and LaTeX
ablation.py what is changed in a preset: the rows of tables 2 and 3, of an axis, of unseen occluders
findings.py their tables, and which of the paper's orderings hold
photographs.py  the same methods on photographs of which no clean picture exists
"""
