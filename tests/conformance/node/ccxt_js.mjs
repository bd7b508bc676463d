// ccxt for JavaScript: its REST client and ccxt.pro. It signs as mainnet, and approves its own
// builder's fee first, which every order then carries.

import assert from "node:assert/strict";
import ccxt from "ccxt";
import {
  DEX, DEX_COIN, OTHER, SIZE, STRANGER_KEY, control, passTheHour, refused, run, same, sleep, until,
} from "./session.mjs";

const SYMBOL = "BTC/USDC:USDC";
const DEX_SYMBOL = `${DEX.toUpperCase()}-BTC/USDC:USDC`;
let url, client, id, ids, filled;

function connect(base, walletAddress, privateKey) {
  const made = new ccxt.pro.hyperliquid({ walletAddress, privateKey, enableRateLimit: false });
  Object.assign(made.urls.api, { public: base, private: base });
  made.urls.api.ws = { public: "ws" + base.slice(4) + "/ws" };
  return made;
}
const far = async (share = 0.9, symbol = SYMBOL) =>
  share * (await client.fetchTicker(symbol)).last;
const place = async (share = 0.9, params = {}, amount = SIZE, by = client) =>
  by.createOrder(SYMBOL, "limit", "buy", amount, await far(share), params);
const open = async () => (await client.fetchOpenOrders(SYMBOL)).map((order) => order.id).sort();
const market = async (side, params = {}, amount = SIZE, symbol = SYMBOL) =>
  client.createOrder(symbol, "market", side, amount, await far(1, symbol), params);
const request = async (share, params = {}) =>
  ({ symbol: SYMBOL, type: "limit", side: "buy", amount: SIZE, price: await far(share), params });
const CLOID = "0x" + "0".repeat(31) + "b";

