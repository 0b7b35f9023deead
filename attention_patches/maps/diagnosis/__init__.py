"""Why a prompt failed: what became of each thing that it names, from the attention of one run."""
