// What a gigabyte costs against how many pass: medians with intervals, and lines of equal processor use.
import { scaleLinear } from "d3-scale";
import { fixed } from "./geometry";
import { Figure, useWidth } from "./parts";
import type { Interval, Measured, Results } from "./types";

const STREAM = "stream_gbit_per_s";
const CPU = "cpu_s_per_gbyte";

interface Point {
  name: string;
  title: string;
  rate: Interval;
  cost: Interval;
}

export function Scatter({ measured, results }: { measured: Measured; results: Results }) {
  const points = Object.keys(results.candidates).flatMap((name): Point[] => {
    const value = (metric: string) =>
      measured.rows.find((row) => row.candidate === name && row.metric === metric)?.value;
    const rate = value(STREAM);
    const cost = value(CPU);
    return rate && cost ? [{ name, title: measured.titles[name] ?? name, rate, cost }] : [];
  });
  if (points.length < 2) return null;
  const interval = (one: Interval, digits: number) =>
    `${fixed(one.low, digits)} to ${fixed(one.high, digits)}`;
  const columns = ["Candidate", "TCP stream (Gbit/s)", "95 % interval", "CPU per GB (s)", "95 % interval"];
  const rows = points.map((one) => [
    one.title,
    fixed(one.rate.median, 2),
    interval(one.rate, 2),
    fixed(one.cost.median, 3),
    interval(one.cost, 3),
  ]);
  const caption =
    "Lower right is better: more passes, and costs less. Dashed, with its number: so many processors busy all the time.";
  return (
    <Figure title="Processor time against throughput" caption={caption} twin={{ columns, rows }} class="wide">
      <Chart points={points} cpus={Number(results.machine.cpus) || 2} />
    </Figure>
  );
}

function Chart({ points, cpus }: { points: Point[]; cpus: number }) {
  const { ref, width } = useWidth(720);
  const height = Math.min(420, Math.max(300, width * 0.5));
  const right = 10;
  const rates = points.flatMap((point) => [point.rate.low, point.rate.high]);
  const costs = points.flatMap((point) => [point.cost.low, point.cost.high]);
  const x = scaleLinear([Math.min(...rates) * 0.97, Math.max(...rates) * 1.02], [40, width - right]).nice(5);
  const y = scaleLinear([Math.min(...costs) * 0.95, Math.max(...costs) * 1.03], [height - 44, 18]).nice(5);
  return (
    <div class="scatter">
      <div ref={ref}>
        <svg
          viewBox={`0 0 ${width} ${height}`}
          role="img"
          aria-label="Processor time against throughput; the table below says the same"
        >
          {x.ticks(6).map((tick) => (
            <g key={tick}>
              <line x1={x(tick)} x2={x(tick)} y1={18} y2={height - 44} class="gridline" />
              <text x={x(tick)} y={height - 28} class="axis" text-anchor="middle">
                {tick}
              </text>
            </g>
          ))}
          {y.ticks(5).map((tick) => (
            <g key={tick}>
              <line x1={40} x2={width - right} y1={y(tick)} y2={y(tick)} class="gridline" />
              <text x={34} y={y(tick) + 4} class="axis" text-anchor="end">
                {tick}
              </text>
            </g>
          ))}
          <text x={width - right} y={height - 8} class="axis" text-anchor="end">
            TCP stream, Gbit/s →
          </text>
          <text x={0} y={11} class="axis">
            CPU per GB, s
          </text>
          <Iso x={x} y={y} cpus={cpus} />
          {points.map((point, index) => (
            <g key={point.name} class={`series s${index % 6}`} data-candidate={point.name}>
              <line
                x1={x(point.rate.low)}
                x2={x(point.rate.high)}
                y1={y(point.cost.median)}
                y2={y(point.cost.median)}
                class="thin"
              />
              <line
                x1={x(point.rate.median)}
                x2={x(point.rate.median)}
                y1={y(point.cost.low)}
                y2={y(point.cost.high)}
                class="thin"
              />
            </g>
          ))}
          {points.map((point, index) => (
            <g key={point.name} class={`series s${index % 6}`}>
              <circle cx={x(point.rate.median)} cy={y(point.cost.median)} r={9} class="badge" />
              <text x={x(point.rate.median)} y={y(point.cost.median) + 4} class="inside" text-anchor="middle">
                {index + 1}
              </text>
            </g>
          ))}
        </svg>
      </div>
      <ol class="key">
        {points.map((point) => (
          <li key={point.name}>{point.title}</li>
        ))}
      </ol>
    </div>
  );
}

type Scale = ReturnType<typeof scaleLinear<number, number>>;

/** Where rate × cost is a fixed number of busy processors: cost = 8 × processors / rate. */
function Iso({ x, y, cpus }: { x: Scale; y: Scale; cpus: number }) {
  const [from = 0, to = 1] = x.domain();
  const [low = 0, high = 1] = y.domain();
  const levels = [0.25, 0.5, 0.75, 1].map((share) => share * cpus);
  return (
    <g class="iso">
      {levels.map((level) => {
        const points = Array.from({ length: 40 }, (_, index) => from + ((to - from) * index) / 39)
          .map((rate): [number, number] => [rate, (8 * level) / rate])
          .filter(([, cost]) => cost >= low && cost <= high);
        if (points.length < 2) return null;
        // The label is where the curve meets the plot's diagonal: there the curves are farthest apart.
        const along = Math.sqrt((8 * level) / (to * high));
        return (
          <g key={level}>
            <path d={`M${points.map(([rate, cost]) => `${x(rate)},${y(cost)}`).join("L")}`} />
            {along * to > from && along * high > low && (
              <text x={x(along * to)} y={y(along * high) + 4} class="axis halo" text-anchor="middle">
                {level}
              </text>
            )}
          </g>
        );
      })}
    </g>
  );
}