run({
  async start(base, key, address) {
    url = base;
    client = connect(url, address, key);
    await client.loadHttpProxyAgent(); // it asks for this with any ws:// address
    await client.loadMarkets();
  },
  async stop() {
    await client.close();
  },

  async markets() {
    const found = client.market(SYMBOL);
    same([found.base, found.precision.amount, found.swap], ["BTC", 1e-5, true]);
  },
  async contexts() {
    const rate = await client.fetchFundingRate(SYMBOL);
    assert(rate.markPrice > 0 && rate.indexPrice > 0);
  },
  async mids() {
    assert((await client.fetchTickers())[SYMBOL].last > 0);
  },
  async book() {
    const { bids, asks } = await client.fetchOrderBook(SYMBOL);
    assert(bids[0][0] < asks[0][0]);
  },
  async candles() {
    const [, , high, low, close] = (await client.fetchOHLCV(SYMBOL, "1m")).at(-1);
    assert(low <= close && close <= high);
  },
  async market_funding() {
    assert(Array.isArray(await client.fetchFundingRateHistory(SYMBOL)));
  },
  async balance() {
    same((await client.fetchBalance()).USDC.total, 10_000);
  },
  async fees() {
    const { maker, taker } = await client.fetchTradingFee(SYMBOL);
    same([maker, taker], [0.00015, 0.00045]);
  },
  async place_gtc() {
    id = (await place()).id;
    same(await open(), [id]);
  },
  async modify() {
    const price = await far(0.91);
    id = (await client.editOrder(id, SYMBOL, "limit", "buy", 2 * SIZE, price)).id;
    const [order] = await client.fetchOpenOrders(SYMBOL);
    same([order.id, order.amount], [id, 2 * SIZE]);
  },
  async cancel() {
    await client.cancelOrder(id, SYMBOL);
    same(await open(), []);
  },
  async place_cloid() {
    const placed = await place(0.9, { clientOrderId: CLOID });
    const found = await client.fetchOrder(placed.id, SYMBOL);
    same([found.id, found.clientOrderId], [placed.id, CLOID]);
  },
  async cancel_cloid() {
    await client.cancelOrder(undefined, SYMBOL, { clientOrderId: CLOID });
    same(await open(), []);
  },
  async batch() {
    const orders = await client.createOrders([await request(0.9), await request(0.91)]);
    ids = orders.map((order) => order.id).sort();
    same(await open(), ids);
  },
  async batch_modify() {
    const change = await request(0.88);
    const orders = await client.editOrders(ids.map((old) => ({ ...change, id: old })));
    ids = orders.map((order) => order.id).sort();
    same(await open(), ids);
  },
  async batch_cancel() {
    await client.cancelOrders(ids, SYMBOL);
    same(await open(), []);
  },
  async batch_partial() { // it throws for the bad order; the good one rests
    const requests = [await request(0.9), await request(1.1, { timeInForce: "Alo" })];
    await refused(() => client.createOrders(requests), /Post only order would have/);
    const [good] = await open();
    await refused(() => client.cancelOrders([good, "12345"], SYMBOL), /Order was never placed/);
    same(await open(), []);
  },
  async place_alo() {
    const placed = await place(0.9, { postOnly: true });
    same((await client.fetchOpenOrders(SYMBOL))[0].info.tif, "Alo");
    await client.cancelOrder(placed.id, SYMBOL);
  },
  async alo_refused() {
    const text = /Post only order would have immediately matched, bbo was \d+@\d+\. asset=0/;
    await refused(() => place(1.1, { postOnly: true }), text);
  },
  async ioc_unmatched() {
    const text = /Order could not immediately match against any resting orders. asset=0/;
    await refused(() => place(0.9, { timeInForce: "Ioc" }), text);
  },
  async too_small() {
    await refused(() => place(0.9, {}, 0.00001), /Order must have minimum value of \$10/);
  },
  async no_margin() {
    await refused(() => place(0.9, {}, 50), /Insufficient margin to place order. asset=0/);
  },
  async cancel_unknown() {
    await refused(() => client.cancelOrder("12345", SYMBOL), /Order was never placed/);
  },
  async stranger() {
    const other = connect(url, OTHER, STRANGER_KEY);
    await other.loadMarkets();
    const text = /User or API Wallet 0x[0-9a-f]{40} does not exist/;
    await refused(() => place(0.9, {}, SIZE, other), text);
    await other.close();
  },
  async fill() {
    filled = await market("buy");
    same(filled.filled, SIZE);
  },
  async position() {
    const position = await client.fetchPosition(SYMBOL);
    same([position.side, position.contracts], ["long", SIZE]);
  },
  async reduce_only_refused() {
    await refused(() => place(0.9, { reduceOnly: true }), /Reduce only order would increase/);
  },
  async stop_order() {
    const price = await far(0.9);
    const params = { stopLossPrice: price, reduceOnly: true };
    await client.createOrder(SYMBOL, "market", "sell", SIZE, price, params);
    const [order] = await client.fetchOpenOrders(SYMBOL);
    same(order.info.orderType, "Stop Market");
    await client.cancelOrder(order.id, SYMBOL);
  },
  async close() {
    await market("sell", { reduceOnly: true });
    same(await client.fetchPositions([SYMBOL]), []);
  },
  async fills() {
    const fills = await client.fetchMyTrades(SYMBOL);
    same([...new Set(fills.map((fill) => fill.side))].sort(), ["buy", "sell"]);
    assert(fills.every((fill) => fill.fee.cost > 0));
  },
  async order_status() {
    same((await client.fetchOrder(filled.id, SYMBOL)).status, "closed");
  },
  async order_history() {
    assert((await client.fetchOrders(SYMBOL)).some((order) => order.id === filled.id));
  },
  async entry_with_exits() {
    const exit = async (share) => ({ triggerPrice: await far(share), type: "market" });
    const placed = await place(0.9, { takeProfit: await exit(1.1), stopLoss: await exit(0.8) });
    const shown = (await client.fetchOpenOrders(SYMBOL)).map((order) => order.info.orderType);
    same(shown.sort(), ["Limit", "Stop Market", "Take Profit Market"]);
    await client.cancelOrder(placed.id, SYMBOL);
    same(await open(), []);
  },
  async twap() {
    const order = await client.createTwapOrder(SYMBOL, "buy", 0.02, 300_000);
    await client.cancelTwapOrder(order.id, SYMBOL);
    for (const { contracts } of await client.fetchPositions([SYMBOL])) {
      await market("sell", { reduceOnly: true }, contracts);
    }
  },
  async leverage() {
    same((await client.setLeverage(10, SYMBOL)).status, "ok");
  },
  async leverage_refused() {
    await refused(() => client.setLeverage(99, SYMBOL), /Invalid leverage value/);
  },
  async isolated_margin() {
    await client.setMarginMode("isolated", SYMBOL, { leverage: 5 });
    await market("buy");
    const before = await client.fetchPosition(SYMBOL);
    same(before.marginMode, "isolated");
    await client.addMargin(SYMBOL, 50);
    const more = (await client.fetchPosition(SYMBOL)).collateral - before.collateral;
    assert(Math.abs(more - 50) < 1, String(more));
    await market("sell", { reduceOnly: true });
    await client.setMarginMode("cross", SYMBOL, { leverage: 10 });
  },
  async dead_mans_switch() { // it cannot take it back: 0 is a time to it
    same((await client.cancelAllOrdersAfter(3_600_000)).status, "ok");
  },
  async transfer() {
    await client.transfer("USDC", 12, "swap", "spot");
    same((await client.fetchBalance({ type: "spot" })).USDC.total, 12);
    await client.transfer("USDC", 12, "spot", "swap");
  },
  async ledger() {
    const entries = await client.fetchLedger();
    assert(entries.some((entry) => entry.info.delta.type === "accountClassTransfer"));
  },
  async sub_account() {
    for (let n = 0; n < 3; n++) { // the volume that the venue asks for
      await market("buy", {}, 0.2);
      await market("sell", {}, 0.2);
    }
    const address = (await client.createSubAccount("sub")).response.data;
    await client.transfer("USDC", 20, "main", address);
    same((await client.fetchBalance({ user: address })).USDC.total, 20);
  },
  async funding_payment() {
    await market("buy");
    await passTheHour(url);
    const [paid] = await client.fetchFundingHistory(SYMBOL);
    same([paid.symbol, paid.code], [SYMBOL, "USDC"]);
    await market("sell", { reduceOnly: true });
  },
  async dex_markets() {
    const found = client.market(DEX_SYMBOL);
    same([found.info.name, String(found.baseId)], [DEX_COIN, "110001"]);
    same((await client.fetchBalance({ dex: DEX })).USDC.total, 1_000);
  },
  async dex_order() {
    const price = await far(0.9, DEX_SYMBOL);
    const placed = await client.createOrder(DEX_SYMBOL, "limit", "buy", SIZE, price);
    const orders = await client.fetchOpenOrders(DEX_SYMBOL, undefined, undefined, { dex: DEX });
    same(orders.map((order) => order.id), [placed.id]);
    await client.cancelOrder(placed.id, DEX_SYMBOL);
    same((await market("buy", {}, SIZE, DEX_SYMBOL)).filled, SIZE);
    same((await market("sell", { reduceOnly: true }, SIZE, DEX_SYMBOL)).filled, SIZE);
  },
  async stream_book() {
    const { bids, asks } = await client.watchOrderBook(SYMBOL);
    assert(bids[0][0] < asks[0][0]);
  },
  async stream_trades() {
    assert((await client.watchTrades(SYMBOL)).every((trade) => trade.symbol === SYMBOL));
  },
  async stream_candles() {
    assert((await client.watchOHLCV(SYMBOL, "1m")).at(-1)[4] > 0);
  },
  async stream_mids() {
    assert((await client.watchTickers([SYMBOL]))[SYMBOL].last > 0);
  },
  async stream_orders() {
    const watching = client.watchOrders(SYMBOL);
    await sleep(300);
    const placed = await place();
    const [order] = await watching;
    same([order.id, order.status], [placed.id, "open"]);
    await client.cancelOrder(placed.id, SYMBOL);
  },
  async stream_fills() {
    const seen = [];
    let goesOn = true; // what comes while nobody watches is not told
    const watching = (async () => {
      while (goesOn) seen.push(...(await client.watchMyTrades(SYMBOL)));
    })();
    const bought = await market("buy");
    await until(() => seen.some((fill) => fill.order === bought.id), "the fill");
    goesOn = false;
    await market("sell", { reduceOnly: true });
    await watching;
  },
  async socket_order() {
    const price = await far();
    const placed = await client.createOrderWs(SYMBOL, "limit", "buy", SIZE, price);
    same(await open(), [placed.id]);
    await client.cancelOrderWs(placed.id, SYMBOL);
    same(await open(), []);
  },
  async reconnect() {
    await client.watchOrderBook(SYMBOL);
    await control(url, { do: "fault", fault: "disconnect+500ms" });
    await sleep(1_000);
    const told = async () => {
      try {
        return (await client.watchOrderBook(SYMBOL)).bids.length;
      } catch (error) {
        if (error instanceof ccxt.NetworkError) return 0; // the watch that was cut says so
        throw error;
      }
    };
    await until(told, "a book");
  },
});
