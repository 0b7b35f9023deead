"""What becomes of figures: records, tables and sentences."""
