// Runs one client through the shared list of steps: `node CLIENT.mjs URL KEY ADDRESS`.
// A client is an object with a function for each step of steps.json that it can do, with `start`
// and `stop`. A step passes if it returns. A line of JSON tells of each.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

export const COIN = "BTC";
export const DEX = "box";
export const DEX_COIN = "box:BTC";
export const SIZE = 0.01;
export const OTHER = "0x00000000000000000000000000000000000000aa"; // receives transfers
export const STRANGER_KEY = "0x" + "0".repeat(63) + "9"; // a throw-away key of nobody's account
const STEPS = JSON.parse(readFileSync(new URL("./steps.json", import.meta.url)));
const STEP_MS = 30_000;

export const same = assert.deepEqual;
export const says = (got, pattern) => assert.match(String(got), pattern);
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function until(ask, what, ms = 10_000) {
  const giveUp = Date.now() + ms;
  while (Date.now() < giveUp) {
    const answer = await ask();
    if (answer) return answer;
    await sleep(20);
  }
  throw new Error(`${what}: not within ${ms} ms`);
}

// Fails unless a call throws an error with a text that matches.
export async function refused(call, pattern) {
  let answer;
  try {
    answer = JSON.stringify(await call());
  } catch (error) {
    answer = error;
  }
  says(answer, pattern);
}

// Tells the exchange something that is not the client's part.
export async function control(url, request) {
  const reply = await fetch(url + "/control", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(request),
  });
  assert.equal(reply.status, 200);
}

// Brings the exchange over the next full hour, which is less than a minute away.
export async function passTheHour(url) {
  await control(url, { do: "speed", speed: 0 });
  await control(url, { do: "advance", ms: 61_000 });
  await control(url, { do: "speed", speed: 1 });
}

function within(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("not within 30 s")), STEP_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export async function run(client) {
  const unknown = Object.keys(client).filter((name) => !(name in STEPS)).sort();
  same(unknown, ["start", "stop"]);
  await client.start(...process.argv.slice(2, 5));
  for (const step of Object.keys(STEPS).filter((name) => name in client)) {
    let why = "";
    const started = Date.now();
    try {
      await within(client[step]());
    } catch (error) {
      why = `${error.name}: ${error.message} ${error.cause ?? ""}`.slice(0, 400);
    }
    console.log(JSON.stringify({ step, why, secs: (Date.now() - started) / 1000 }));
  }
  await client.stop();
  process.exit(0);
}
