"""StyleAligned (Hertz et al., CVPR 2024)."""
