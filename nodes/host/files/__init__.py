"""Files of the nodes in the host's folders."""
