"""The kernels: one a file, on arrays and structs that the caller owns."""
