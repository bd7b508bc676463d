"""Every kernel again in plain Python: slow, obvious, and written from the formulas."""
