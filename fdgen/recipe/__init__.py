"""The settings of a dataset: recipes, their files, strata, combinations of occluders, target shares."""
