"""The result files of a batch: what its jobs came to, written beside its audio, once all of them are over."""
