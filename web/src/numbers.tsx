// By the numbers: what hosting sites counted on which day, as trends. Never added into one score.
import { scaleLog, scaleUtc } from "d3-scale";
import { line } from "d3-shape";
import { dodge, logTicks } from "./geometry";
import { DataTable, Figure, Section, type Twin, useWidth } from "./parts";
import type { Page, Provider } from "./types";

const TRENDS = ["stars", "contributors", "forks"];

interface Point {
  date: string;
  value: number;
}

export function series(provider: Provider, figure: string): Point[] {
  return provider.counts
    .map((count) => ({ date: count.date, value: count.figures[figure] }))
    .filter((point): point is Point => typeof point.value === "number" && point.value > 0)
    .sort((a, b) => a.date.localeCompare(b.date));
}

export function Numbers({ page }: { page: Page }) {
  const counted = page.providers.filter((provider) => provider.counts.length);
  const used = new Set(counted.flatMap((one) => one.counts.flatMap((count) => Object.keys(count.figures))));
  const names = page.figures.map((figure) => figure.name).filter((name) => used.has(name));
  const titles = new Map(page.figures.map((figure) => [figure.name, figure.title]));
  const columns = ["Provider", "Date", ...names.map((name) => titles.get(name) ?? name), "Source"];
  const rows = counted.flatMap((provider) =>
    provider.counts.map((count) => [
      provider.title,
      count.date,
      ...names.map((name) => {
        const value = count.figures[name];
        return typeof value === "boolean" ? (value ? "yes" : "no") : (value ?? "not counted");
      }),
      count.source,
    ]),
  );
  return (
    <Section
      id="numbers"
      title="By the numbers"
      lead="Stars, contributors and forks hardly ever fall, so they can't show that a project is dying: look at commits, authors and releases of the last twelve months in the table. None of this has a part in the ranking."
    >
      {counted.length === 0 ? (
        <p class="muted">No counts are stored. octet facts refresh fetches them.</p>
      ) : (
        <Figure title="Stars, contributors and forks over time" twin={{ columns, rows }} class="wide">
          <div class="panels">
            {counted
              .filter((provider) => TRENDS.some((figure) => series(provider, figure).length))
              .map((provider) => (
                <Panel key={provider.name} provider={provider} today={page.today} />
              ))}
          </div>
        </Figure>
      )}
      <details class="twin">
        <summary>What each number shows, and what it hides</summary>
        <DataTable label="What each number shows and hides" twin={meanings(page)} />
      </details>
    </Section>
  );
}

function meanings(page: Page): Twin {
  const rows = page.figures.map((figure) => [figure.title, figure.shows, figure.hides, figure.source]);
  return { columns: ["Number", "Shows", "Hides", "Source"], rows };
}

function Panel({ provider, today }: { provider: Provider; today: string }) {
  const { ref, width } = useWidth(300);
  const height = 170;
  const right = width - 86;
  const x = scaleUtc([new Date("2017-01-01"), new Date(today)], [40, right]);
  const y = scaleLog([1, 30000], [height - 26, 26]);
  const path = line<Point>(
    (point) => x(new Date(point.date)),
    (point) => y(point.value),
  );
  const lines = TRENDS.flatMap((figure) => {
    const points = series(provider, figure);
    const last = points[points.length - 1];
    return last ? [{ figure, points, last }] : [];
  });
  const labels = dodge(
    lines.map((each) => y(each.last.value)),
    12,
    26,
    height - 26,
  );
  return (
    <div ref={ref} class="panel">
      <svg
        viewBox={`0 0 ${width} ${height}`}
        role="img"
        aria-label={`Stars, contributors and forks of ${provider.title}`}
      >
        <text x={0} y={13} class="label small">
          {provider.title}
        </text>
        {logTicks(1, 30000, 130).map((tick) => (
          <g key={tick}>
            <line x1={40} x2={right} y1={y(tick)} y2={y(tick)} class="gridline" />
            <text x={36} y={y(tick) + 4} class="axis" text-anchor="end">
              {tick >= 1000 ? `${tick / 1000}k` : tick}
            </text>
          </g>
        ))}
        {x.ticks(3).map((tick) => (
          <text key={tick.getTime()} x={x(tick)} y={height - 8} class="axis" text-anchor="middle">
            {tick.getUTCFullYear()}
          </text>
        ))}
        {lines.map(({ figure, points, last }, index) => (
          <g key={figure} class={`series s${index}`}>
            <path d={path(points) ?? ""} class="curve" />
            {points.map((point) => (
              <circle key={point.date} cx={x(new Date(point.date))} cy={y(point.value)} r={3}>
                <title>
                  {point.value} {figure}, {point.date}
                </title>
              </circle>
            ))}
            <text x={x(new Date(last.date)) + 7} y={(labels[index] ?? 0) + 4} class="axis halo">
              {figure}
            </text>
          </g>
        ))}
      </svg>
    </div>
  );
}
