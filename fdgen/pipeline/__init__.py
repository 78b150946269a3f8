"""From triplets to a dataset: the plan, the workers, the landmarks, and the tables."""
