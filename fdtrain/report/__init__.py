"""One self-contained page about runs, evaluations, comparisons and ablations.

sources     folders read back          measured   their numbers as tables      cases   the worst, the median, the best
curves      the log of a training       charts     drawings as inline SVG       gallery restored test pictures
pages       all of it as HTML, Markdown and LaTeX, by the template, style and script next to this file
"""
