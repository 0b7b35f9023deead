"""Methods with one mistake each, which a law must find."""
