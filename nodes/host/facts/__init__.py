"""What is known of one sampling run: its methods, and what each of its conditionings is."""
