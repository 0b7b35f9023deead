"""Plug-and-Play (Tumanyan et al., CVPR 2023)."""
