// The pure parts of sections: timelines, tags, nested headers, trends, what is typed into a form.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { beyond, percent } from "../src/answer";
import { columns } from "../src/elimination";
import { chosen, typed } from "../src/form";
import { byVersion, datesOf, stretches } from "../src/lifecycle";
import { isOuter, ours } from "../src/models";
import { series } from "../src/numbers";
import { sentence } from "../src/parts";
import type { Finding, Header, Provider, Question, Step } from "../src/types";

function step(version: string, state: Step["state"], date: string | null): Step {
  return {
    installer: "kops",
    version,
    state,
    date,
    as_of: "2026-08-22",
    source: "x",
    certainty: "verified",
    kubernetes: "",
    note: "",
  };
}

test("versions are compared by their numbers", () => {
  assert.ok(byVersion("1.9", "1.18") < 0);
  assert.ok(byVersion("1.6.2", "1.6") > 0);
  assert.equal(byVersion("1.5", "1.5.0"), 0);
});

test("a step without a date begins when a later version is known to have come out, and says so", () => {
  const known = new Map([
    ["1.18", "2020-08-02"],
    ["1.27", "2023-07-17"],
  ]);
  const found = stretches(
    [step("1.27", "deprecated", "2023-07-17"), step("1.6", "experimental", null)],
    known,
    "2026-11-26",
  );
  assert.deepEqual(
    found.map(({ step: { state }, from, to, dated }) => [state, from, to, dated]),
    [
      ["experimental", "2020-08-02", "2023-07-17", false],
      ["deprecated", "2023-07-17", "2026-11-26", true],
    ],
  );
});

test("what was taken before any known day keeps its beginning, and nothing is drawn twice", () => {
  const known = datesOf(
    {
      providers: [],
      installers: { kops: [{ version: "1.18", date: "2020-08-02", source: "x" }] },
    },
    "kops",
  );
  const found = stretches(
    [step("1.8", "experimental", null), step("1.18", "deprecated", "2020-08-02")],
    known,
    "2026-11-26",
  );
  assert.deepEqual(
    found.map(({ step: { state }, from, to, dated }) => [state, from, to, dated]),
    [
      ["experimental", "2020-08-02", "2020-08-02", false],
      ["deprecated", "2020-08-02", "2026-11-26", true],
    ],
  );
});

function packet(...protocols: string[]): Header[] {
  return protocols.map((protocol) => ({ protocol, size: 1, source: "", destination: "", notes: [] }));
}

test("outer headers are those in front of the pod's own frame or packet", () => {
  const outer = (...protocols: string[]) => {
    const headers = packet(...protocols);
    return headers.filter((_, index) => isOuter(headers, index)).map((header) => header.protocol);
  };
  assert.deepEqual(outer("Ethernet", "IPv4", "data"), []);
  assert.deepEqual(outer("Ethernet", "IPv4", "UDP", "VXLAN", "Ethernet", "IPv4", "data"), [
    "Ethernet",
    "IPv4",
    "UDP",
    "VXLAN",
  ]);
  assert.deepEqual(outer("Ethernet", "IPv4", "IPv4", "data"), ["Ethernet", "IPv4"]);
});

test("our model of a provider is never called by the provider's name alone", () => {
  assert.equal(ours("flannel"), "our model of flannel (octet flannel)");
  assert.equal(ours("flannel:host-gw"), "our model of flannel (octet flannel:host-gw)");
});

test("what was not counted is not drawn as zero", () => {
  const counts = [
    { date: "2022-01-01", source: "x", figures: { stars: 5 } },
    { date: "2017-10-28", source: "x", figures: { stars: null, forks: 0 } },
  ];
  const provider = { counts } as unknown as Provider;
  assert.deepEqual(series(provider, "stars"), [{ date: "2022-01-01", value: 5 }]);
  assert.deepEqual(series(provider, "forks"), []);
});

