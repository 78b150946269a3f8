"""The paper's Table 1 on one's own data: many methods, one budget, the same test pictures.

plan.py     what is asked: methods, seeds, a budget; the config that each method trains with
work.py     one row and seed: train, measure, write the result; in a process of its own
compare.py  all of them, what is done is left alone; then the tables
pairs.py    means with errors over pictures and seeds, and paired tests
tables.py   the tables as text, CSV, JSON, Markdown and LaTeX
photographs.py  the same methods on photographs of which no clean picture exists
"""
