"""What time and memory are compared with."""
