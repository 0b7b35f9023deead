"""What an attention call is: where it happens, what it carries, its rotation, and what is closed in it."""
