// Measurements: where and how, every metric as ratios with intervals and the noise band.
// What must not be here: statistics; intervals and verdicts come from octet.measure.
import { scaleLog } from "d3-scale";
import { fixed, logTicks } from "./geometry";
import { Latency } from "./latency";
import { DataTable, Figure, Section, useWidth } from "./parts";
import { Scatter } from "./scatter";
import type { Measured, Metric, Page, Results, Row } from "./types";

export function Measurements({ page }: { page: Page }) {
  const { measured, results } = page;
  if (!measured || !results) {
    return (
      <Section id="measurements" title="Measured on this machine">
        <p class="note">
          <b>Nothing has been measured yet.</b> <code>octet compare --quick</code> takes under three minutes
          and fills this section with figures of our models on your machine. Until then the answer above
          stands on facts alone.
        </p>
      </Section>
    );
  }
  return (
    <Section
      id="measurements"
      title="Measured on this machine"
      lead="Figures of our models and of the reference plugins, never of the originals. Ratios are between values of the same round. The grey band is how far an identical copy of the baseline seemed to differ: a difference inside it is none that was seen."
    >
      <Context results={results} />
      {results.failures.map((failure) => (
        <p key={failure.candidate} class="note bad">
          <b>
            {measured.titles[failure.candidate] ?? failure.candidate}{" "}
            {failure.possible === false ? "is not possible here" : "failed"}:
          </b>{" "}
          {failure.reason}
        </p>
      ))}
      {measured.absences.map((absence) => (
        <p key={absence} class="note">
          {absence}
        </p>
      ))}
      <Summary measured={measured} results={results} />
      <div class="multiples">
        {measured.metrics.map((metric) => (
          <DotPlot key={metric.key} metric={metric} measured={measured} baseline={results.baseline} />
        ))}
      </div>
      <Latency measured={measured} results={results} />
      <Scatter measured={measured} results={results} />
    </Section>
  );
}

function Context({ results }: { results: Results }) {
  const cores = `${results.machine.cpus} × ${results.machine.cpu}`;
  const rows = [
    ["started", results.started],
    ["command", results.command.join(" ")],
    ["rounds", `${results.rounds} of ${results.seconds} s per probe, seed ${results.seed}`],
    ["duration", `${fixed(results.duration_s, 0)} s`],
    ...(results.shortened ? [["shortened", results.shortened]] : []),
    ...Object.entries(results.machine).map(([key, value]) => [key, String(value)]),
    ...Object.entries(results.versions).map(([key, value]) => [key, value]),
  ];
  return (
    <details class="context">
      <summary>
        {results.rounds} rounds on {cores}, kernel {String(results.machine.kernel)},{" "}
        {results.started.slice(0, 10)}
      </summary>
      <DataTable label="How and where it was measured" twin={{ columns: ["What", "Value"], rows }} />
    </details>
  );
}

function Summary({ measured, results }: { measured: Measured; results: Results }) {
  const columns = ["Candidate", ...measured.metrics.map((metric) => `${metric.title} (${metric.unit})`)];
  const by = new Map(measured.rows.map((row) => [`${row.candidate}/${row.metric}`, row]));
  const rows = Object.keys(results.candidates).map((name) => [
    measured.titles[name] ?? name,
    ...measured.metrics.map((metric) => {
      const value = by.get(`${name}/${metric.key}`)?.value;
      return value ? fixed(value.median, metric.digits) : "not measured";
    }),
  ]);
  return (
    <div class="summary">
      <h3>Medians</h3>
      <DataTable label="Medians of every metric" twin={{ columns, rows }} />
    </div>
  );
}

function range(rows: Row[]): [number, number] {
  const seen = [0.95, 1.05];
  for (const row of rows) {
    seen.push(...row.ratios);
    if (row.ratio) seen.push(row.ratio.low, row.ratio.high);
    if (row.noise) seen.push(row.noise, 1 / row.noise);
  }
  return [Math.min(...seen) / 1.06, Math.max(...seen) * 1.06];
}

