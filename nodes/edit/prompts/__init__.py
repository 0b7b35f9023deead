"""The prompts of a batch of edits: read, encoded, paired with each other, and told of."""
