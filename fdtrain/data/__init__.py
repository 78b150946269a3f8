"""From shards to batches: stored samples, triplets, silhouettes, sampler, loader, augmentation."""
