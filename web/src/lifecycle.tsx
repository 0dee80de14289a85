// The lifecycle timeline: each provider's own releases, and what kops allowed when. One lane per provider.
// What must not be here: today's clock (the document says what day it is).
import { scaleUtc } from "d3-scale";
import { Figure, Section, useWidth } from "./parts";
import type { Page, Provider, State, Step } from "./types";

const LANE = 46;
const STATES: State[] = ["experimental", "stable", "default", "deprecated", "removed", "restored"];

export interface Stretch {
  step: Step;
  from: string;
  to: string;
  /** False where nobody knows when it began: only that it was before `from`. */
  dated: boolean;
}

/** When each version of an installer came out, as far as is known: by its own releases, and by providers' steps. */
export function datesOf(
  page: Pick<Page, "providers" | "installers">,
  installer: string,
): Map<string, string> {
  const found = new Map((page.installers[installer] ?? []).map(({ version, date }) => [version, date]));
  for (const step of page.providers.flatMap((provider) => provider.steps)) {
    if (step.installer === installer && step.date) found.set(step.version, step.date);
  }
  return found;
}

/** Compare versions such as 1.9 and 1.18 by their numbers. */
export function byVersion(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => text.split(".").map(Number));
  for (let at = 0; at < Math.max(left?.length ?? 0, right?.length ?? 0); at++) {
    const difference = (left?.[at] ?? 0) - (right?.[at] ?? 0);
    if (difference) return difference;
  }
  return 0;
}

/**
 * What an installer allowed, as stretches of time. A step without a date is drawn from the day by which it must
 * have been taken: that of the next version whose date is known. Where the next step was taken by the same day, what
 * was before it has no length that anybody knows; the first one is kept all the same, for its beginning is told.
 */
export function stretches(steps: Step[], known: Map<string, string>, today: string): Stretch[] {
  const dated = [...known].sort(([a], [b]) => byVersion(a, b));
  const placed = steps.map((step): Omit<Stretch, "to"> => {
    if (step.date) return { step, from: step.date, dated: true };
    const later = dated.find(([version]) => byVersion(version, step.version) >= 0);
    return { step, from: later?.[1] ?? today, dated: false };
  });
  const order = placed.sort(
    (a, b) => a.from.localeCompare(b.from) || byVersion(a.step.version, b.step.version),
  );
  return order
    .map((one, index) => ({ ...one, to: order[index + 1]?.from ?? today }))
    .filter((one, index) => one.from !== one.to || one.dated || index === 0);
}

export function Lifecycle({ page }: { page: Page }) {
  const rows = page.providers.flatMap((provider) => [
    ...provider.releases.map((release) => [
      provider.title,
      release.date,
      "release",
      release.version,
      release.source,
    ]),
    ...provider.steps.map((step) => [
      provider.title,
      step.date,
      `${step.installer} ${step.version}${step.kubernetes ? ` (Kubernetes ${step.kubernetes} and later)` : ""}`,
      step.certainty === "unverified" ? `${step.state} (unverified)` : step.state,
      step.source,
    ]),
  ]);
  return (
    <Section
      id="lifecycle"
      title="Who came and went"
      lead="Above: the original's own releases. Below: what kops let its users do with it. The two are independent: kops has dropped providers that were alive, and kept some that were not. A dashed beginning: the day isn’t known, only that it was earlier."
    >
      <Figure
        title="Releases, and kops support"
        twin={{ columns: ["Provider", "Date", "What", "Which", "Source"], rows }}
      >
        <StateLegend />
        <Chart page={page} />
      </Figure>
    </Section>
  );
}

function StateLegend() {
  return (
    <p class="legend states">
      {STATES.map((state) => (
        <span key={state}>
          <svg width="34" height="12" aria-hidden="true">
            <Patterns id="legend" />
            <Bar state={state} x={0} width={34} y={0} id="legend" />
          </svg>{" "}
          {state}
        </span>
      ))}
      <span>
        <svg width="14" height="12" aria-hidden="true">
          <circle cx="6" cy="6" r="3" class="release" />
        </svg>{" "}
        release
      </span>
    </p>
  );
}

function Patterns({ id }: { id: string }) {
  return (
    <defs>
      <pattern
        id={`${id}-experimental`}
        width="6"
        height="6"
        patternUnits="userSpaceOnUse"
        patternTransform="rotate(45)"
      >
        <rect width="6" height="6" class="pat-base" />
        <rect width="3" height="6" class="pat-good" />
      </pattern>
      <pattern
        id={`${id}-deprecated`}
        width="6"
        height="6"
        patternUnits="userSpaceOnUse"
        patternTransform="rotate(-45)"
      >
        <rect width="6" height="6" class="pat-base" />
        <rect width="2.5" height="6" class="pat-bad" />
      </pattern>
      <pattern id={`${id}-restored`} width="5" height="5" patternUnits="userSpaceOnUse">
        <rect width="5" height="5" class="pat-base" />
        <circle cx="2.5" cy="2.5" r="1.6" class="pat-dot" />
      </pattern>
    </defs>
  );
}

