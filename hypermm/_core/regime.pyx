"""Three states of a ratio, such as fast over slow volatility, with hysteresis.

Up at once, because quoting too tight costs money; down one state at a time and only after a
while, because flapping does too.
"""

cimport cython
from libc.math cimport INFINITY


@cython.final
cdef class Regime:
    """Normal (0), high (1) or extreme (2), from a ratio.

    Parameters
    ----------
    up : tuple of float
        The state becomes 1 from this ratio on, and 2 from that: 0 < up[0] < up[1].
    down : tuple of float
        It falls back to 0 at or below this ratio, and to 1 at or below that: 0 < down < up.
    min_dwell : int
        It falls only when more observations than this have passed since the last change, >= 0.

    Attributes
    ----------
    state, dwell, min_dwell : int
        The state, the observations since it changed, and the least number before it may fall.

    Raises
    ------
    ValueError
        If thresholds are not in order or a value is outside its domain.

    Notes
    -----
    Going up is immediate and may skip a state. A ratio that is not known is no observation.

    Examples
    --------
    >>> regime = Regime(up=(1.5, 3.0), down=(1.2, 2.4), min_dwell=1)
    >>> [regime.update(ratio) for ratio in (1.0, 4.0, 1.0, 1.0, 1.0, 1.0)]
    [0, 2, 2, 1, 1, 0]
    """

    def __cinit__(self, *, up=(1.5, 3.0), down=(1.2, 2.4), int64_t min_dwell=0):
        cdef Py_ssize_t i
        if len(up) != 2 or len(down) != 2:
            raise ValueError(f"up and down must hold two ratios each: {up}, {down}")
        for i in range(2):
            self._up[i] = up[i]
            self._down[i] = down[i]
            if not 0.0 < self._down[i] < self._up[i] < INFINITY:
                raise ValueError(f"down[{i}] must be > 0 and < up[{i}] {up[i]}: {down[i]}")
        if not (self._up[0] < self._up[1] and self._down[0] <= self._down[1]):
            raise ValueError(f"up and down must rise from state to state: {up}, {down}")
        if min_dwell < 0:
            raise ValueError(f"min_dwell must be >= 0: {min_dwell}")
        self.min_dwell = min_dwell

    def update(self, float64_t ratio):
        """Take in an observation; return the state.

        Raises
        ------
        ValueError
            If the ratio is NaN, infinite or negative.
        """
        _check(ratio, "ratio")
        return self.add(ratio)

    def run(self, const float64_t[::1] ratios, int8_t[::1] out):
        """Take in a series of observations and write the state after each.

        Parameters
        ----------
        ratios : array of float64, shape (n,)
            Finite, >= 0.
        out : array of int8, shape (n,)
            Receives 0, 1 or 2.

        Raises
        ------
        ValueError
            If a ratio is outside its domain, or the lengths differ.

        Notes
        -----
        The same as `update` with each. Allocates nothing; the GIL is released.
        """
        cdef Py_ssize_t i, n = ratios.shape[0]
        if out.shape[0] != n:
            raise ValueError(f"out must have length {n}: {out.shape[0]}")
        for i in range(n):
            _check(ratios[i], f"ratios[{i}]") if not 0.0 <= ratios[i] < INFINITY else None
        with nogil:
            for i in range(n):
                out[i] = self.add(ratios[i])

    cdef int8_t add(self, float64_t ratio) noexcept nogil:
        cdef int8_t target = self.state
        self.dwell += 1
        while target < 2 and ratio >= self._up[target]:
            target += 1
        if (
            target == self.state
            and target > 0
            and ratio <= self._down[target - 1]
            and self.dwell > self.min_dwell
        ):
            target -= 1
        if target != self.state:
            self.state = target
            self.dwell = 0
        return target


cdef int _check(float64_t ratio, str name) except -1:
    if not 0.0 <= ratio < INFINITY:
        raise ValueError(f"{name} must be >= 0 and finite: {ratio}")
    return 0
