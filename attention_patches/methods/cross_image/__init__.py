"""Cross-Image Attention (Alaluf et al., SIGGRAPH 2024)."""
