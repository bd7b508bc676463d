"""The exchange in memory: venue, markets, server and faults."""
