"""Photographs that are not files of a folder here: objects behind a URL, members of tars, rows of Parquet."""
