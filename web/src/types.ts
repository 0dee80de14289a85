// The document that Python puts into the page (src/octet/choose/page/document.py has the same shape).
// What must not be here: anything that is computed in the page.

export type Certainty = "verified" | "derived" | "computed" | "unverified";

export interface Cited {
  as_of: string;
  source: string;
  certainty: Certainty;
}

export interface Fact extends Cited {
  key: string;
  truth: "yes" | "no" | "unknown";
  /** What a reader sees; "unknown" where there is no value. */
  text: string;
  note: string;
}

export interface Key {
  key: string;
  title: string;
  group: string;
  /** "upstream": what the provider can do; "installer": what an installer lets its users reach. */
  side: "upstream" | "installer";
}

export type State = "experimental" | "stable" | "default" | "deprecated" | "removed" | "restored";

export interface Step extends Cited {
  installer: string;
  version: string;
  state: State;
  date: string | null;
  kubernetes: string;
  note: string;
}

export interface Release {
  version: string;
  date: string;
  source: string;
}

export interface Count {
  date: string;
  source: string;
  figures: Record<string, number | boolean | null>;
}

export interface Provider {
  name: string;
  title: string;
  summary: string;
  packet: string;
  /** The row of octet that runs this network model; empty where there is none yet. */
  model: string;
  facts: Fact[];
  limits: Fact[];
  steps: Step[];
  releases: Release[];
  counts: Count[];
}

export interface Header {
  protocol: string;
  size: number;
  source: string;
  destination: string;
  notes: string[];
}

export interface Hop {
  machine: string;
  device: string;
  kind: string;
  does: string;
  because: string[];
  /** As the packet leaves the device, outermost first. */
  headers: Header[];
}

/** The way of the largest packet that a pod may send, derived from the blueprint (octet.choose.packet). */
export interface Walk {
  model: string;
  family: number;
  pod_mtu: number;
  underlay_mtu: number;
  overhead: number;
  hops: Hop[];
}

export interface Growth {
  name: string;
  /** Nodes of the cluster, and how many objects one node's kernel then holds. */
  points: { nodes: number; objects: number }[];
}

export interface ModelRow {
  name: string;
  summary: string;
  about: string;
  choices: Record<string, string>;
}

export interface Reason {
  id: string;
  text: string;
  facts: Cited[];
}

export interface Run {
  provider: string;
  model: string;
  /** Shell commands with what each one is. */
  commands: { what: string; command: string }[];
  note: string;
}

export interface Answer {
  kind: "pick" | "tie" | "none";
  picks: string[];
  headline: string;
  margin: string;
  profile: string;
  pros: Reason[];
  cons: Reason[];
  flips: Reason[];
  missing: Reason[];
  oldest: (Cited & { text: string }) | null;
  runs: Run[];
}

export interface Verdict {
  constraint: string;
  state: "out" | "unknown" | "kept";
  text: string;
  facts: Cited[];
}

export interface Elimination {
  provider: string;
  state: "out" | "warned" | "kept";
  verdicts: Verdict[];
}

export interface Rank {
  provider: string;
  value: number;
  low: number;
  high: number;
  share: number;
  dominated_by: string;
  parts: { criterion: string; title: string; weight: number; value: number | null; text: string }[];
}

export interface Decision {
  answer: Answer;
  constraints: { id: string; title: string }[];
  elimination: Elimination[];
  ranking: Rank[];
}

export interface Interval {
  median: number;
  low: number;
  high: number;
  count: number;
}

export interface Metric {
  key: string;
  title: string;
  unit: string;
  higher_is_better: boolean;
  digits: number;
}

export interface Row {
  candidate: string;
  metric: string;
  value: Interval | null;
  ratio: Interval | null;
  /** The factor around 1 within which nothing is a difference; null without a twin. */
  noise: number | null;
  verdict: string;
  ratios: number[];
}

export interface Sample {
  candidate: string;
  round: number;
  order: number;
  values: Record<string, number>;
  raw: Record<string, Record<string, unknown>>;
}

/** results.json as it was written. */
export interface Results {
  started: string;
  duration_s: number;
  command: string[];
  machine: Record<string, unknown>;
  versions: Record<string, string>;
  candidates: Record<string, string>;
  baseline: string;
  twin: string;
  seed: number;
  seconds: number;
  rounds: number;
  shortened: string;
  samples: Sample[];
  failures: { candidate: string; reason: string }[];
}

export interface Measured {
  metrics: Metric[];
  rows: Row[];
  /** Candidate to how it is called on the page, so that a provider and our model are told apart. */
  titles: Record<string, string>;
}

export interface Question {
  field: string;
  section: string;
  text: string;
  why: string;
  kind: "yes-no" | "choice" | "several" | "number" | "text";
  choices: { value: string; text: string }[];
}

export type Value = boolean | number | string | string[] | null;

export interface Page {
  schema: number;
  octet: string;
  today: string;
  live: boolean;
  requirements: Record<string, Value>;
  questions: Question[];
  decision: Decision;
  keys: Key[];
  providers: Provider[];
  decisions: Record<string, string>;
  models: ModelRow[];
  walks: Walk[];
  growth: Growth[];
  measured: Measured | null;
  results: Results | null;
}
