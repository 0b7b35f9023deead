"""What maps and diagnoses are compared with."""
