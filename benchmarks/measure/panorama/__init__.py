"""Wide pictures and pictures of several styles."""
