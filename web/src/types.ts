// The document that Python puts into the page (src/octet/choose/page/document.py has the same shape).
// What must not be here: anything that is computed in the page.

export type Certainty = "verified" | "derived" | "computed" | "unverified" | "measured";

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
  /** Worked out by octet about our model. */
  facts: Fact[];
}

/** What a statement stands on (octet.choose.decision.Evidence). */
export interface Evidence extends Cited {
  kind: "fact" | "step" | "limit" | "measured";
  provider: string;
  key: string;
  says: string;
  note: string;
}

export interface Finding {
  constraint: string;
  title: string;
  verdict: "met" | "unknown" | "ruled out";
  fields: string[];
  because: string;
  evidence: Evidence[];
}

export interface Score {
  criterion: string;
  title: string;
  low: number;
  high: number;
  weight: number;
  says: string;
  known: boolean;
  evidence: Evidence[];
}

export interface Place {
  provider: string;
  title: string;
  model: string;
  value: number;
  low: number;
  high: number;
  first_share: number | null;
  scores: Score[];
}

export interface Reason {
  id: string;
  text: string;
  evidence: Evidence[];
}

/** The answer, as octet.choose.decision.Decision is written to JSON; here are the parts that are drawn. */
export interface Decision {
  outcome: "pick" | "tie" | "nothing";
  leaders: string[];
  headline: string;
  rule: string;
  reasons_for: Reason[];
  reasons_against: Reason[];
  excluded: { provider: string; title: string; findings: Finding[] }[];
  kept: { provider: string; title: string; warnings: Finding[]; met: Finding[] }[];
  ranking: Place[];
  dominated: { provider: string; title: string; by: string }[];
  why_not: { provider: string; title: string; text: string }[];
  open: { field: string; question: string; text: string }[];
  missing: { id: string; text: string; command: string }[];
  relaxations: { constraints: string[]; providers: string[]; text: string }[];
  run: { provider: string; title: string; octet: string; note: string; original: string[] }[];
  notes: string[];
  oldest: Evidence | null;
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
  failures: { candidate: string; reason: string; possible?: boolean }[];
}

export interface Measured {
  metrics: Metric[];
  rows: Row[];
  /** Candidate to how it is called on the page, so that a provider and our model are told apart. */
  titles: Record<string, string>;
  /** Which figures are missing in some rounds, and why, a sentence each. */
  absences: string[];
}

export interface Question {
  field: string;
  section: string;
  text: string;
  why: string;
  kind: "yes-no" | "choice" | "number" | "text";
  /** What may be written, for a person. */
  takes: string;
  choices: { value: string; text: string }[];
}

export type Value = boolean | number | string | string[] | null;

export interface Page {
  schema: number;
  octet: string;
  today: string;
  live: boolean;
  /** What was asked for, in words. */
  profile: string;
  requirements: Record<string, Value>;
  questions: Question[];
  decision: Decision;
  /** What every constraint that was asked for says about every provider, in the order of the facts. */
  elimination: { provider: string; findings: Finding[] }[];
  /** Changes that would flip the answer, those that say most first. */
  flips: Reason[];
  keys: Key[];
  /** What each limit is a number of, by key. */
  limits: Record<string, string>;
  figures: { name: string; title: string; shows: string; hides: string; source: string; unit: string }[];
  providers: Provider[];
  /** When versions of installers came out, by installer. */
  installers: Record<string, Release[]>;
  decisions: Record<string, string>;
  models: ModelRow[];
  walks: Walk[];
  growth: Growth[];
  measured: Measured | null;
  results: Results | null;
}
