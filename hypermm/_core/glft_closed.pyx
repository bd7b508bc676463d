"""Closed forms of optimal quotes: for tests, notebooks and comparison with the exact solution.

They hold for small inventories far from any bound. Units as in `glft`: distances in bps of the
fair price, kappa and risk aversion in 1/bps, volatility in bps/sqrt(s), inventory in lots. Nothing
here allocates.
"""

from libc.math cimport INFINITY, NAN, asinh, exp, isfinite, log, log1p, sqrt, tanh

from hypermm._core.glft cimport (
    Market,
    base_depth,
    check,
    check_arrays,
    check_decay,
    closed_slope,
    log_factor,
)


cdef float64_t finite_slope(
    float64_t slope, float64_t rate, float64_t horizon, float64_t terminal_slope
) noexcept nogil:
    cdef float64_t t = tanh(rate * horizon)
    return slope * (terminal_slope + slope * t) / (slope + terminal_slope * t)


cdef float64_t linear_skew(float64_t slope, float64_t inventory) noexcept nogil:
    return slope * (inventory + 0.5)


cdef float64_t asinh_skew(
    float64_t kappa, float64_t inventory_risk, float64_t inventory
) noexcept nogil:
    # The factor in brackets is the next term of the expansion at small risk.
    cdef float64_t root = sqrt(inventory_risk)
    return 2.0 / kappa * asinh(0.5 * root * (1.0 + 3.0 * root / 16.0) * (inventory + 0.5))


def closed_form(
    *,
    float64_t volatility,
    float64_t kappa_per_bps,
    float64_t intensity_per_sec,
    float64_t risk_aversion_per_bps,
    float64_t execution_risk_per_bps=0.0,
    float64_t cost_bps=0.0,
    float64_t impact_bps=0.0,
):
    """Return the constants of the closed forms: base depth, slope, rate and inventory risk.

    They describe small inventories far from any bound: with N the bound in lots, only where
    N * inventory_risk**0.25 >= 3. Production quotes come from `Solver`.

    Parameters
    ----------
    volatility : float
        Of the fair price, in bps/sqrt(s), >= 0.
    kappa_per_bps, intensity_per_sec : float
        Decay and level of fill intensity, in 1/bps and 1/s, > 0.
    risk_aversion_per_bps, execution_risk_per_bps : float
        Gamma and xi times the size of one order, in 1/bps, >= 0.
    cost_bps, impact_bps : float
        Cost of a fill, and jump of the mid that our own fill causes, in bps.

    Returns
    -------
    tuple of four floats
        Depth at a flat value function in bps (costs included), slope in bps per lot, rate of
        return of the inventory in 1/s, and the dimensionless inventory risk rho.

    Raises
    ------
    ValueError
        If a value is NaN or outside its domain, or costs leave no fill intensity.

    Notes
    -----
    Source: Gueant, Lehalle and Fernandez-Tapia (2013), section 4; Gueant (2017), eqs 4.6, 4.7.
    """
    cdef Market market
    cdef float64_t alpha, eta
    market.volatility = volatility
    market.kappa = kappa_per_bps
    market.bid_intensity = market.ask_intensity = intensity_per_sec
    market.risk_aversion = risk_aversion_per_bps
    market.execution_risk = execution_risk_per_bps
    market.bid_cost = market.ask_cost = cost_bps
    market.drift = 0.0
    market.impact = impact_bps
    check(&market)
    eta = intensity_per_sec * exp(
        log_factor(execution_risk_per_bps / kappa_per_bps)
        - kappa_per_bps * (cost_bps + 0.5 * impact_bps)
    )
    if not 0.0 < eta < INFINITY:
        raise ValueError(f"fill intensity after costs must be > 0 and finite: {eta}")
    alpha = 0.5 * kappa_per_bps * risk_aversion_per_bps * volatility * volatility
    return (
        base_depth(execution_risk_per_bps, kappa_per_bps) + cost_bps + 0.5 * impact_bps,
        closed_slope(volatility, kappa_per_bps, eta, risk_aversion_per_bps),
        2.0 * sqrt(alpha) * sqrt(eta),
        alpha / eta,
    )


