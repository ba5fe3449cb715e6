"""A test set of takes, good and spoiled, made by synthesisers that the machine can install."""
