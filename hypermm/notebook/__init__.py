"""The kernels for research: arrays in, small frozen results out, every input checked by name."""
