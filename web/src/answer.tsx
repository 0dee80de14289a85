// The answer card: what, how sure, why, what speaks against it, what would change it, why not the others.
// What must not be here: how an answer is found.
import type { ComponentChildren } from "preact";
import { Citation, Citations, sentence } from "./parts";
import type { Decision, Evidence, Page, Reason } from "./types";

const EYEBROWS = { pick: "Recommended", tie: "A tie", nothing: "Nothing fits" };

export function AnswerCard({ page }: { page: Page }) {
  const { decision } = page;
  const more = beyond(leaders(page), decision.headline);
  return (
    <section id="answer" class={`card ${decision.outcome}`} aria-labelledby="answer-h">
      <p class="eyebrow">{EYEBROWS[decision.outcome]}</p>
      <h2 id="answer-h" class="pick">
        {leaders(page)}
      </h2>
      {more && <p class="headline">{sentence(more)}</p>}
      <p class="rule-said">{sentence(decision.rule)}</p>
      <p class="profile">
        <b>Asked for:</b> {page.profile}
      </p>
      <div class="columns">
        <List title="For it" mark="+" lines={decision.reasons_for} />
        <List title="Against it" mark="−" lines={decision.reasons_against} />
      </div>
      <div class="columns">
        <div>
          <Flips flips={page.flips} />
          {decision.relaxations.length > 0 && (
            <List
              title="What to give up for an answer"
              mark="↔"
              lines={decision.relaxations.map((each) => ({
                id: each.constraints.join(" "),
                text: each.text,
              }))}
            />
          )}
        </div>
        <HowToRun decision={decision} />
      </div>
      <WhyNot decision={decision} />
      <Unsure decision={decision} />
      {decision.oldest && (
        <p class="oldest">
          Oldest fact used: {decision.oldest.key} of {title(page, decision.oldest.provider)},{" "}
          {decision.oldest.says}. <Citation cited={decision.oldest} />
        </p>
      )}
    </section>
  );
}

/** What a headline says beyond the names that are written large above it. */
export function beyond(names: string, headline: string): string {
  return headline.startsWith(`${names}.`) ? headline.slice(names.length + 1).trim() : headline;
}

export function title(page: Page, name: string): string {
  return page.providers.find((provider) => provider.name === name)?.title ?? name;
}

/** The names alone, as large as a headline: "Calico", "Calico or Cilium", "None of them". */
export function leaders(page: Page): string {
  const names = page.decision.leaders.map((name) => title(page, name));
  if (names.length === 0) return "None of them";
  if (names.length > 3) return `${names[0]} or ${names.length - 1} others`;
  const last = names[names.length - 1];
  return names.length === 1 ? `${last}` : `${names.slice(0, -1).join(", ")} or ${last}`;
}

interface Line {
  id: string;
  text: string;
  evidence?: Evidence[];
  more?: ComponentChildren;
}

function List(props: { title: string; mark: string; lines: Line[]; empty?: string }) {
  return (
    <div class="reasons">
      <h3>{props.title}</h3>
      <ul class="marked">
        {props.lines.map((line) => (
          <li key={line.id} data-mark={props.mark} data-id={line.id}>
            {sentence(line.text)} {line.more} <Citations facts={line.evidence ?? []} most={2} />
          </li>
        ))}
      </ul>
      {props.lines.length === 0 && <p class="muted">{props.empty ?? "None."}</p>}
    </div>
  );
}

const SHOWN = 4;

/** What would flip the answer: what says most at once, the rest folded away. */
function Flips({ flips }: { flips: Reason[] }) {
  const rest = flips.slice(SHOWN);
  return (
    <>
      <List
        title="What would change this"
        mark="↔"
        lines={flips.slice(0, SHOWN)}
        empty="No single change that was tried."
      />
      {rest.length > 0 && (
        <details class="twin">
          <summary>{rest.length} more single changes</summary>
          <List title="Other changes" mark="↔" lines={rest} />
        </details>
      )}
    </>
  );
}