test("fragments become sentences, and names keep their small letters", () => {
  assert.equal(sentence("nobody else is in the race"), "Nobody else is in the race.");
  assert.equal(sentence("flannel cannot enforce it"), "flannel cannot enforce it.");
  assert.equal(sentence("kube-router is good."), "kube-router is good.");
  assert.equal(sentence("kindnet. It is alone"), "kindnet. It is alone.");
});

test("a headline is not said twice", () => {
  assert.equal(beyond("kindnet", "kindnet. It is the only one left."), "It is the only one left.");
  assert.equal(beyond("Cilium", "Cilium."), "");
  assert.equal(beyond("Cilium or Calico", "A tie: Cilium and Calico."), "A tie: Cilium and Calico.");
});

test("shares above nothing are never shown as nothing", () => {
  assert.deepEqual([0, 0.004, 0.5, 0.996, 1].map(percent), [
    "0 %",
    "under 1 %",
    "50 %",
    "over 99 %",
    "100 %",
  ]);
});

test("the constraints that rule most out come first, and those that rule nobody out are told apart", () => {
  const finding = (constraint: string, verdict: Finding["verdict"]): Finding => ({
    constraint,
    title: constraint,
    verdict,
    fields: [],
    because: "",
    evidence: [],
  });
  const rows = [
    {
      provider: "a",
      state: "out" as const,
      findings: [finding("x", "met"), finding("y", "ruled out"), finding("z", "met")],
    },
    {
      provider: "b",
      state: "warned" as const,
      findings: [finding("x", "unknown"), finding("y", "ruled out"), finding("z", "met")],
    },
  ];
  assert.deepEqual(
    columns(rows).map(({ id, telling }) => [id, telling]),
    [
      ["y", true],
      ["x", true],
      ["z", false],
    ],
  );
});

test("answers of a form have their types, and don't know is none", () => {
  const question = (kind: Question["kind"]): Question => ({
    field: "f",
    section: "",
    text: "",
    why: "",
    kind,
    takes: "",
    choices: [],
  });
  assert.equal(chosen(question("yes-no"), "false"), false);
  assert.equal(chosen(question("choice"), "kops"), "kops");
  assert.equal(chosen(question("yes-no"), ""), null);
  assert.equal(typed(question("number"), " 60 "), 60);
  assert.equal(typed(question("number"), "many"), "many");
  assert.equal(typed(question("text"), ""), null);
});

// axe can't judge text over patterns and in pictures, so the colours themselves are judged (WCAG 2.2, 1.4.3).

function palette(text: string): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map((found) => [found[1], found[2]]),
  );
}

function luminance(colour: string): number {
  const parts = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255);
  const [red = 0, green = 0, blue = 0] = parts.map((part) =>
    part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4,
  );
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

test("every ink is readable on every ground it is printed on, by day and by night", () => {
  const style = readFileSync("src/style.css", "utf8");
  const [day = "", night = ""] = style.split("@media (prefers-color-scheme: dark)");
  const grounds: Record<string, string[]> = {
    ink: ["paper", "card", "age0", "age1", "age2", "age3", "noise", "hair", "accent-soft", "bad-soft"],
    muted: ["paper", "card", "accent-soft", "hair"],
    accent: ["paper", "card"],
    bad: ["card", "paper", "bad-soft"],
    warn: ["card", "paper", "warn-soft", "age0", "age1", "age2", "age3"],
    good: ["card", "paper"],
    s0: ["paper"],
    s1: ["paper"],
    s2: ["paper"],
    s3: ["paper"],
    s4: ["paper"],
  };
  for (const [name, text] of [
    ["day", day],
    ["night", night.slice(0, night.indexOf("* {"))],
  ] as const) {
    const held = palette(text);
    for (const [ink, papers] of Object.entries(grounds)) {
      for (const paper of papers) {
        const found = contrast(held[ink] ?? "", held[paper] ?? "");
        assert.ok(found >= 4.5, `${name}: ${ink} on ${paper} has ${found.toFixed(2)}`);
      }
    }
  }
});
