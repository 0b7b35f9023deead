"""What nodes read off a recorded run: its pictures, its prompt, and what its model says of them."""
