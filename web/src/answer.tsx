// The answer card: what, how sure, why, what speaks against it, what would change it, why not the others.
// What must not be here: how an answer is found.
import { Citation, Citations } from "./parts";
import type { Page, Reason } from "./types";

export function AnswerCard({ page }: { page: Page }) {
  const { answer } = page.decision;
  return (
    <section id="answer" class={`card ${answer.kind}`} aria-labelledby="answer-h">
      <p class="eyebrow">{EYEBROWS[answer.kind]}</p>
      <h2 id="answer-h" class="pick">
        {answer.headline}
      </h2>
      <p class="margin">{answer.margin}</p>
      <p class="profile">
        <b>Asked:</b> {answer.profile}
      </p>
      <div class="columns">
        <Reasons title="For it" mark="+" reasons={answer.pros} />
        <Reasons title="Against it" mark="−" reasons={answer.cons} />
      </div>
      <div class="columns">
        <WhyNot page={page} />
        <Reasons
          title="What would change this"
          mark="↔"
          reasons={answer.flips}
          empty="No single change that was tried."
        />
      </div>
      <HowToRun page={page} />
      {answer.missing.length > 0 && (
        <Reasons title="What this answer does not know" mark="?" reasons={answer.missing} />
      )}
      {answer.oldest && (
        <p class="oldest">
          Oldest fact used: {answer.oldest.text} <Citation cited={answer.oldest} />
        </p>
      )}
    </section>
  );
}

const EYEBROWS = { pick: "Recommended", tie: "A tie", none: "Nothing fits" };

function Reasons(props: { title: string; mark: string; reasons: Reason[]; empty?: string }) {
  return (
    <div class="reasons">
      <h3>{props.title}</h3>
      <ul class="marked" data-mark={props.mark}>
        {props.reasons.map((reason) => (
          <li key={reason.id} data-mark={props.mark}>
            {reason.text} <Citations facts={reason.facts} />
          </li>
        ))}
      </ul>
      {props.reasons.length === 0 && <p class="muted">{props.empty ?? "None."}</p>}
    </div>
  );
}

/** One line for each provider that is not the answer: the first reason, and where the others are. */
function WhyNot({ page }: { page: Page }) {
  const lines = whyNot(page);
  return (
    <div class="reasons whynot">
      <h3>Why not …?</h3>
      <ul>
        {lines.map((line) => (
          <li key={line.name} data-provider={line.name}>
            <a href={line.out ? `#out-${line.name}` : "#ranking"}>
              <b>{line.title}</b>
            </a>{" "}
            {line.out ? <span class="tag out">ruled out</span> : <span class="tag">ranked lower</span>}{" "}
            {line.text}
          </li>
        ))}
      </ul>
      {lines.length === 0 && <p class="muted">Nobody was left out.</p>}
    </div>
  );
}

interface Line {
  name: string;
  title: string;
  out: boolean;
  text: string;
}

export function whyNot(page: Page): Line[] {
  const titles = new Map(page.providers.map((provider) => [provider.name, provider.title]));
  const ranks = new Map(page.decision.ranking.map((rank, index) => [rank.provider, { rank, index }]));
  const lines: Line[] = [];
  for (const row of page.decision.elimination) {
    if (page.decision.answer.picks.includes(row.provider)) continue;
    const title = titles.get(row.provider) ?? row.provider;
    const first = row.verdicts.find((verdict) => verdict.state === "out");
    const more = row.verdicts.filter((verdict) => verdict.state === "out").length - 1;
    if (first) {
      const others = more > 0 ? ` (and ${more} more)` : "";
      lines.push({ name: row.provider, title, out: true, text: `${first.text}${others}` });
      continue;
    }
    const held = ranks.get(row.provider);
    if (!held) continue;
    const dominated = held.rank.dominated_by;
    const text = dominated
      ? `nowhere better than ${titles.get(dominated) ?? dominated}, somewhere worse`
      : `fits; first in ${percent(held.rank.share)} of the sampled weightings`;
    lines.push({ name: row.provider, title, out: false, text });
  }
  return lines.sort((a, b) => Number(a.out) - Number(b.out));
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(share > 0 && share < 0.01 ? 1 : 0)} %`;
}

function HowToRun({ page }: { page: Page }) {
  const titles = new Map(page.providers.map((provider) => [provider.name, provider.title]));
  return (
    <div class="run">
      {page.decision.answer.runs.map((run) => {
        const title = titles.get(run.provider) ?? run.provider;
        return (
          <div key={run.provider}>
            <h3>Run it now: {title}</h3>
            <dl>
              {run.commands.map((line) => (
                <div key={line.command}>
                  <dt>{line.what}</dt>
                  <dd>
                    <code>{line.command}</code>
                  </dd>
                </div>
              ))}
            </dl>
            {run.note && <p class="muted">{run.note}</p>}
          </div>
        );
      })}
    </div>
  );
}
