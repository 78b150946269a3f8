"""Networks of other papers, a module a system; those of the first comparisons are one folder above."""
