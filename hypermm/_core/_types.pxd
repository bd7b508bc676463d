# The few C types that every kernel shares. Only float64: the same inputs give the same bits.
from libc.stdint cimport int8_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

ctypedef double float64_t
