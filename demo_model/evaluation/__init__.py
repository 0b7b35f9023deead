"""How good the demo model is: generated pictures read by the judge, and where its words look."""
