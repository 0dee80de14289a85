// Who is left, in which order: value with its interval, share of first places, and what the value is made of.
// What must not be here: weights, sampling.
import { percent, title } from "./answer";
import { fixed } from "./geometry";
import { Citations, Figure, Scroll, Section, useWidth } from "./parts";
import type { Page, Place } from "./types";

export function Ranking({ page }: { page: Page }) {
  const { ranking } = page.decision;
  const dominated = new Map(page.decision.dominated.map((each) => [each.provider, each.by]));
  const columns = ["Provider", "Value", "Low", "High", "First places", "Note"];
  const note = (rank: Place): string | null => {
    const by = dominated.get(rank.provider);
    if (rank.first_share === null) return "not in the race before its warnings are verified";
    return by ? `nowhere better than ${title(page, by)}` : null;
  };
  const rows = ranking.map((rank) => [
    rank.title,
    fixed(rank.value, 3),
    fixed(rank.low, 3),
    fixed(rank.high, 3),
    shares(rank),
    note(rank),
  ]);
  return (
    <Section
      id="ranking"
      title="Who is left, in which order"
      lead="The value adds up what is known and measured, each from 0 (worst of its scale) to 1 (best), by its weight. The line is how far it moves when unknown facts turn out well or badly. First places: how often a provider comes first when the weights are drawn at random. Popularity has no part in it."
    >
      {ranking.length === 0 ? (
        <p class="muted">Nobody is left to rank.</p>
      ) : (
        <>
          <Figure title="Value and share of first places" twin={{ columns, rows }}>
            <Chart ranking={ranking} />
          </Figure>
          <Parts ranking={ranking} />
        </>
      )}
    </Section>
  );
}

const LINE = 34;

function shares(rank: Place): string {
  return rank.first_share === null ? "verify first" : percent(rank.first_share);
}

function Chart({ ranking }: { ranking: Place[] }) {
  const { ref, width } = useWidth();
  const narrow = width < 560;
  const left = narrow ? 0 : 150;
  const line = narrow ? LINE + 16 : LINE;
  const shareWidth = narrow ? 84 : 150;
  const plot = width - left - shareWidth - 30;
  const height = 26 + ranking.length * line + 26;
  const x = (value: number): number => left + 6 + value * (plot - 12);
  const sharesAt = left + plot + 24;
  return (
    <div ref={ref}>
      <svg
        viewBox={`0 0 ${width} ${height}`}
        role="img"
        aria-label="Value and share of first places; the table below says the same"
      >
        <text x={left + 6} y={14} class="axis">
          value
        </text>
        <text x={sharesAt} y={14} class="axis">
          first places
        </text>
        {[0, 0.25, 0.5, 0.75, 1].map((tick) => (
          <g key={tick}>
            <line x1={x(tick)} x2={x(tick)} y1={22} y2={height - 24} class="gridline" />
            <text x={x(tick)} y={height - 8} class="axis" text-anchor="middle">
              {tick}
            </text>
          </g>
        ))}
        {ranking.map((rank, index) => {
          const y = 26 + index * line + (narrow ? 30 : LINE / 2);
          const bar = (rank.first_share ?? 0) * (shareWidth - 46);
          return (
            <g
              key={rank.provider}
              class={rank.first_share === null ? "dim" : ""}
              data-provider={rank.provider}
            >
              <text x={0} y={narrow ? y - 14 : y + 5} class="label">
                {rank.title}
              </text>
              <line x1={x(rank.low)} x2={x(rank.high)} y1={y} y2={y} class="interval" />
              <circle cx={x(rank.value)} cy={y} r={6} class={index === 0 ? "dot first" : "dot"} />
              <rect x={sharesAt} y={y - 7} width={Math.max(1, bar)} height={14} rx={2} class="share" />
              <text x={sharesAt + Math.max(1, bar) + 6} y={y + 5} class="axis strong">
                {shares(rank)}
              </text>
            </g>
          );
        })}
      </svg>
    </div>
  );
}

function Parts({ ranking }: { ranking: Place[] }) {
  return (
    <details class="twin">
      <summary>What each value is made of</summary>
      {ranking.map((rank) => (
        <details key={rank.provider}>
          <summary>
            {rank.title}: {fixed(rank.value, 3)}
          </summary>
          <Scroll label={`What the value of ${rank.title} is made of`}>
            <table class="data">
              <thead>
                <tr>
                  <th scope="col">Criterion</th>
                  <th scope="col">Weight</th>
                  <th scope="col">Value</th>
                  <th scope="col">From</th>
                </tr>
              </thead>
              <tbody>
                {rank.scores.map((score) => (
                  <tr key={score.criterion}>
                    <th scope="row">{score.title}</th>
                    <td class="n">{fixed(score.weight, 3)}</td>
                    <td class="n">
                      {score.known && score.low === score.high
                        ? fixed(score.low, 2)
                        : `${score.known ? "" : "unknown: "}${fixed(score.low, 2)} to ${fixed(score.high, 2)}`}
                    </td>
                    <td>
                      {score.says} <Citations facts={score.evidence} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
        </details>
      ))}
    </details>
  );
}
