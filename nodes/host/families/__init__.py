"""What is true of one architecture only, a file each."""
