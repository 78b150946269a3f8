"""What a dataset is asked to be: settings of a recipe, their files, strata, combinations of occluders, quotas."""
