"""How a benchmark is set up: the host in its process, models, scenes, whose turn it is, memory."""