const TAGS: [prefix: string, tag: string, kind: string][] = [
  ["ruled out: ", "ruled out", "out"],
  ["verify first: ", "verify first", "unknown"],
];

/** The sentence without the words that its tag says already. */
function tagged(text: string): { tag: string; kind: string; text: string } {
  for (const [prefix, tag, kind] of TAGS) {
    if (text.toLowerCase().startsWith(prefix)) return { tag, kind, text: text.slice(prefix.length) };
  }
  return { tag: "ranked lower", kind: "", text };
}

/** One line for each provider that is not the answer: its first reason, and where the others are. */
function WhyNot({ decision }: { decision: Decision }) {
  const out = new Set(decision.excluded.map((each) => each.provider));
  const lines = [...decision.why_not].sort(
    (a, b) => Number(out.has(a.provider)) - Number(out.has(b.provider)),
  );
  return (
    <div class="reasons whynot" id="why-not">
      <h3 id="whynot-h">Why not …?</h3>
      <ul aria-labelledby="whynot-h">
        {lines.map((line) => {
          const said = tagged(line.text);
          return (
            <li key={line.provider} data-provider={line.provider}>
              <a href={out.has(line.provider) ? `#out-${line.provider}` : "#ranking"}>
                <b>{line.title}</b>
              </a>{" "}
              <span class={`tag ${said.kind}`}>{said.tag}</span> {sentence(said.text)}
            </li>
          );
        })}
      </ul>
      {lines.length === 0 && <p class="muted">Nobody was left out.</p>}
    </div>
  );
}

/** A share of draws in whole percent; never and always only where it is so. */
export function percent(share: number): string {
  if (share > 0 && share < 0.01) return "under 1 %";
  if (share > 0.99 && share < 1) return "over 99 %";
  return `${(100 * share).toFixed(0)} %`;
}

function HowToRun({ decision }: { decision: Decision }) {
  return (
    <div class="run">
      {decision.run.map((run) => (
        <div key={run.provider}>
          <h3>Run it now: {run.title}</h3>
          {run.original.length > 0 && (
            <>
              <p class="muted">The original:</p>
              <ul class="commands">
                {run.original.map((line) => (
                  <li key={line}>
                    <code>{line}</code>
                  </li>
                ))}
              </ul>
            </>
          )}
          <p class="muted">{sentence(run.note)}</p>
          {run.octet && (
            <p>
              <code>{run.octet}</code>
            </p>
          )}
        </div>
      ))}
    </div>
  );
}

const UNSURE = 3;

/** What is missing, what wasn't answered, what must be known beside. */
function Unsure({ decision }: { decision: Decision }) {
  const missing = decision.missing.map((each) => ({
    id: each.id,
    text: each.text,
    more: each.command ? <code>{each.command}</code> : null,
  }));
  const notes = decision.notes.map((text) => ({ id: text, text }));
  const open = decision.open.map((each) => ({ id: each.field, text: `${each.question} ${each.text}` }));
  return (
    <>
      {missing.length + notes.length > 0 && (
        <div class="unsure">
          <List
            title="What this answer doesn’t know"
            mark="?"
            lines={[...missing, ...notes].slice(0, UNSURE)}
          />
          {missing.length + notes.length > UNSURE && (
            <details class="twin">
              <summary>{missing.length + notes.length - UNSURE} more</summary>
              <List title="Also not known" mark="?" lines={[...missing, ...notes].slice(UNSURE)} />
            </details>
          )}
        </div>
      )}
      {open.length > 0 && (
        <details class="twin">
          <summary>
            {open.length} {open.length === 1 ? "question was" : "questions were"} answered “don’t know”: what
            each would change
          </summary>
          <List title="Open questions" mark="?" lines={open} />
        </details>
      )}
    </>
  );
}
