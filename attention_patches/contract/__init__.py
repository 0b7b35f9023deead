"""What the author of a method reads: where an attention call is, what it carries, what a method may do."""
