"""A market maker for Hyperliquid perpetuals: Cython kernels and a thin Python shell."""
