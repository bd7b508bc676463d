"""The state as one page without external resources; it reloads itself, also without JavaScript."""

from datetime import UTC, datetime
from html import escape
from typing import Any

from hypermm.sim.json_text import dumps

Json = dict[str, Any]
REFRESH_SECS = 2
ACTION_CHARACTERS = 400
STYLE = """
:root{color-scheme:light dark;--line:#8884;--buy:#0a7d4f;--sell:#c0362c;--dim:#8889}
@media (prefers-color-scheme:dark){:root{--buy:#3fc48a;--sell:#ff7b70}}
*{box-sizing:border-box}
body{font:14px/1.4 system-ui,sans-serif;margin:0 auto;padding:1rem;max-width:75rem}
h1{font-size:1.3rem;margin:0 0 .2rem}h2{font-size:1.05rem;margin:1.6rem 0 .4rem}
h3{font-size:.95rem;margin:.8rem 0 .3rem;overflow-wrap:anywhere}
p{margin:.2rem 0}.dim{opacity:.7}
.scroll{overflow-x:auto;max-width:100%}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:.15rem .5rem;border-bottom:1px solid var(--line);white-space:nowrap}
th{font-weight:600}th:first-child,td:first-child,td.text,th.text{text-align:left}
td.long{white-space:normal;overflow-wrap:anywhere;min-width:14rem}
td.long{font:12px/1.4 ui-monospace,monospace}
.buy{color:var(--buy)}.sell{color:var(--sell)}.bad{color:var(--sell);font-weight:600}
.markets{display:grid;gap:1rem;grid-template-columns:repeat(auto-fill,minmax(min(100%,22rem),1fr))}
.card{border:1px solid var(--line);border-radius:.4rem;padding:.6rem .8rem;min-width:0}
.card+.card{margin-top:1rem}.markets .card{margin:0}
.card h3{margin-top:0}
"""


def render(state: Json) -> str:
    """Return the page."""
    when = datetime.fromtimestamp(state["time"] / 1_000.0, UTC)
    speed = f"{state['speed']:g} times real time" if state["speed"] else "step by step"
    over = "; the markets are over" if state["isOver"] else ""
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width,initial-scale=1'>",
        f"<meta http-equiv='refresh' content='{REFRESH_SECS}'>",
        "<link rel='icon' href='data:,'>",
        f"<title>Exchange in a box</title><style>{STYLE}</style></head><body>",
        "<h1>Exchange in a box</h1>",
        f"<p>{when:%Y-%m-%d %H:%M:%S}.{when.microsecond // 1000:03d} UTC, ",
        f"blocks of {state['blockMs']} ms, {speed}{over}. ",
        "The same as JSON: <a href='/state'>/state</a></p>",
    ]
    parts += [
        f"<p class='bad'>a defect of its own: {escape(each)}</p>" for each in state["defects"]
    ]
    parts += ["<h2>Markets</h2><div class='markets'>", *map(_market, state["markets"]), "</div>"]
    parts += [f"<h2>Accounts ({state['accountsCount']})</h2>", *map(_account, state["accounts"])]
    if not state["accounts"]:
        parts.append("<p class='dim'>none; start with --fund ADDRESS=USDC</p>")
    parts += ["<h2>Faults</h2>", _faults(state["faults"])]
    parts += ["<h2>Recent actions</h2>", _actions(state["actions"])]
    parts += ["<h2>Limits</h2>", _limits(state["limits"])]
    parts += [f"<h2>Sockets ({state['socketsCount']})</h2>", _sockets(state["sockets"])]
    return "".join((*parts, "</body></html>"))