cdef bint closed_quotes(
    const Market* market, float64_t inventory, float64_t* bid, float64_t* ask
) noexcept nogil:
    cdef float64_t kappa = market.kappa, cost, eta, shift = 0.0, base, slope, risk, log_c
    cdef float64_t x = market.execution_risk / kappa
    cost = 0.5 * (market.bid_cost + market.ask_cost + market.impact)
    if x >= 1e-8:  # one logarithm for both, in the range where `log_factor` takes one
        base = log1p(x) / x
        log_c = -(1.0 + x) * base
        base /= kappa
    else:
        base = base_depth(market.execution_risk, kappa)
        log_c = log_factor(x)
    eta = market.bid_intensity
    if market.ask_intensity != market.bid_intensity or market.ask_cost != market.bid_cost:
        # With unequal sides both quotes move towards the one that is filled less.
        eta = sqrt(market.bid_intensity) * sqrt(market.ask_intensity)
        shift = 0.5 * (
            log(market.ask_intensity / market.bid_intensity) / kappa
            - (market.ask_cost - market.bid_cost)
        )
    eta *= exp(log_c - kappa * cost)
    risk = market.risk_aversion * market.volatility * market.volatility
    if not (0.0 < eta < INFINITY) or (market.drift != 0.0 and not risk > 0.0):
        bid[0] = ask[0] = NAN
        return False
    slope = closed_slope(market.volatility, kappa, eta, market.risk_aversion)
    base += 0.5 * market.impact
    if market.drift != 0.0:
        shift += market.drift * slope / risk
    bid[0] = base + market.bid_cost - shift + linear_skew(slope, inventory)
    ask[0] = base + market.ask_cost + shift + linear_skew(slope, -inventory)
    return isfinite(bid[0]) and isfinite(ask[0])


def closed_form_quotes(
    float64_t inventory_lots,
    float64_t volatility,
    float64_t kappa_per_bps,
    float64_t intensity_per_sec,
    float64_t risk_aversion_per_bps,
    float64_t execution_risk_per_bps=0.0,
    float64_t cost_bps=0.0,
    float64_t drift_bps_per_sec=0.0,
    float64_t impact_bps=0.0,
):
    """Return the depths of bid and ask for one inventory, by the form without bounds.

    Parameters
    ----------
    inventory_lots : float
        In lots of one order.
    volatility, kappa_per_bps, intensity_per_sec, risk_aversion_per_bps : float
        The market, as for `closed_form`.
    execution_risk_per_bps, cost_bps, impact_bps : float
        As for `closed_form`.
    drift_bps_per_sec : float
        Of the fair price, net of carry.

    Returns
    -------
    tuple of two floats
        Depth of the bid and of the ask, in bps of the fair price.

    Raises
    ------
    ValueError
        If a value is NaN or outside its domain, costs leave no fill intensity, or a drift meets no
        risk (its quotes are then at infinity).

    Notes
    -----
    d0 + c + zeta/2 + s/2 +- (s n - mu s/(gamma sigma**2)), s = sigma sqrt(g/(2 kappa eta)).

    Examples
    --------
    >>> bid, ask = closed_form_quotes(2.0, 1.5, 0.25, 0.5, 0.075)
    >>> round(bid, 4), round(ask, 4)
    (7.3864, 1.9682)
    """
    cdef Market market
    cdef float64_t bid, ask
    market.volatility = volatility
    market.kappa = kappa_per_bps
    market.bid_intensity = market.ask_intensity = intensity_per_sec
    market.risk_aversion = risk_aversion_per_bps
    market.execution_risk = execution_risk_per_bps
    market.bid_cost = market.ask_cost = cost_bps
    market.drift = drift_bps_per_sec
    market.impact = impact_bps
    check(&market)
    if not isfinite(inventory_lots):
        raise ValueError(f"inventory_lots must be finite: {inventory_lots}")
    if not closed_quotes(&market, inventory_lots, &bid, &ask):
        raise ValueError(
            "no finite quotes: there is no fill intensity after costs, or a drift without risk"
        )
    return bid, ask


cdef float64_t alpha_shift(
    float64_t drift, float64_t rate, float64_t life
) noexcept nogil:
    # mu / (rate + 1/life), without a pole at no life.
    return drift * life / (rate * life + 1.0) if life < INFINITY else drift / rate


