// @nktkas/hyperliquid: strict schemas on its own side, sockets that connect again by themselves.

import assert from "node:assert/strict";
import * as hl from "@nktkas/hyperliquid";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import WebSocket from "ws";
import {
  COIN, DEX, DEX_COIN, OTHER, SIZE, STRANGER_KEY, control, passTheHour, refused, run, same, says, sleep, until,
} from "./session.mjs";

globalThis.WebSocket ??= WebSocket; // Node 20 has none of its own

const ASSET = 0;
const DEX_ASSET = 110_001;
const GTC = { limit: { tif: "Gtc" } };
let url, user, http, socket, info, exchange, streams;
let oid, cloid, oids, filled;

const number = (value) => String(Number(value.toPrecision(5)));
async function far(share = 0.9, coin = COIN, dex = "") {
  const mids = await info.allMids({ dex });
  return number(share * Number(mids[coin]));
}
async function wire(share = 0.9, more = {}) {
  return { a: ASSET, b: true, p: await far(share), s: String(SIZE), r: false, t: GTC, ...more };
}
async function place(share, more, client = exchange) {
  const reply = await client.order({ orders: [await wire(share, more)], grouping: "na" });
  return reply.response.data.statuses[0];
}
const cancel = (...ids) => exchange.cancel({ cancels: ids.map((o) => ({ a: ASSET, o })) });
const open = async () => (await info.openOrders({ user })).map((order) => order.oid).sort();
const trigger = (triggerPx, tpsl) => ({ trigger: { isMarket: true, triggerPx, tpsl } });
const takes = (isBuy, more = {}) =>
  place(isBuy ? 1.02 : 0.98, { b: isBuy, t: { limit: { tif: "FrontendMarket" } }, ...more });
async function first(subscribe) {
  const frames = [];
  const subscription = await subscribe((data) => frames.push(data));
  const frame = await until(() => frames[0], "the first frame");
  await subscription.unsubscribe();
  return frame;
}
const ok = (reply) => same(reply, { status: "ok", response: { type: "default" } });

