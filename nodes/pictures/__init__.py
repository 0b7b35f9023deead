"""Pictures of recorded attention; torch, numpy and Pillow, nothing of the host."""
