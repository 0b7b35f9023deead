"""One sampling run: from the patch on a MODEL to the report."""
