"""Stoikov's microprice: where the mid goes from a state of imbalance and spread, in expectation.

All systems are solved by state reduction (Grassmann, Taksar and Heyman): diagonals are sums of
what leaves a state, so that nothing is ever subtracted and small probabilities keep their digits.
"""

from libc.math cimport fabs


cdef Py_ssize_t eliminate(
    Py_ssize_t n,
    float64_t* rates,
    float64_t* leaving,
    float64_t* diagonal,
    Py_ssize_t* order,
    bint has_leaving,
) noexcept nogil:
    cdef Py_ssize_t step, i, j, k, best, a, b
    cdef float64_t total, largest, share
    for i in range(n):
        order[i] = i
    for step in range(n if has_leaving else n - 1):
        # The state that is left fastest goes first: one that is never left has to stay.
        best, largest = step, 0.0
        for a in range(step, n):
            i = order[a]
            total = leaving[i] if has_leaving else 0.0
            for b in range(step, n):
                if b != a:
                    total += rates[i * n + order[b]]
            if total > largest:
                best, largest = a, total
        k = order[best]
        if not largest > 0.0:
            return k
        order[best], order[step] = order[step], k
        diagonal[k] = largest
        for a in range(step + 1, n):
            i = order[a]
            share = rates[i * n + k] / largest
            if share == 0.0:
                continue
            for b in range(step + 1, n):
                j = order[b]
                rates[i * n + j] += share * rates[k * n + j]
            if has_leaving:
                leaving[i] += share * leaving[k]
    return -1


cdef void solve(
    Py_ssize_t n,
    const float64_t* rates,
    const float64_t* diagonal,
    const Py_ssize_t* order,
    float64_t* x,
    Py_ssize_t columns,
    bint has_leaving,
) noexcept nogil:
    cdef Py_ssize_t last = n if has_leaving else n - 1
    cdef Py_ssize_t step, a, i, k, c
    cdef float64_t share
    for step in range(last):
        k = order[step]
        for a in range(step + 1, n):
            i = order[a]
            share = rates[i * n + k] / diagonal[k]
            if share != 0.0:
                for c in range(columns):
                    x[i * columns + c] += share * x[k * columns + c]
    if not has_leaving:
        for c in range(columns):
            x[order[n - 1] * columns + c] = 0.0
    for step in range(last - 1, -1, -1):
        k = order[step]
        for a in range(step + 1, n):
            i = order[a]
            share = rates[k * n + i]
            if share != 0.0:
                for c in range(columns):
                    x[k * columns + c] += share * x[i * columns + c]
        for c in range(columns):
            x[k * columns + c] /= diagonal[k]


cdef void _stationary(
    Py_ssize_t n,
    const float64_t* rates,
    const float64_t* diagonal,
    const Py_ssize_t* order,
    float64_t* w,
) noexcept nogil:
    cdef Py_ssize_t step, a, i, k
    cdef float64_t total = 1.0
    w[order[n - 1]] = 1.0
    for step in range(n - 2, -1, -1):
        k = order[step]
        w[k] = 0.0
        for a in range(step + 1, n):
            i = order[a]
            w[k] += w[i] * rates[i * n + k] / diagonal[k]
        total += w[k]
    for i in range(n):
        w[i] /= total


cdef int _check_rows(str name, const float64_t[:, ::1] rows, Py_ssize_t n, Py_ssize_t m) except -1:
    cdef Py_ssize_t i, j
    if rows.shape[0] != n or rows.shape[1] != m:
        raise ValueError(f"{name} must have shape ({n}, {m}): ({rows.shape[0]}, {rows.shape[1]})")
    for i in range(n):
        for j in range(m):
            if not 0.0 <= rows[i, j] <= 1.0:
                raise ValueError(f"{name}[{i}, {j}] must lie in [0, 1]: {rows[i, j]}")
    return 0


