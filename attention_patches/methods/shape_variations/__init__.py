"""Shape variations: other shapes of one object in a picture (Patashnik et al., ICCV 2023)."""
