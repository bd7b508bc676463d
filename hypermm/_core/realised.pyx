"""Realised measures of a window of returns: variance, robust to jumps or not, and the jump test.

Sums are formed in lanes whose number and order are fixed, so that the same returns give the same
bits on every processor.
"""

from libc.math cimport NAN, cbrt, erfc, fabs, frexp, ldexp, sqrt

cdef extern from * nogil:
    """
    #include <math.h>
    #include <stddef.h>
    #include <string.h>

    /* Sums of a*a and |a*b| over m returns a, with b the return before: eight partial sums each,
       added in one fixed order. Two returns a register where the compiler knows vectors; the
       plain form below gives the same bits. */
    #if defined(__GNUC__)
    typedef double hypermm_pair __attribute__((vector_size(16)));
    typedef long long hypermm_bits __attribute__((vector_size(16)));

    static inline hypermm_pair hypermm_load(const double* from) {
        hypermm_pair pair;
        memcpy(&pair, from, sizeof pair);
        return pair;
    }

    static inline hypermm_pair hypermm_size(hypermm_pair value) {
        const hypermm_bits rest = {0x7fffffffffffffffLL, 0x7fffffffffffffffLL};
        return (hypermm_pair)((hypermm_bits)value & rest);
    }

    static void hypermm_block(const double* r, ptrdiff_t m, double* squares, double* products) {
        hypermm_pair s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0}, c0 = {0}, c1 = {0}, c2 = {0}, c3 = {0};
        ptrdiff_t i = 0;
        for (; i + 8 <= m; i += 8) {
            hypermm_pair a0 = hypermm_load(r + i), a1 = hypermm_load(r + i + 2);
            hypermm_pair a2 = hypermm_load(r + i + 4), a3 = hypermm_load(r + i + 6);
            s0 += a0 * a0;
            s1 += a1 * a1;
            s2 += a2 * a2;
            s3 += a3 * a3;
            c0 += hypermm_size(a0 * hypermm_load(r + i - 1));
            c1 += hypermm_size(a1 * hypermm_load(r + i + 1));
            c2 += hypermm_size(a2 * hypermm_load(r + i + 3));
            c3 += hypermm_size(a3 * hypermm_load(r + i + 5));
        }
        s0 = (s0 + s1) + (s2 + s3);
        c0 = (c0 + c1) + (c2 + c3);
        *squares = s0[0] + s0[1];
        *products = c0[0] + c0[1];
        for (; i < m; i++) {
            *squares += r[i] * r[i];
            *products += fabs(r[i] * r[i - 1]);
        }
    }
    #else
    static void hypermm_block(const double* r, ptrdiff_t m, double* squares, double* products) {
        double s[8] = {0}, c[8] = {0};
        ptrdiff_t i = 0;
        int j;
        for (; i + 8 <= m; i += 8) {
            for (j = 0; j < 8; j++) s[j] += r[i + j] * r[i + j];
            for (j = 0; j < 8; j++) c[j] += fabs(r[i + j] * r[i + j - 1]);
        }
        *squares = ((s[0] + s[2]) + (s[4] + s[6])) + ((s[1] + s[3]) + (s[5] + s[7]));
        *products = ((c[0] + c[2]) + (c[4] + c[6])) + ((c[1] + c[3]) + (c[5] + c[7]));
        for (; i < m; i++) {
            *squares += r[i] * r[i];
            *products += fabs(r[i] * r[i - 1]);
        }
    }
    #endif
    """
    void hypermm_block(
        const float64_t* r, Py_ssize_t m, float64_t* squares, float64_t* products
    )

# Moments of |Z|, Z standard normal, and the constants of the estimators that follow from them.
cdef float64_t HALF_PI = 1.5707963267948966
cdef float64_t MU_4_3 = 0.8308609250295591  # E|Z|^(4/3)
cdef float64_t MIN_2 = 2.751938393884109  # pi / (pi - 2)
cdef float64_t MIN_4 = 2.204969995390253  # pi / (3 pi - 8)
cdef float64_t MED_2 = 1.4193583020224414  # pi / (6 - 4 sqrt(3) + pi)
cdef float64_t MED_4 = 0.9233015713550486  # 3 pi / (9 pi + 72 - 52 sqrt(3))
cdef float64_t RATIO_VARIANCE = 0.608993753862133  # (pi/2)^2 + pi - 5
cdef float64_t BIPOWER_VARIANCE = 2.609  # (pi/2)^2 + pi - 3, per observation over sigma^4
cdef float64_t SAFE_LOW = 1e-280         # sums of squares inside are exact enough unscaled
cdef float64_t SAFE_HIGH = 1e280

cdef enum:
    BLOCK = 64  # returns; volatility is taken as constant over them for the standard errors