def solve_microprice(
    const float64_t[:, ::1] stay,
    const float64_t[:, ::1] move,
    const float64_t[:, ::1] size,
    const float64_t[::1] moves,
    float64_t[:, ::1] work,
    Py_ssize_t[::1] order,
    float64_t[::1] out_first,
    float64_t[::1] out_stationary,
    float64_t[::1] out_adjustment,
    *,
    bint subtract_drift=False,
):
    """Solve for the expected total move of the mid from each state.

    Parameters
    ----------
    stay : array of float64, shape (n, n)
        Q: probability of the next state with the mid where it was.
    move : array of float64, shape (n, n)
        T: probability of the next state with the mid moved.
    size : array of float64, shape (n, m)
        R: probability that the mid moves by each of `moves`. R is taken as it is; the rows of T
        are scaled to the sum of R's, those of Q to the rest.
    moves : array of float64, shape (m,)
        K: moves of the mid, in ticks or any one unit, finite.
    work : array of float64, shape (2 n + 2, n)
        Scratch; its rows n to 2n hold B = (I-Q)^-1 T afterwards, overwritten by its elimination.
    order : array of intp, shape (n,)
        Scratch.
    out_first : array of float64, shape (n,)
        Receives G1 = (I-Q)^-1 R K: the expected first move.
    out_stationary : array of float64, shape (n,)
        Receives w with w'B = w', sum 1: how often a move of the mid ends in each state.
    out_adjustment : array of float64, shape (n,)
        Receives G* = sum of B^i G1: the expected total move, with w'G* = 0.
    subtract_drift : bool
        Take w'G1 off G1 where it is not 0. Say so only if that is what is meant: the data are
        symmetrised instead, as a rule.

    Returns
    -------
    float
        w'G1, the drift of the mid in the long run.

    Raises
    ------
    ValueError
        If a value is not finite or outside its domain, shapes do not fit, the mid never moves from
        a state, the states fall into groups that do not reach each other, or the drift is not 0
        (above 1e-9 of the largest move) and is not to be subtracted.

    Notes
    -----
    G* solves (I-B) G* = G1, which has a solution only without drift. Source: Stoikov (2018), "The
    micro-price". Allocates nothing; about n^3 multiply-adds.
    """
    cdef Py_ssize_t i, j, n = stay.shape[0], m = moves.shape[0], broken
    cdef float64_t* rates
    cdef float64_t* onward
    cdef float64_t* leaving
    cdef float64_t* diagonal
    cdef float64_t drift = 0.0, largest = 0.0, mean = 0.0
    if n < 1 or m < 1:
        raise ValueError(f"there must be a state and a move: {n}, {m}")
    _check_rows("stay", stay, n, n)
    _check_rows("move", move, n, n)
    _check_rows("size", size, n, m)
    for j in range(m):
        if not fabs(moves[j]) <= 1e100:
            raise ValueError(f"moves[{j}] must be finite: {moves[j]}")
        largest = max(largest, fabs(moves[j]))
    if work.shape[0] != 2 * n + 2 or work.shape[1] != n:
        raise ValueError(f"work must have shape ({2 * n + 2}, {n})")
    for name, length in (
        ("order", order.shape[0]),
        ("out_first", out_first.shape[0]),
        ("out_stationary", out_stationary.shape[0]),
        ("out_adjustment", out_adjustment.shape[0]),
    ):
        if length != n:
            raise ValueError(f"{name} must have length {n}: {length}")
    rates, onward = &work[0, 0], &work[n, 0]
    leaving, diagonal = &work[2 * n, 0], &work[2 * n + 1, 0]
    for i in range(n):
        _scale_row(i, stay, move, size, rates, onward, leaving)
        out_first[i] = 0.0
        for j in range(m):
            out_first[i] += size[i, j] * moves[j]
    with nogil:
        broken = eliminate(n, rates, leaving, diagonal, &order[0], True)
        if broken < 0:
            solve(n, rates, diagonal, &order[0], &out_first[0], 1, True)
            solve(n, rates, diagonal, &order[0], onward, n, True)
            broken = eliminate(n, onward, leaving, diagonal, &order[0], False)
            if broken < 0:
                _stationary(n, onward, diagonal, &order[0], &out_stationary[0])
        elif broken >= 0:
            broken += n
    if broken >= n:
        raise ValueError(f"size[{broken - n}] must lead to a move: from there the mid stands still")
    if broken >= 0:
        raise ValueError(f"move[{broken}] must lead to the other states: they fall into groups")
    for i in range(n):
        drift += out_stationary[i] * out_first[i]
    if fabs(drift) > 1e-9 * largest and not subtract_drift:
        raise ValueError(f"size must have no drift, symmetrise the data: w'G1 = {drift}")
    for i in range(n):
        out_adjustment[i] = out_first[i] - drift
    with nogil:
        solve(n, onward, diagonal, &order[0], &out_adjustment[0], 1, False)
        for i in range(n):
            mean += out_stationary[i] * out_adjustment[i]
        for i in range(n):
            out_adjustment[i] -= mean
    return drift