def alpha_shift_bps(
    *, float64_t drift_bps_per_sec, float64_t rate_per_sec, float64_t life_secs=INFINITY
):
    """Return by how much both quotes move up for a drift that decays.

    Parameters
    ----------
    drift_bps_per_sec : float
        Present drift of the fair price net of carry: a signal's, or minus funding.
    rate_per_sec : float
        Rate at which inventory returns, `closed_form`'s third value, >= 0.
    life_secs : float
        Time over which the drift decays by e, > 0; inf for a constant drift, which needs a rate.

    Returns
    -------
    float
        mu / (rate + 1/life), in bps. The whole expected move is mu life: a slow signal is worth
        only the fraction 1/(1 + rate life) of it.

    Raises
    ------
    ValueError
        If a value is NaN or outside its domain.

    Notes
    -----
    Within 3 to 6 % of the exact two-dimensional solution for lives of 2 to 500 s. A fair price
    that contains the signal moves quotes by the whole of it: use one or the other.

    Examples
    --------
    >>> alpha_shift_bps(drift_bps_per_sec=0.1, rate_per_sec=0.2, life_secs=5.0)
    0.25
    """
    if not isfinite(drift_bps_per_sec):
        raise ValueError(f"drift_bps_per_sec must be finite: {drift_bps_per_sec}")
    if not 0.0 <= rate_per_sec < INFINITY:
        raise ValueError(f"rate_per_sec must be >= 0 and finite: {rate_per_sec}")
    if not 0.0 < life_secs:
        raise ValueError(f"life_secs must be > 0: {life_secs}")
    if life_secs == INFINITY and rate_per_sec == 0.0:
        raise ValueError("rate_per_sec must be > 0 for a drift that does not decay: 0.0")
    return alpha_shift(drift_bps_per_sec, rate_per_sec, life_secs)


def finite_horizon_slope_bps(
    *,
    float64_t slope_bps,
    float64_t rate_per_sec,
    float64_t horizon_secs,
    float64_t terminal_slope_bps=0.0,
):
    """Return the slope of the quotes some time before a horizon, in bps per lot.

    Parameters
    ----------
    slope_bps, rate_per_sec : float
        Stationary slope and rate as `closed_form` gives them, > 0.
    horizon_secs : float
        Time to the horizon, >= 0.
    terminal_slope_bps : float
        Slope at the horizon: 2 l for a terminal cost l n**2, >= 0.

    Raises
    ------
    ValueError
        If a value is NaN or outside its domain.

    Notes
    -----
    The exact solution for a quadratic Hamiltonian: it joins Avellaneda and Stoikov (2008), at
    small rate times horizon, with the stationary solution. Source: Bergault, Evangelista, Gueant
    and Vieira (2021).
    """
    cdef float64_t x
    for name, x in (("slope_bps", slope_bps), ("rate_per_sec", rate_per_sec)):
        if not 0.0 < x < INFINITY:
            raise ValueError(f"{name} must be > 0 and finite: {x}")
    for name, x in (("horizon_secs", horizon_secs), ("terminal_slope_bps", terminal_slope_bps)):
        if not 0.0 <= x < INFINITY:
            raise ValueError(f"{name} must be >= 0 and finite: {x}")
    return finite_slope(slope_bps, rate_per_sec, horizon_secs, terminal_slope_bps)


def linear_depths(
    const float64_t[::1] inventory_lots,
    float64_t[::1] bid_out,
    float64_t[::1] ask_out,
    *,
    float64_t base_bps,
    float64_t slope_bps,
    float64_t shift_bps=0.0,
):
    """Write depths that are linear in the inventory, in bps: base + slope/2 +- (slope n - shift).

    With the slope of `closed_form` they are the small-inventory form of the stationary quotes; with
    g sigma**2 tau they are Avellaneda and Stoikov's. A drift mu gives the shift mu / rate.

    Parameters
    ----------
    inventory_lots : array of float64, shape (n,)
        Inventories, in lots.
    bid_out, ask_out : array of float64, shape (n,)
        Receive the depths, in bps.
    base_bps, slope_bps, shift_bps : float
        In bps, bps per lot and bps, finite.

    Raises
    ------
    ValueError
        If a value is not finite or the lengths differ.
    """
    cdef Py_ssize_t i
    cdef float64_t x
    check_arrays(inventory_lots, bid_out, ask_out)
    for name, x in (("base_bps", base_bps), ("slope_bps", slope_bps), ("shift_bps", shift_bps)):
        if not isfinite(x):
            raise ValueError(f"{name} must be finite: {x}")
    with nogil:
        for i in range(inventory_lots.shape[0]):
            bid_out[i] = base_bps - shift_bps + linear_skew(slope_bps, inventory_lots[i])
            ask_out[i] = base_bps + shift_bps + linear_skew(slope_bps, -inventory_lots[i])


