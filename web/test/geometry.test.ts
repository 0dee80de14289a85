// What charts are computed with: ticks, labels, histograms, ages, links.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ageClass, dodge, fixed, link, logTicks, pool, quantile, tail, total } from "../src/geometry";

test("ticks of a logarithmic axis lie on it, keep 1, and their labels don't touch", () => {
  for (const [low, high] of [
    [0.9, 1.1],
    [0.07, 1.3],
    [0.01, 300],
    [20, 20000],
  ] as const) {
    const ticks = logTicks(low, high, 400);
    assert.ok(ticks.length >= 2, `${low} to ${high}`);
    assert.ok(ticks.every((tick) => tick >= low * 0.999 && tick <= high * 1.001));
    if (low < 1 && high > 1) assert.ok(ticks.includes(1));
    const places = ticks.map((tick) => (Math.log(tick / low) / Math.log(high / low)) * 400);
    for (let at = 1; at < places.length; at++)
      assert.ok((places[at] ?? 0) - (places[at - 1] ?? 0) >= 38 - 1e-9);
  }
});

test("labels keep their order and distance, and stay inside where there is room", () => {
  const placed = dodge([10, 11, 12, 90], 10, 0, 100);
  assert.deepEqual(placed, [10, 20, 30, 90]);
  const low = dodge([99, 98, 97], 10, 0, 100);
  assert.ok(low.every((place) => place <= 100));
  assert.deepEqual(
    [...low].sort((a, b) => a - b).map((place, at, all) => (at ? place - (all[at - 1] ?? 0) : 10)),
    [10, 10, 10],
  );
});

test("pooled histograms add up, and quantiles are values that occurred", () => {
  const pooled = pool([
    { "10.00": 90, "20.00": 9 },
    { "10.00": 90, "500.00": 11 },
  ]);
  assert.equal(total(pooled), 200);
  assert.equal(quantile(pooled, 0.5), 10);
  assert.equal(quantile(pooled, 0.94), 20);
  assert.equal(quantile(pooled, 0.99), 500);
  assert.equal(quantile([], 0.5), null);
});

test("the tail curve falls from 1, and ends where too few samples are left", () => {
  const curve = tail(pool([{ "1": 50, "2": 49, "3": 1 }]), 0.02);
  assert.deepEqual(curve, [
    [1, 1],
    [2, 0.5],
  ]);
});

test("facts age by whole classes", () => {
  assert.deepEqual(
    ["2026-01-01", "2025-01-01", "2023-06-01", "2016-08-02"].map((day) => ageClass(day, "2026-11-26")),
    [0, 1, 2, 3],
  );
});

test("numbers keep their digits and have no negative zero", () => {
  assert.equal(fixed(0.005, 2), "0.01");
  assert.equal(fixed(-0.001, 2), "0.00");
  assert.equal(fixed(1450, 0), "1450");
});

test("only addresses, repositories' files and threads become links, and all of them to https", () => {
  assert.equal(
    link("kubernetes/kops docs/releases/1.28-NOTES.md"),
    "https://github.com/kubernetes/kops/blob/HEAD/docs/releases/1.28-NOTES.md",
  );
  assert.equal(link("kubernetes/kops #246"), "https://github.com/kubernetes/kops/issues/246");
  assert.equal(link("docs.cilium.io/en/stable"), "https://docs.cilium.io/en/stable");
  for (const other of [
    "javascript:alert(1)",
    "data:text/html,x",
    "//evil.example/x",
    "evil.example/x onmouseover=y",
    "RFC 7348, section 5",
    'a/b "><script>.md',
  ]) {
    assert.equal(link(other), null, other);
  }
});
