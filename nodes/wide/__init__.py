"""Pictures larger than a model was trained for: windows, and regions with prompts of their own."""
