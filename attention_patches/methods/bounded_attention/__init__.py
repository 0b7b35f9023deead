"""Bounded Attention (Dahary et al., ECCV 2024)."""
