"""MultiDiffusion: large pictures from windows, with prompts for regions."""