def _table(heads: list[str], rows: list[list[str]], empty: str, texts: tuple[int, ...] = ()) -> str:
    """Return a table of cells that are HTML already; columns of `texts` stand to the left."""
    if not rows:
        return f"<p class='dim'>{empty}</p>"

    def mark(i: int) -> str:
        return " class='text'" if i in texts else ""

    head = "".join(f"<th{mark(i)}>{text}</th>" for i, text in enumerate(heads))
    body = "".join(
        "<tr>"
        + "".join(c if c.startswith("<td") else f"<td{mark(i)}>{c}</td>" for i, c in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return (
        f"<div class='scroll'><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _time(ms: int | None) -> str:
    if ms is None:
        return "until healed"
    return f"{datetime.fromtimestamp(ms / 1_000.0, UTC):%H:%M:%S}.{ms % 1000:03d}"


def _market(market: Json) -> str:
    halted = " <span class='bad'>halted</span>" if market["isHalted"] else ""
    rows = []
    for i in range(max(len(market["bids"]), len(market["asks"]))):
        bid = market["bids"][i] if i < len(market["bids"]) else ["", ""]
        ask = market["asks"][i] if i < len(market["asks"]) else ["", ""]
        rows.append(
            [bid[1], f"<td class='buy'>{bid[0]}</td>", f"<td class='sell'>{ask[0]}</td>", ask[1]]
        )
    last = market["trades"][-1] if market["trades"] else None
    traded = f", last {last['sz']} at {last['px']}" if last else ""
    return (
        f"<div class='card'><h3>{escape(market['coin'])} "
        f"<span class='dim'>asset {market['asset']}</span>{halted}</h3>"
        f"<p>mark {market['markPx']}, oracle {market['oraclePx']}{traded}</p>"
        + _table(["size", "bid", "ask", "size"], rows, "the book is empty")
        + "</div>"
    )


def _account(account: Json) -> str:
    parts = [f"<h3>{account['user']}</h3>"]
    for dex, state in account["states"].items():
        summary = state["marginSummary"]
        parts.append(
            f"<p>{escape(dex) or 'first dex'}: value {summary['accountValue']} USDC, "
            f"withdrawable {state['withdrawable']}, margin used {summary['totalMarginUsed']}</p>"
        )
    agents = [f"{escape(a['name']) or 'unnamed'} {a['address']}" for a in account["agents"]]
    parts.append(
        f"<p class='dim'>volume {account['volume']}, agents: {', '.join(agents) or '-'}</p>"
    )
    positions = [p["position"] for s in account["states"].values() for p in s["assetPositions"]]
    keys = ("szi", "entryPx", "positionValue", "unrealizedPnl", "marginUsed", "liquidationPx")
    rows = [
        [escape(p["coin"]), *(str(p[key] or "-") for key in keys)]
        for p in positions
    ]  # fmt: skip
    heads = ["position", "size", "entry", "value", "unrealized", "margin", "liquidation"]
    parts.append(_table(heads, rows, "no position"))
    orders = [
        [
            escape(order["coin"]),
            f"<td class='buy'>buy {order['sz']}</td>"
            if order["side"] == "B"
            else f"<td class='sell'>sell {order['sz']}</td>",
            order["limitPx"],
            escape(order["orderType"]),
            str(order["tif"]),
            "yes" if order["reduceOnly"] else "",
            str(order["oid"]),
            order["cloid"] or "",
        ]
        for order in account["orders"]
    ]
    heads = ["order", "left", "price", "type", "tif", "reduces", "oid", "cloid"]
    parts.append(_table(heads, orders, "no open order", texts=(3, 4, 7)))
    fills = [
        [
            escape(fill["coin"]),
            f"<td class='{'buy' if fill['side'] == 'B' else 'sell'}'>{fill['sz']}</td>",
            fill["px"],
            escape(fill["dir"]),
            fill["closedPnl"],
            fill["fee"],
            _time(fill["time"]),
        ]
        for fill in reversed(account["fills"])
    ]
    heads = ["fill", "size", "price", "direction", "closed", "fee", "time"]
    parts.append(_table(heads, fills, "no fill", texts=(3,)))
    return f"<div class='card'>{''.join(parts)}</div>"


def _faults(faults: list[Json]) -> str:
    rows = [
        [
            escape(fault["fault"]),
            "<td class='bad'>on</td>" if fault["state"] == "on" else fault["state"],
            _time(fault["start"]),
            _time(fault["end"]),
            str(fault["strikes"]),
        ]
        for fault in faults
    ]
    return _table(["fault", "state", "from", "to", "strikes"], rows, "none")


def _actions(actions: list[Json]) -> str:
    rows = [
        [
            _time(each["time"]),
            each["signer"][:10],
            _long(_cut(each["action"])),
            _long(_cut(each["reply"]), "bad" if each["reply"]["status"] == "err" else ""),
        ]
        for each in actions
    ]
    return _table(["time", "signer", "action", "reply"], rows, "none yet", texts=(1, 2, 3))


def _long(text: str, more: str = "") -> str:
    return f"<td class='long text {more}'>{text}</td>"


def _cut(value: Any) -> str:
    text = dumps(value)
    return escape(text[:ACTION_CHARACTERS] + ("…" if len(text) > ACTION_CHARACTERS else ""))


def _limits(rows: list[Json]) -> str:
    shown = [
        [
            each["name"],
            escape(each["of"]),
            "-" if each["used"] is None else f"{each['used']:,}",
            "off" if each["limit"] is None else f"{each['limit']:,}",
        ]
        for each in rows
    ]
    return _table(["limit", "of", "used", "limit"], shown, "none", texts=(1,))


def _sockets(sockets: list[Json]) -> str:
    rows = [
        [
            escape(each["ip"])
            + (" <span class='bad'>half open</span>" if each["isHalfOpen"] else ""),
            f"{each['frames']:,}",
            f"{each['queuedBytes']:,}",
            str(each["posts"]),
            _long(escape(", ".join(map(_named, each["subscriptions"])))),
        ]
        for each in sockets
    ]
    heads = ["socket", "frames", "bytes behind", "posts", "subscriptions"]
    return _table(heads, rows, "none open", texts=(4,))


def _named(subscription: Json) -> str:
    what = subscription.get("coin") or subscription.get("user") or subscription.get("dex") or ""
    return f"{subscription['type']} {what}".strip()