run({
  async start(base, key, address) {
    [url, user] = [base, address];
    http = new hl.HttpTransport({ apiUrl: url, isTestnet: true });
    socket = new hl.WebSocketTransport({ url: "ws" + url.slice(4) + "/ws", isTestnet: true });
    info = new hl.InfoClient({ transport: http });
    exchange = new hl.ExchangeClient({ transport: http, wallet: privateKeyToAccount(key) });
    streams = new hl.SubscriptionClient({ transport: socket });
    await socket.ready();
  },
  async stop() {
    await socket.close();
  },

  async markets() {
    const meta = await info.meta();
    same([meta.universe[0].name, meta.universe[0].szDecimals], ["BTC", 5]);
    assert((await info.spotMeta()).tokens.length >= 2);
  },
  async contexts() {
    const [meta, contexts] = await info.metaAndAssetCtxs();
    same(meta.universe.length, contexts.length);
    assert(Number(contexts[0].markPx) > 0);
  },
  async mids() {
    assert(Number((await info.allMids())[COIN]) > 0);
  },
  async book() {
    const { levels } = await info.l2Book({ coin: COIN });
    assert(Number(levels[0][0].px) < Number(levels[1][0].px));
  },
  async candles() {
    const startTime = Date.now() - 2 * 3_600_000;
    const candles = await info.candleSnapshot({ coin: COIN, interval: "1m", startTime });
    same(candles.at(-1).s, COIN);
  },
  async market_funding() {
    const startTime = Date.now() - 86_400_000;
    assert(Array.isArray(await info.fundingHistory({ coin: COIN, startTime })));
  },
  async balance() {
    same((await info.clearinghouseState({ user })).marginSummary.accountValue, "10000.0");
    assert(Array.isArray((await info.spotClearinghouseState({ user })).balances));
  },
  async fees() {
    const fees = await info.userFees({ user });
    same([fees.userAddRate, fees.userCrossRate], ["0.00015", "0.00045"]);
  },
  async rate_limit() {
    assert((await info.userRateLimit({ user })).nRequestsCap >= 10_000);
  },
  async place_gtc() {
    oid = (await place()).resting.oid;
    same(await open(), [oid]);
  },
  async modify() {
    const price = await far(0.91);
    ok(await exchange.modify({ oid, order: await wire(0.91, { s: "0.02", p: price }) }));
    const [order] = await info.frontendOpenOrders({ user });
    same([order.sz, Number(order.limitPx)], ["0.02", Number(price)]);
    oid = order.oid;
  },
  async cancel() {
    same((await cancel(oid)).response.data.statuses, ["success"]);
    same(await open(), []);
  },
  async place_cloid() {
    cloid = "0x" + "5eed".repeat(8); // it takes a short one for a number
    const { resting } = await place(0.9, { c: cloid });
    same(resting.cloid, cloid);
    const found = await info.orderStatus({ user, oid: cloid });
    same(found.order.order.oid, resting.oid);
  },
  async modify_cloid() {
    ok(await exchange.modify({ oid: cloid, order: await wire(0.89, { c: cloid }) }));
  },
  async cancel_cloid() {
    const reply = await exchange.cancelByCloid({ cancels: [{ asset: ASSET, cloid }] });
    same(reply.response.data.statuses, ["success"]);
  },
  async batch() {
    const orders = [await wire(0.9), await wire(0.91)];
    const reply = await exchange.order({ orders, grouping: "na" });
    oids = reply.response.data.statuses.map((status) => status.resting.oid);
    same(await open(), [...oids].sort());
  },
  async batch_modify() {
    const order = await wire(0.88);
    const reply = await exchange.batchModify({ modifies: oids.map((id) => ({ oid: id, order })) });
    oids = reply.response.data.statuses.map((status) => status.resting.oid);
  },
  async batch_cancel() {
    same((await cancel(...oids)).response.data.statuses, ["success", "success"]);
  },
  async batch_partial() { // it throws for the bad order; the good one rests
    const orders = [await wire(0.9), await wire(1.1, { t: { limit: { tif: "Alo" } } })];
    await refused(() => exchange.order({ orders, grouping: "na" }), /Post only order would have/);
    const [good] = await open();
    await refused(() => cancel(good, 12345), /Order was never placed/);
    same(await open(), []);
  },
  async place_alo() {
    const { resting } = await place(0.9, { t: { limit: { tif: "Alo" } } });
    same((await info.frontendOpenOrders({ user }))[0].tif, "Alo");
    await cancel(resting.oid);
  },
  async alo_refused() {
    const text = /Post only order would have immediately matched, bbo was \d+@\d+\. asset=0/;
    await refused(() => place(1.1, { t: { limit: { tif: "Alo" } } }), text);
  },
  async ioc_unmatched() {
    const text = /Order could not immediately match against any resting orders. asset=0/;
    await refused(() => place(0.9, { t: { limit: { tif: "Ioc" } } }), text);
  },
  async too_small() {
    await refused(() => place(0.9, { s: "0.00001" }), /Order must have minimum value of \$10/);
  },
  async bad_price() {
    await refused(() => place(0.9, { p: "90000.5" }), /invalid price|tick size/);
  },
  async no_margin() {
    await refused(() => place(0.9, { s: "50" }), /Insufficient margin to place order. asset=0/);
  },
  async cancel_unknown() {
    const text = /Order was never placed, already canceled, or filled. asset=0/;
    await refused(() => cancel(12345), text);
  },
  async stranger() {
    const wallet = privateKeyToAccount(STRANGER_KEY);
    const client = new hl.ExchangeClient({ transport: http, wallet });
    const text = new RegExp(`User or API Wallet ${wallet.address.toLowerCase()} does not exist`);
    await refused(() => place(0.9, {}, client), text);
  },
  async fill() {
    filled = (await takes(true)).filled;
    same(Number(filled.totalSz), SIZE);
  },
  async position() {
    const [{ position }] = (await info.clearinghouseState({ user })).assetPositions;
    same([position.coin, Number(position.szi)], [COIN, SIZE]);
  },
  async reduce_only_refused() {
    await refused(() => place(0.9, { r: true }), /Reduce only order would increase position/);
  },
  async stop_order() {
    const price = await far(0.9);
    same(await place(0.9, { b: false, r: true, t: trigger(price, "sl") }), "waitingForTrigger");
    const [order] = await info.frontendOpenOrders({ user });
    same([order.isTrigger, order.orderType], [true, "Stop Market"]);
    await cancel(order.oid);
  },
  async close() {
    same(Number((await takes(false, { r: true })).filled.totalSz), SIZE);
    same((await info.clearinghouseState({ user })).assetPositions, []);
  },
  async fills() {
    const fills = await info.userFills({ user });
    same([...new Set(fills.map((fill) => fill.dir))].sort(), ["Close Long", "Open Long"]);
    const byTime = await info.userFillsByTime({ user, startTime: 0 });
    same(byTime.map((fill) => fill.tid).sort(), fills.map((fill) => fill.tid).sort());
  },
  async order_status() {
    same((await info.orderStatus({ user, oid: filled.oid })).order.status, "filled");
    same(await info.orderStatus({ user, oid: 12345 }), { status: "unknownOid" });
  },
  async order_history() {
    const orders = await info.historicalOrders({ user });
    assert(orders.some((order) => order.order.oid === filled.oid));
  },
  async entry_with_exits() {
    const exit = async (share, kind) => {
      const price = await far(share);
      return wire(share, { b: false, r: true, p: price, t: trigger(price, kind) });
    };
    const orders = [await wire(0.9), await exit(1.1, "tp"), await exit(0.8, "sl")];
    const reply = await exchange.order({ orders, grouping: "normalTpsl" });
    const [entry, ...exits] = reply.response.data.statuses;
    same(exits, ["waitingForFill", "waitingForFill"]);
    await cancel(entry.resting.oid);
    same(await info.frontendOpenOrders({ user }), []);
  },
  async twap() {
    const reply = await exchange.twapOrder({
      twap: { a: ASSET, b: true, s: "0.02", r: false, m: 5, t: false },
    });
    const id = reply.response.data.status.running.twapId;
    same((await exchange.twapCancel({ a: ASSET, t: id })).response.data.status, "success");
    const { assetPositions } = await info.clearinghouseState({ user });
    for (const { position } of assetPositions) await takes(false, { s: position.szi, r: true });
  },
  async leverage() {
    ok(await exchange.updateLeverage({ asset: ASSET, isCross: true, leverage: 10 }));
  },
  async leverage_refused() {
    const change = { asset: ASSET, isCross: true, leverage: 99 };
    await refused(() => exchange.updateLeverage(change), /Invalid leverage value/);
  },
  async isolated_margin() {
    const margin = async () => {
      const [{ position }] = (await info.clearinghouseState({ user })).assetPositions;
      same(position.leverage.type, "isolated");
      return Number(position.marginUsed);
    };
    ok(await exchange.updateLeverage({ asset: ASSET, isCross: false, leverage: 5 }));
    await takes(true);
    const before = await margin();
    ok(await exchange.updateIsolatedMargin({ asset: ASSET, isBuy: true, ntli: 50_000_000 }));
    assert(Math.abs((await margin()) - before - 50) < 1);
    await takes(false, { r: true });
    ok(await exchange.updateLeverage({ asset: ASSET, isCross: true, leverage: 10 }));
  },
  async dead_mans_switch() {
    ok(await exchange.scheduleCancel({ time: Date.now() + 60_000 }));
    ok(await exchange.scheduleCancel({}));
  },
  async agent() {
    const wallet = privateKeyToAccount(generatePrivateKey());
    ok(await exchange.approveAgent({ agentAddress: wallet.address, agentName: "conformance" }));
    const agent = new hl.ExchangeClient({ transport: http, wallet });
    const { resting } = await place(0.9, {}, agent);
    same(await open(), [resting.oid]);
    await cancel(resting.oid);
    same((await info.extraAgents({ user })).map((entry) => entry.name), ["conformance"]);
  },
  async transfer() {
    ok(await exchange.usdSend({ destination: OTHER, amount: "12" }));
    const { marginSummary } = await info.clearinghouseState({ user: OTHER });
    assert(Number(marginSummary.accountValue) > 10);
  },
  async ledger() {
    const updates = await info.userNonFundingLedgerUpdates({ user });
    const kinds = updates.map((update) => update.delta.type);
    assert(kinds.includes("internalTransfer") || kinds.includes("send"), String(kinds));
  },
  async sub_account() {
    for (let n = 0; n < 3; n++) { // the volume that the venue asks for
      await takes(true, { s: "0.2" });
      await takes(false, { s: "0.2" });
    }
    const address = (await exchange.createSubAccount({ name: "sub" })).response.data;
    const change = { subAccountUser: address, isDeposit: true, usd: 20_000_000 };
    ok(await exchange.subAccountTransfer(change));
    const [sub] = await info.subAccounts({ user });
    same([sub.name, sub.clearinghouseState.marginSummary.accountValue], ["sub", "20.0"]);
  },
  async funding_payment() {
    await takes(true);
    await passTheHour(url);
    const [paid] = await info.userFunding({ user });
    same([paid.delta.type, paid.delta.coin], ["funding", COIN]);
    await takes(false, { r: true });
  },
  async dex_markets() {
    const [own, dex] = await info.perpDexs();
    same([own, dex.name], [null, DEX]);
    same((await info.meta({ dex: DEX })).universe[1].name, DEX_COIN);
    const { marginSummary } = await info.clearinghouseState({ user, dex: DEX });
    same(marginSummary.accountValue, "1000.0");
  },
  async dex_order() {
    const p = await far(0.9, DEX_COIN, DEX);
    const { resting } = await place(0.9, { a: DEX_ASSET, p });
    const [order] = await info.openOrders({ user, dex: DEX });
    same([order.coin, order.oid], [DEX_COIN, resting.oid]);
    await exchange.cancel({ cancels: [{ a: DEX_ASSET, o: resting.oid }] });
    const buys = await takes(true, { a: DEX_ASSET, p: await far(1.02, DEX_COIN, DEX) });
    same(Number(buys.filled.totalSz), SIZE);
    await takes(false, { a: DEX_ASSET, r: true, p: await far(0.98, DEX_COIN, DEX) });
  },
  async stream_book() {
    const book = await first((listener) => streams.l2Book({ coin: COIN }, listener));
    same([book.coin, book.levels.length], [COIN, 2]);
  },
  async stream_bbo() {
    const { bbo } = await first((listener) => streams.bbo({ coin: COIN }, listener));
    assert(Number(bbo[0].px) < Number(bbo[1].px));
  },
  async stream_trades() {
    const trades = await first((listener) => streams.trades({ coin: COIN }, listener));
    assert(trades.every((trade) => trade.coin === COIN));
  },
  async stream_candles() {
    const ask = { coin: COIN, interval: "1m" };
    same((await first((listener) => streams.candle(ask, listener))).s, COIN);
  },
  async stream_mids() {
    assert(Number((await first((listener) => streams.allMids(listener))).mids[COIN]) > 0);
  },
  async stream_orders() {
    const seen = [];
    const stream = await streams.orderUpdates({ user }, (updates) => seen.push(...updates));
    const { resting } = await place();
    await cancel(resting.oid);
    const told = () =>
      seen.filter((entry) => entry.order.oid === resting.oid).map((entry) => entry.status).join();
    await until(() => told() === "open,canceled", "open, then canceled");
    await stream.unsubscribe();
  },
  async stream_fills() {
    const frames = [];
    const stream = await streams.userFills({ user }, (data) => frames.push(data));
    await until(() => frames[0]?.isSnapshot, "the snapshot");
    const { oid: id } = (await takes(true)).filled;
    const told = () => frames.slice(1).some(({ fills }) => fills.some((fill) => fill.oid === id));
    await until(told, "the fill");
    await stream.unsubscribe();
    await takes(false, { r: true });
  },
  async socket_order() {
    const wallet = exchange.config_.wallet;
    const client = new hl.ExchangeClient({ transport: socket, wallet });
    const { resting } = await place(0.9, {}, client);
    const reply = await client.cancel({ cancels: [{ a: ASSET, o: resting.oid }] });
    same(reply.response.data.statuses, ["success"]);
  },
  async reconnect() {
    const frames = [];
    await streams.bbo({ coin: COIN }, (data) => frames.push(data));
    await until(() => frames[0], "a frame before");
    await control(url, { do: "fault", fault: "disconnect+500ms" });
    await sleep(700);
    const before = frames.length;
    await until(() => frames.length > before + 2, "frames after");
  },
});
