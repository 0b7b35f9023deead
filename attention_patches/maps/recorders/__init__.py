"""What records attention while a run goes on."""
