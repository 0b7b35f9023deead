"""Other pictures that are let through the model beside the run, and what they leave for it."""
