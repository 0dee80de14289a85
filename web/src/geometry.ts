// Pure arithmetic of charts: logarithmic ticks, labels that don't touch, pooled histograms.
// What must not be here: markup, the document.

const STEPS = [1, 2, 5];
const FINE = [0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 3];

/** Ticks of a logarithmic axis: 1-2-5 steps, finer around 1 where the axis spans less than a decade. */
export function logTicks(low: number, high: number, room: number): number[] {
  const span = Math.log(high / low);
  const candidates: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const step of STEPS) candidates.push(step * 10 ** power);
  }
  const all = span < Math.log(8) ? [...new Set([...FINE, ...candidates])] : candidates;
  const importance = (tick: number): number =>
    tick === 1 ? -1 : Math.abs(Math.log10(tick) % 1) < 1e-9 ? 0 : 1;
  const kept: number[] = [];
  for (const tick of all.sort((a, b) => importance(a) - importance(b) || a - b)) {
    if (tick < low * 0.999 || tick > high * 1.001) continue;
    const near = kept.some((other) => (Math.abs(Math.log(tick / other)) / span) * room < 38);
    if (!near) kept.push(tick);
  }
  return kept.sort((a, b) => a - b);
}

/** Move labels apart vertically as little as needed: each at least `gap` below the one before. */
export function dodge(wanted: number[], gap: number, low: number, high: number): number[] {
  const order = wanted.map((_, index) => index).sort((a, b) => (wanted[a] ?? 0) - (wanted[b] ?? 0));
  const placed = [...wanted];
  let floor = low;
  for (const index of order) {
    placed[index] = Math.max(wanted[index] ?? 0, floor);
    floor = (placed[index] ?? 0) + gap;
  }
  let ceiling = high;
  for (const index of order.reverse()) {
    placed[index] = Math.min(placed[index] ?? 0, ceiling);
    ceiling = (placed[index] ?? 0) - gap;
  }
  return placed;
}

export type Histogram = [at: number, count: number][];

/** Add up histograms (lower end of a bucket to how many), sorted by the bucket. */
export function pool(parts: Record<string, number>[]): Histogram {
  const held = new Map<number, number>();
  for (const part of parts) {
    for (const [at, count] of Object.entries(part)) held.set(Number(at), (held.get(Number(at)) ?? 0) + count);
  }
  return [...held].sort((a, b) => a[0] - b[0]);
}

export function total(histogram: Histogram): number {
  return histogram.reduce((sum, [, count]) => sum + count, 0);
}

/** The lower end of the bucket in which this share of all samples is reached (nearest rank). */
export function quantile(histogram: Histogram, share: number): number | null {
  const rank = Math.max(1, Math.ceil(share * total(histogram)));
  let seen = 0;
  for (const [at, count] of histogram) {
    seen += count;
    if (seen >= rank) return at;
  }
  return null;
}

/** Points of the tail curve: (µs, share of samples above it), down to `least`. */
export function tail(histogram: Histogram, least: number): [number, number][] {
  const all = total(histogram);
  const points: [number, number][] = [];
  let seen = 0;
  for (const [at, count] of histogram) {
    points.push([at, (all - seen) / all]);
    seen += count;
  }
  return points.filter(([, above]) => above >= least);
}

/** Years between two ISO dates. */
export function yearsBetween(from: string, to: string): number {
  return (Date.parse(to) - Date.parse(from)) / (365.25 * 86_400_000);
}

/** Age classes of facts: 0 under one year, 1 under two, 2 under four, 3 older. */
export function ageClass(asOf: string, today: string): 0 | 1 | 2 | 3 {
  const years = yearsBetween(asOf, today);
  return years < 1 ? 0 : years < 2 ? 1 : years < 4 ? 2 : 3;
}

/** A number as the record has it: fixed digits, without a negative zero. */
export function fixed(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text;
}

const HOST = /^(?:[a-z0-9-]+\.)+[a-z]{2,}(?:\/[\w./~%+#?=&:@,-]*)?$/i;
const REPOSITORY = /^([\w.-]+\/[\w.-]+)[: ]+((?:[\w.-]+\/)*[\w.-]+\.\w+)$/;
const THREAD = /^([\w.-]+\/[\w.-]+) ?#(\d+)$/;

/** Where a reader can look, as a link; null where the source is a section or a sentence. */
export function link(source: string): string | null {
  const thread = THREAD.exec(source);
  if (thread) return `https://github.com/${thread[1]}/issues/${thread[2]}`;
  const file = REPOSITORY.exec(source);
  if (file) return `https://github.com/${file[1]}/blob/HEAD/${file[2]}`;
  if (HOST.test(source) && (source.includes("/") || source.startsWith("docs."))) return `https://${source}`;
  return null;
}
