"""What happens inside one call of the model."""
