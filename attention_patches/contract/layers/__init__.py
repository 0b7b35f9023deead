"""The layers of a model, their sizes, what authors use of them, and how users name them."""