def asinh_depths(
    const float64_t[::1] inventory_lots,
    float64_t[::1] bid_out,
    float64_t[::1] ask_out,
    *,
    float64_t base_bps,
    float64_t kappa_per_bps,
    float64_t inventory_risk,
):
    """Write the closed form that grows with the log of a large inventory, as exact quotes do.

    Parameters
    ----------
    inventory_lots : array of float64, shape (n,)
        Inventories, in lots.
    bid_out, ask_out : array of float64, shape (n,)
        Receive the depths, in bps.
    base_bps, inventory_risk : float
        As `closed_form` gives them: bps, finite, and rho, >= 0 and finite.
    kappa_per_bps : float
        Decay of fill intensity with distance, in 1/bps, > 0.

    Raises
    ------
    ValueError
        If a value is NaN or outside its domain, or the lengths differ.
    """
    cdef Py_ssize_t i
    check_arrays(inventory_lots, bid_out, ask_out)
    check_decay(kappa_per_bps, 0.0)
    if not isfinite(base_bps):
        raise ValueError(f"base_bps must be finite: {base_bps}")
    if not 0.0 <= inventory_risk < INFINITY:
        raise ValueError(f"inventory_risk must be >= 0 and finite: {inventory_risk}")
    with nogil:
        for i in range(inventory_lots.shape[0]):
            bid_out[i] = base_bps + asinh_skew(kappa_per_bps, inventory_risk, inventory_lots[i])
            ask_out[i] = base_bps + asinh_skew(kappa_per_bps, inventory_risk, -inventory_lots[i])


def shorthand_quotes(
    float64_t fair_price,
    *,
    float64_t gamma,
    float64_t kappa,
    float64_t volatility,
    float64_t horizon_secs,
    float64_t position,
    float64_t position_limit,
):
    """Return bid and ask by the shorthand of the operating procedures, section 12.3.

    Parameters
    ----------
    fair_price : float
        In the quote currency, > 0.
    gamma, kappa : float
        Both per unit of relative distance; gamma >= 0, kappa > 0.
    volatility : float
        Relative, in 1/sqrt(s), >= 0.
    horizon_secs : float
        Fixed horizon, >= 0.
    position, position_limit : float
        In one unit, the limit > 0.

    Returns
    -------
    tuple of two floats
        Bid and ask, in the quote currency.

    Raises
    ------
    ValueError
        If a value is NaN or outside its domain.

    Notes
    -----
    delta = ln(1 + gamma/kappa) / gamma, skew = position/limit gamma sigma**2 T, quotes at
    fair price (1 -+ delta - skew). The term for inventory risk is missing, delta falls as gamma
    rises, gamma stands for two quantities and no bound is seen: kept for comparison; quotes come
    from `Solver`.

    Examples
    --------
    >>> bid, ask = shorthand_quotes(100.0, gamma=0.3, kappa=2500.0, volatility=1.5e-4,
    ...                             horizon_secs=300.0, position=0.0, position_limit=1.0)
    >>> round(bid, 4), round(ask, 4)
    (99.96, 100.04)
    """
    cdef float64_t x, delta, skew
    for name, x in (
        ("fair_price", fair_price), ("kappa", kappa), ("position_limit", position_limit)
    ):
        if not 0.0 < x < INFINITY:
            raise ValueError(f"{name} must be > 0 and finite: {x}")
    for name, x in (
        ("gamma", gamma), ("volatility", volatility), ("horizon_secs", horizon_secs)
    ):
        if not 0.0 <= x < INFINITY:
            raise ValueError(f"{name} must be >= 0 and finite: {x}")
    if not isfinite(position):
        raise ValueError(f"position must be finite: {position}")
    delta = base_depth(gamma, kappa)
    skew = position / position_limit * gamma * volatility * volatility * horizon_secs
    return fair_price * (1.0 - delta - skew), fair_price * (1.0 + delta - skew)