cdef int _scale_row(
    Py_ssize_t i,
    const float64_t[:, ::1] stay,
    const float64_t[:, ::1] move,
    const float64_t[:, ::1] size,
    float64_t* rates,
    float64_t* onward,
    float64_t* leaving,
) except -1:
    cdef Py_ssize_t j, n = stay.shape[0]
    cdef float64_t moved = 0.0, stays = 0.0, moves = 0.0, scale
    for j in range(size.shape[1]):
        moved += size[i, j]
    for j in range(n):
        stays += stay[i, j]
        moves += move[i, j]
    if moved > 1.0 + 1e-9:
        raise ValueError(f"size[{i}] must sum to at most 1: {moved}")
    if moved > 0.0 and not moves > 0.0:
        raise ValueError(f"move[{i}] must lead somewhere: the mid moves with probability {moved}")
    if moved < 1.0 - 1e-9 and not stays > 0.0:
        raise ValueError(f"stay[{i}] must lead somewhere: the mid stays with {1.0 - moved}")
    scale = max(1.0 - moved, 0.0) / stays if stays > 0.0 else 0.0
    for j in range(n):
        rates[i * n + j] = stay[i, j] * scale
    scale = moved / moves if moved > 0.0 else 0.0
    for j in range(n):
        onward[i * n + j] = move[i, j] * scale
    leaving[i] = moved
    return 0


def count_transitions(
    const Py_ssize_t[::1] states,
    const Py_ssize_t[::1] mid_moves,
    float64_t[:, ::1] out_stay,
    float64_t[:, ::1] out_move,
    float64_t[:, ::1] out_size,
    *,
    Py_ssize_t imbalance_buckets,
):
    """Count transitions, each a second time with bid and ask exchanged, and add them up.

    Parameters
    ----------
    states : array of intp, shape (n,)
        Spread bucket times `imbalance_buckets` plus imbalance bucket, at each observation.
    mid_moves : array of intp, shape (n,)
        Move of the mid from the observation before, in steps, cut to -m to m. The first is not
        read.
    out_stay, out_move : arrays of float64, shape (s, s)
        Added to: transitions without and with a move of the mid, from row to column.
    out_size : array of float64, shape (s, 2 m + 1)
        Added to: moves by -m to m steps from each state; the middle column stays as it is.
    imbalance_buckets : int
        Buckets of imbalance; s is a multiple of it.

    Raises
    ------
    ValueError
        If shapes do not fit, or a state or move is out of range.

    Notes
    -----
    Counted with their mirror images, the data have no drift. Allocates nothing.
    """
    cdef Py_ssize_t i, s = out_stay.shape[0], n = states.shape[0], half = out_size.shape[1] // 2
    cdef Py_ssize_t start, stop, step, a, b
    if mid_moves.shape[0] != n:
        raise ValueError(f"mid_moves must have length {n}: {mid_moves.shape[0]}")
    if out_stay.shape[1] != s or out_move.shape[0] != s or out_move.shape[1] != s:
        raise ValueError(f"out_stay and out_move must have shape ({s}, {s})")
    if out_size.shape[0] != s or out_size.shape[1] != 2 * half + 1:
        raise ValueError(f"out_size must have shape ({s}, odd)")
    if imbalance_buckets < 1 or s % imbalance_buckets:
        raise ValueError(f"imbalance_buckets must divide {s}: {imbalance_buckets}")
    for i in range(n):
        if not 0 <= states[i] < s:
            raise ValueError(f"states[{i}] must lie in 0 to {s - 1}: {states[i]}")
        if i > 0 and not -half <= mid_moves[i] <= half:
            raise ValueError(f"mid_moves[{i}] must lie in -{half} to {half}: {mid_moves[i]}")
    with nogil:
        for i in range(1, n):
            start, stop, step = states[i - 1], states[i], mid_moves[i]
            a = _mirror(start, imbalance_buckets)
            b = _mirror(stop, imbalance_buckets)
            if step == 0:
                out_stay[start, stop] += 1.0
                out_stay[a, b] += 1.0
            else:
                out_move[start, stop] += 1.0
                out_move[a, b] += 1.0
                out_size[start, half + step] += 1.0
                out_size[a, half - step] += 1.0


cdef Py_ssize_t _mirror(Py_ssize_t state, Py_ssize_t imbalance_buckets) noexcept nogil:
    cdef Py_ssize_t bucket = state % imbalance_buckets
    return state - bucket + (imbalance_buckets - 1 - bucket)
