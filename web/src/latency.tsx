// Latency: for each candidate the share of round trips that took longer, against the baseline's in grey.
// Small multiples instead of colours: nobody has to match a legend.
import { scaleLog } from "d3-scale";
import { line } from "d3-shape";
import { fixed, type Histogram, logTicks, pool, quantile, tail, total } from "./geometry";
import { Figure, useWidth } from "./parts";
import type { Measured, Results } from "./types";

const SHARES: [number, string][] = [
  [0.5, "p50"],
  [0.9, "p90"],
  [0.99, "p99"],
  [0.999, "p99.9"],
];
/** Below this share of samples the tail stands on a handful of them. */
const LEAST = 0.0005;
/** Samples from which a p99.9 says something (the tail then has a hundred). */
const ENOUGH = 100_000;

export function pooled(results: Results): Map<string, Histogram> {
  const found = new Map<string, Histogram>();
  for (const name of Object.keys(results.candidates)) {
    const parts = results.samples
      .filter((sample) => sample.candidate === name)
      .map((sample) => sample.raw.latency?.histogram_us)
      .filter((part): part is Record<string, number> => typeof part === "object" && part !== null);
    if (parts.length) found.set(name, pool(parts));
  }
  return found;
}

export function Latency({ measured, results }: { measured: Measured; results: Results }) {
  const curves = pooled(results);
  const base = curves.get(results.baseline);
  if (!curves.size) return null;
  const columns = ["Candidate", ...SHARES.map(([, name]) => `${name} (µs)`), "Round trips"];
  const rows = [...curves].map(([name, histogram]) => [
    measured.titles[name] ?? name,
    ...SHARES.map(([share]) => {
      const few = share > 0.99 && total(histogram) < ENOUGH;
      const value = quantile(histogram, share);
      return value === null ? null : `${few ? "~" : ""}${fixed(value, 1)}`;
    }),
    total(histogram),
  ]);
  const all = [...curves.values()];
  const least = Math.min(...all.map((one) => one[0]?.[0] ?? 1));
  const most = Math.max(...all.map((one) => quantile(one, 1 - LEAST) ?? 1));
  const caption = (
    <>
      How many round trips took longer than a time, all rounds together: the lower and the further left, the
      better. Grey: the baseline, {results.baseline}. A closed loop hides stalls, so this compares paths and
      promises no service level. “~”: fewer than 100,000 samples.
    </>
  );
  return (
    <Figure title="Latency curves" caption={caption} twin={{ columns, rows }} class="wide">
      <div class="panels">
        {[...curves].map(([name, histogram]) => (
          <Panel
            key={name}
            title={measured.titles[name] ?? name}
            own={histogram}
            base={name === results.baseline ? undefined : base}
            low={least}
            high={most * 1.1}
          />
        ))}
      </div>
    </Figure>
  );
}

function Panel(props: {
  title: string;
  own: Histogram;
  base: Histogram | undefined;
  low: number;
  high: number;
}) {
  const { ref, width } = useWidth(300);
  const height = 190;
  const x = scaleLog([props.low, props.high], [42, width - 10]);
  const y = scaleLog([1, LEAST], [26, height - 28]);
  const path = line<[number, number]>(
    ([at]) => x(at),
    ([, above]) => y(above),
  );
  return (
    <div ref={ref} class="panel">
      <svg viewBox={`0 0 ${width} ${height}`} role="img" aria-label={`Latency of ${props.title}`}>
        <text x={0} y={13} class="label small">
          {props.title}
        </text>
        {SHARES.map(([share, name]) => (
          <g key={name}>
            <line x1={42} x2={width - 10} y1={y(1 - share)} y2={y(1 - share)} class="gridline" />
            <text x={38} y={y(1 - share) + 4} class="axis" text-anchor="end">
              {name}
            </text>
          </g>
        ))}
        {logTicks(props.low, props.high, width - 52).map((tick) => (
          <text key={tick} x={x(tick)} y={height - 14} class="axis" text-anchor="middle">
            {tick}
          </text>
        ))}
        <text x={width - 10} y={height - 2} class="axis" text-anchor="end">
          µs
        </text>
        {props.base && <path d={path(tail(props.base, LEAST)) ?? ""} class="curve base" />}
        <path d={path(tail(props.own, LEAST)) ?? ""} class="curve own" />
      </svg>
    </div>
  );
}
