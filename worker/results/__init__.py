"""The result files of a batch, written beside its audio once all of its jobs have finished."""