function Bar(props: { state: State; x: number; width: number; y: number; id: string }) {
  const { state, x, y, id } = props;
  const width = Math.max(1.5, props.width);
  if (state === "removed") return <line x1={x} x2={x + width} y1={y + 6} y2={y + 6} class="bar-removed" />;
  const fill = { stable: "", default: "", experimental: "e", deprecated: "d", restored: "r" }[state];
  return (
    <rect
      x={x}
      y={y}
      width={width}
      height={12}
      rx={2}
      class={`bar bar-${state}`}
      {...(fill ? { fill: `url(#${id}-${state})` } : {})}
    />
  );
}

function Chart({ page }: { page: Page }) {
  const { ref, width } = useWidth(960);
  const narrow = width < 640;
  const left = narrow ? 4 : 132;
  const lane = narrow ? LANE + 16 : LANE;
  const top = 24;
  const height = top + page.providers.length * lane + 10;
  const from = "2014-06-01";
  const x = scaleUtc([new Date(from), new Date(page.today)], [left + 4, width - 8]);
  const known = datesOf(page, "kops");
  const years = x.ticks(narrow ? 5 : 12);
  return (
    <div ref={ref}>
      <svg
        viewBox={`0 0 ${width} ${height}`}
        role="img"
        aria-label="Timeline of releases and kops support; the table below says the same"
      >
        <Patterns id="line" />
        {years.map((year) => (
          <g key={year.getTime()}>
            <line x1={x(year)} x2={x(year)} y1={top - 6} y2={height} class="gridline" />
            <text x={x(year)} y={12} class="axis" text-anchor="middle">
              {year.getUTCFullYear()}
            </text>
          </g>
        ))}
        {page.providers.map((provider, index) => (
          <Lane
            key={provider.name}
            provider={provider}
            y={top + index * lane}
            shift={narrow ? 16 : 0}
            width={width}
            today={page.today}
            known={known}
            x={(date) => x(new Date(date))}
          />
        ))}
      </svg>
    </div>
  );
}

function Lane(props: {
  provider: Provider;
  y: number;
  shift: number;
  width: number;
  today: string;
  known: Map<string, string>;
  x: (date: string) => number;
}) {
  const { provider, x } = props;
  const y = props.y + props.shift;
  const dates = provider.releases.map((release) => release.date).sort();
  const first = dates[0];
  const last = dates[dates.length - 1];
  const kops = stretches(
    provider.steps.filter((step) => step.installer === "kops"),
    props.known,
    props.today,
  );
  return (
    <g>
      <line x1={0} x2={props.width} y1={props.y - 2} y2={props.y - 2} class="rule" />
      <text x={0} y={props.shift ? props.y + 12 : props.y + 24} class="label">
        {provider.title}
      </text>
      {first && last && <line x1={x(first)} x2={x(last)} y1={y + 10} y2={y + 10} class="life" />}
      {provider.releases.map((release) => (
        <circle
          key={`${release.version} ${release.date}`}
          cx={x(release.date)}
          cy={y + 10}
          r={3}
          class="release"
        >
          <title>
            {provider.title} {release.version}, {release.date}
          </title>
        </circle>
      ))}
      {kops.map(({ step, from, to, dated }, index) => (
        <g key={`${step.version} ${step.state}`}>
          <title>
            kops {step.version}: {step.state} ({dated ? from : `by ${from}`}) {step.note}
          </title>
          {!dated && index > 0 && (
            <line x1={x(from) - 10} x2={x(from)} y1={y + 28} y2={y + 28} class="undated" />
          )}
          {!dated && index === 0 && (
            <>
              <line x1={x(from) - 42} x2={x(from)} y1={y + 28} y2={y + 28} class="undated" />
              <text x={x(from) - 46} y={y + 32} class="axis" text-anchor="end">
                {props.shift ? `since ${step.version}` : `${step.state} since ${step.version}, date unknown`}
              </text>
            </>
          )}
          {from !== to && <Bar state={step.state} x={x(from)} width={x(to) - x(from)} y={y + 22} id="line" />}
          {step.state === "removed" && (
            <text x={x(from) - 1} y={y + 33} class="cross" text-anchor="middle">
              ✕
            </text>
          )}
        </g>
      ))}
      {kops.length === 0 && (
        <text x={x("2014-08-01")} y={y + 33} class="axis">
          never built into kops
        </text>
      )}
    </g>
  );
}
