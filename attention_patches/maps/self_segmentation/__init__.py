"""Self-Segmentation (Patashnik et al., ICCV 2023)."""
