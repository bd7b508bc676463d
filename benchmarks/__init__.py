"""What the fast paths cost: gates by ratio, and the peers side by side.

A package, because its files may then have the names of files in `tests/` in one call of pytest.
"""