cdef Realised _sums(
    const float64_t* log_returns, Py_ssize_t n, float64_t scale
) noexcept nogil:
    # A block's variance is s/m, its square over-estimates sigma^4 by 1 + 2/m (2.609/m).
    cdef Realised total
    cdef float64_t copy[BLOCK + 1]
    cdef const float64_t* block
    cdef float64_t squares = 0.0, products = 0.0, first = log_returns[0] * scale
    cdef Py_ssize_t i = 1, j, m
    total.rv = first * first
    total.bv = 0.0
    total.bv_se = 0.0
    total.rv_se = total.rv * total.rv / 3.0
    while i < n:
        m = min(<Py_ssize_t> BLOCK, n - i)
        block = log_returns + i
        if scale != 1.0:
            for j in range(m + 1):
                copy[j] = log_returns[i - 1 + j] * scale
            block = copy + 1
        hypermm_block(block, m, &squares, &products)
        total.rv += squares
        total.bv += products
        total.rv_se += squares * squares / (<float64_t> m + 2.0)
        total.bv_se += products * products / (<float64_t> m + BIPOWER_VARIANCE)
        i += m
    return total


cdef Realised realised_of(const float64_t* log_returns, Py_ssize_t n) noexcept nogil:
    cdef Realised total = _sums(log_returns, n, 1.0)
    cdef float64_t largest = 0.0, unit = 1.0, factor = NAN
    cdef int exponent = 0
    cdef Py_ssize_t i
    if not SAFE_LOW < total.rv < SAFE_HIGH and total.rv == total.rv:
        # A power of two brings the largest return near 1, exactly: squares neither overflow nor
        # vanish.
        for i in range(n):
            largest = max(largest, fabs(log_returns[i]))
        frexp(largest, &exponent)
        if -1000 < exponent < 1000:
            total = _sums(log_returns, n, ldexp(1.0, -exponent))
            unit = ldexp(1.0, exponent)
    if n >= 2:
        factor = HALF_PI * <float64_t> n / <float64_t> (n - 1)
    total.rv *= unit * unit
    total.bv *= factor * unit * unit
    total.rv_se = sqrt(2.0 * total.rv_se) * unit * unit
    total.bv_se = factor * sqrt(BIPOWER_VARIANCE * total.bv_se) * unit * unit
    return total


def realised_bipower(const float64_t[::1] log_returns):
    """Measure realised and bipower variance of a window in one pass.

    Parameters
    ----------
    log_returns : array of float64, shape (n,), n >= 1
        Log returns, dimensionless, smaller than 1e150.

    Returns
    -------
    tuple of float
        Realised variance, bipower variation with its factor n/(n-1) (NaN for one return), and
        their standard errors; variance over the window, dimensionless.

    Raises
    ------
    ValueError
        If there is no return, or one is NaN or beyond 1e150.

    Notes
    -----
    RV = sum r^2, BV = (pi/2) n/(n-1) sum |r_i||r_(i-1)|. The standard errors take volatility as
    constant over blocks of 64 returns: sqrt(2 sum s^2/(m+2)) and sqrt(2.609 sum b^2/(m+2.609)).
    The GIL is released. Source: Barndorff-Nielsen and Shephard (2004), "Power and bipower
    variation with stochastic volatility and jumps".

    Examples
    --------
    >>> import numpy as np
    >>> rv, bv, _, _ = realised_bipower(np.array([0.001, -0.001, 0.001, -0.001]))
    >>> round(rv, 9), round(bv, 9)
    (4e-06, 6.283e-06)
    """
    cdef Py_ssize_t i, n = log_returns.shape[0]
    cdef Realised total
    if n < 1:
        raise ValueError("log_returns must hold at least one return")
    with nogil:
        total = realised_of(&log_returns[0], n)
    if not total.rv < 1e299:  # the sum has seen every return: only now look which one it was
        for i in range(n):
            if not fabs(log_returns[i]) < 1e150:
                raise ValueError(
                    f"log_returns[{i}] must be finite and below 1e150: {log_returns[i]}"
                )
    return total.rv, total.bv, total.rv_se, total.bv_se


cdef inline float64_t _median(float64_t a, float64_t b, float64_t c) noexcept nogil:
    return max(min(a, b), min(max(a, b), c))


cdef void _jump_test(Variation* v, Py_ssize_t n) noexcept nogil:
    # Huang and Tauchen (2005), ratio form with the maximum adjustment.
    cdef float64_t spread = 1.0
    if v.rv == 0.0:
        v.jump_ratio, v.relative_jump = 1.0, 0.0
    else:
        v.jump_ratio = JUMP_RATIO_CAP
        if v.bv * <float64_t> JUMP_RATIO_CAP > v.rv:
            v.jump_ratio = v.rv / v.bv
        v.relative_jump = (v.rv - v.bv) / v.rv
    v.jump_variance = max(v.rv - v.bv, 0.0)
    if n < 3:
        return
    if v.bv > 0.0:
        spread = max(1.0, v.tpq / (v.bv * v.bv))
    v.jump_statistic = v.relative_jump / sqrt(RATIO_VARIANCE / <float64_t> n * spread)
    v.jump_p_value = 0.5 * erfc(v.jump_statistic / sqrt(2.0))


