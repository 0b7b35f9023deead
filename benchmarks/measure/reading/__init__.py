"""How pictures are read: by the judge, by features learnt from photographs, and by pairs."""