function DotPlot({ metric, measured, baseline }: { metric: Metric; measured: Measured; baseline: string }) {
  const rows = measured.rows.filter((row) => row.metric === metric.key && row.ratio);
  const sign = metric.higher_is_better ? -1 : 1;
  const sorted = [...rows].sort((a, b) => sign * ((a.ratio?.median ?? 1) - (b.ratio?.median ?? 1)));
  const all = measured.rows.filter((row) => row.metric === metric.key);
  const columns = [
    "Candidate",
    `Median (${metric.unit})`,
    "95 % interval",
    `Ratio to ${baseline}`,
    "95 % interval of the ratio",
    "Verdict",
  ];
  const twin = all.map((row) => [
    measured.titles[row.candidate] ?? row.candidate,
    row.value && fixed(row.value.median, metric.digits),
    row.value && `${fixed(row.value.low, metric.digits)} to ${fixed(row.value.high, metric.digits)}`,
    row.ratio && fixed(row.ratio.median, 2),
    row.ratio && `${fixed(row.ratio.low, 2)} to ${fixed(row.ratio.high, 2)}`,
    row.verdict || null,
  ]);
  if (!sorted.length) return null;
  const better = metric.higher_is_better ? "right is better" : "left is better";
  return (
    <Figure title={metric.title} caption={`Ratio to ${baseline}; ${better}.`} twin={{ columns, rows: twin }}>
      <Dots
        rows={sorted}
        measured={measured}
        label={`${metric.title}: ratios with intervals; the table below says the same`}
      />
    </Figure>
  );
}

function Dots({ rows, measured, label }: { rows: Row[]; measured: Measured; label: string }) {
  const { ref, width } = useWidth(480);
  const line = 40;
  const top = 6;
  const height = top + rows.length * line + 26;
  const [low, high] = range(rows);
  const x = scaleLog([low, high], [6, width - 6]);
  const noise = rows[0]?.noise;
  return (
    <div ref={ref}>
      <svg viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}>
        {noise && (
          <rect
            x={x(1 / noise)}
            width={Math.max(1, x(noise) - x(1 / noise))}
            y={top}
            height={rows.length * line}
            class="noise"
          >
            <title>A/A noise: no difference seen in here</title>
          </rect>
        )}
        {logTicks(low, high, width).map((tick) => (
          <g key={tick}>
            <line
              x1={x(tick)}
              x2={x(tick)}
              y1={top}
              y2={height - 22}
              class={tick === 1 ? "one" : "gridline"}
            />
            <text x={x(tick)} y={height - 8} class="axis" text-anchor="middle">
              ×{tick < 1 ? Number(tick.toPrecision(3)) : tick}
            </text>
          </g>
        ))}
        {rows.map((row, index) => (
          <Dot
            key={row.candidate}
            row={row}
            x={x}
            y={top + index * line}
            title={measured.titles[row.candidate] ?? row.candidate}
            width={width}
          />
        ))}
      </svg>
    </div>
  );
}

function Dot(props: { row: Row; x: (ratio: number) => number; y: number; title: string; width: number }) {
  const { row, x } = props;
  if (!row.ratio) return null;
  const y = props.y + 27;
  const clear = row.verdict === "better" || row.verdict === "worse";
  return (
    <g class={clear ? "clear" : "unclear"} data-candidate={row.candidate} data-metric={row.metric}>
      <text x={0} y={props.y + 13} class="label small halo">
        {props.title}
      </text>
      <text x={props.width} y={props.y + 13} class="axis strong halo" text-anchor="end">
        ×{fixed(row.ratio.median, 2)}
        {row.verdict === "no difference seen" ? " no difference seen" : ` ${row.verdict}`}
      </text>
      {row.ratios.map((ratio, index) => (
        <circle key={index} cx={x(ratio)} cy={y + ((index % 5) - 2) * 2} r={2} class="raw" />
      ))}
      <line x1={x(row.ratio.low)} x2={x(row.ratio.high)} y1={y} y2={y} class="interval" />
      <circle cx={x(row.ratio.median)} cy={y} r={5} class="dot" />
    </g>
  );
}