cdef Variation variation_of(const float64_t* log_returns, Py_ssize_t n) noexcept nogil:
    cdef Variation v
    cdef float64_t a = 0.0, b = 0.0, c = 0.0, d = 0.0, small, size = <float64_t> n
    cdef float64_t root = 0.0, root_b = 0.0, root_c = 0.0, largest = 0.0, scale
    cdef int exponent = 0
    cdef Py_ssize_t i
    v.rv = v.bv = v.minrv = v.medrv = v.tpq = v.qpq = v.minrq = v.medrq = 0.0
    v.jump_ratio = v.relative_jump = v.jump_statistic = v.jump_p_value = v.jump_variance = NAN
    for i in range(n):
        largest = max(largest, fabs(log_returns[i]))
    # A power of two brings the largest return near 1: fourth powers neither overflow nor vanish,
    # and the scaling itself is exact.
    frexp(largest, &exponent)
    scale = ldexp(1.0, -exponent)
    for i in range(n):
        d, c, b = c, b, a
        root_c, root_b = root_b, root
        a = fabs(log_returns[i]) * scale
        root = cbrt(a)  # once a return, rather than a power of each product of three
        v.rv += a * a
        if i >= 1:
            v.bv += a * b
            small = min(a, b) * min(a, b)
            v.minrv += small
            v.minrq += small * small
        if i >= 2:
            small = root * root_b * root_c
            v.tpq += (small * small) * (small * small)
            small = _median(a, b, c) * _median(a, b, c)
            v.medrv += small
            v.medrq += small * small
        if i >= 3:
            v.qpq += a * b * c * d
    v.bv *= HALF_PI * size / (size - 1.0) if n >= 2 else NAN
    v.minrv *= MIN_2 * size / (size - 1.0) if n >= 2 else NAN
    v.minrq *= MIN_4 * size * size / (size - 1.0) if n >= 2 else NAN
    v.medrv *= MED_2 * size / (size - 2.0) if n >= 3 else NAN
    v.medrq *= MED_4 * size * size / (size - 2.0) if n >= 3 else NAN
    v.tpq *= size * size / ((size - 2.0) * MU_4_3 * MU_4_3 * MU_4_3) if n >= 3 else NAN
    v.qpq *= HALF_PI * HALF_PI * size * size / (size - 3.0) if n >= 4 else NAN
    if n >= 2:
        _jump_test(&v, n)
    _unscale(&v, ldexp(1.0, exponent))
    return v


cdef void _unscale(Variation* v, float64_t unit) noexcept nogil:
    cdef float64_t square = unit * unit
    v.rv *= square
    v.bv *= square
    v.minrv *= square
    v.medrv *= square
    v.jump_variance *= square
    v.tpq *= square * square
    v.qpq *= square * square
    v.minrq *= square * square
    v.medrq *= square * square


def realised_variation(const float64_t[::1] log_returns):
    """Measure the variation of one window of returns.

    Parameters
    ----------
    log_returns : array of float64, shape (n,), n >= 1
        Log returns, dimensionless, finite.

    Returns
    -------
    dict of float
        `rv`, `bv`, `minrv`, `medrv`: variance over the window, dimensionless. `tpq`, `qpq`,
        `minrq`, `medrq`: quarticity of a window of length 1. `jump_ratio` rv/bv (at most 1000),
        `relative_jump` (rv-bv)/rv, `jump_statistic` about N(0, 1) without jumps,
        `jump_p_value` one-sided, `jump_variance` max(rv-bv, 0). NaN where n is too small.

    Raises
    ------
    ValueError
        If there is no return, or one is not finite.

    Notes
    -----
    Each measure carries its finite-sample factor n/(n-j). Sources: Barndorff-Nielsen and
    Shephard (2004) for bv; Andersen, Dobrev and Schaumburg (2012) for minrv and medrv; Huang
    and Tauchen (2005) for the statistic.

    Examples
    --------
    >>> import numpy as np
    >>> measures = realised_variation(np.array([0.001, -0.001, 0.001, -0.001]))
    >>> round(measures["rv"], 9), round(measures["bv"], 9)
    (4e-06, 6.283e-06)
    """
    cdef Py_ssize_t i, n = log_returns.shape[0]
    if n < 1:
        raise ValueError("log_returns must hold at least one return")
    for i in range(n):
        if not fabs(log_returns[i]) < 1e300:
            raise ValueError(f"log_returns[{i}] must be finite: {log_returns[i]}")
    return variation_of(&log_returns[0], n)
