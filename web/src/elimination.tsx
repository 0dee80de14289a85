// Who is ruled out by what: provider by constraint, and each cross opens its fact, date and source.
// What must not be here: what a constraint means.
import { useState } from "preact/hooks";
import { Citations, Scroll, Section } from "./parts";
import type { Elimination, Page, Verdict } from "./types";

const SIGNS = { out: "✕", unknown: "?", kept: "✓" };
const WORDS = { out: "ruled out", unknown: "not known: verify first", kept: "passes" };

export function EliminationTable({ page }: { page: Page }) {
  const { constraints, elimination } = page.decision;
  const [open, setOpen] = useState<string | null>(null);
  const telling = constraints.filter((constraint) =>
    elimination.some((row) =>
      row.verdicts.some((one) => one.constraint === constraint.id && one.state !== "kept"),
    ),
  );
  const silent = constraints.filter((constraint) => !telling.includes(constraint));
  const titles = new Map(page.providers.map((provider) => [provider.name, provider.title]));
  const out = elimination.filter((row) => row.state === "out").length;
  return (
    <Section
      id="elimination"
      title="What rules whom out"
      lead={`${out} of ${elimination.length} providers can't do what was asked. A cross or a question mark opens the fact behind it, its date and its source. What isn't known rules nobody out and passes nobody silently.`}
    >
      {telling.length === 0 ? (
        <p class="muted">Nothing that was asked rules anybody out.</p>
      ) : (
        <Scroll label="Providers by constraints">
          <table class="grid elimination">
            <caption class="sr">Providers by constraints: which one rules whom out</caption>
            <thead>
              <tr>
                <th scope="col">Provider</th>
                {telling.map((constraint) => (
                  <th key={constraint.id} scope="col">
                    {constraint.title}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {elimination.map((row) => (
                <ProviderRows
                  key={row.provider}
                  row={row}
                  title={titles.get(row.provider) ?? row.provider}
                  columns={telling.map((constraint) => constraint.id)}
                  open={open}
                  toggle={(id) => setOpen(open === id ? null : id)}
                />
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
      <p class="legend">
        <span class="mark out">✕</span> ruled out <span class="mark unknown">?</span> not known, verify first{" "}
        <span class="mark kept">✓</span> passes
      </p>
      {silent.length > 0 && (
        <p class="muted">
          Asked too, and nobody fails: {silent.map((constraint) => constraint.title).join("; ")}.
        </p>
      )}
      <details class="twin">
        <summary>Every reason as a list</summary>
        <ReasonList rows={elimination} titles={titles} />
      </details>
    </Section>
  );
}

function ProviderRows(props: {
  row: Elimination;
  title: string;
  columns: string[];
  open: string | null;
  toggle: (id: string) => void;
}) {
  const { row, columns, open } = props;
  const by = new Map(row.verdicts.map((verdict) => [verdict.constraint, verdict]));
  const opened = columns.find((id) => open === `${row.provider}/${id}`);
  const verdict = opened ? by.get(opened) : undefined;
  return (
    <>
      <tr id={`out-${row.provider}`} class={row.state}>
        <th scope="row">
          {props.title} {row.state === "out" && <span class="tag out">ruled out</span>}
          {row.state === "warned" && <span class="tag unknown">verify first</span>}
        </th>
        {columns.map((id) => (
          <td key={id}>
            <Mark
              verdict={by.get(id)}
              who={props.title}
              open={open === `${row.provider}/${id}`}
              panel={`why-${row.provider}`}
              toggle={() => props.toggle(`${row.provider}/${id}`)}
            />
          </td>
        ))}
      </tr>
      {verdict && (
        <tr class="why">
          <td colSpan={columns.length + 1}>
            <div id={`why-${row.provider}`} class="whybox">
              <Why who={props.title} verdict={verdict} />
            </div>
          </td>
        </tr>
      )}
    </>
  );
}

function Mark(props: {
  verdict: Verdict | undefined;
  who: string;
  open: boolean;
  panel: string;
  toggle: () => void;
}) {
  const { verdict } = props;
  if (!verdict) return <span class="muted">·</span>;
  if (verdict.state === "kept") {
    return (
      <span class="mark kept">
        {SIGNS.kept}
        <span class="sr"> {WORDS.kept}</span>
      </span>
    );
  }
  return (
    <button
      type="button"
      class={`mark ${verdict.state}`}
      aria-expanded={props.open}
      {...(props.open ? { "aria-controls": props.panel } : {})}
      onClick={props.toggle}
      title={verdict.text}
    >
      {SIGNS[verdict.state]}
      <span class="sr">
        {" "}
        {props.who}: {WORDS[verdict.state]}. Why?
      </span>
    </button>
  );
}

function Why({ who, verdict }: { who: string; verdict: Verdict }) {
  return (
    <p>
      <b>
        {who}: {WORDS[verdict.state]}.
      </b>{" "}
      {verdict.text} <Citations facts={verdict.facts} />
    </p>
  );
}

function ReasonList({ rows, titles }: { rows: Elimination[]; titles: Map<string, string> }) {
  return (
    <ul class="reasonlist">
      {rows.flatMap((row) =>
        row.verdicts
          .filter((verdict) => verdict.state !== "kept")
          .map((verdict) => (
            <li
              key={`${row.provider}/${verdict.constraint}`}
              data-provider={row.provider}
              data-constraint={verdict.constraint}
            >
              <Why who={titles.get(row.provider) ?? row.provider} verdict={verdict} />
            </li>
          )),
      )}
    </ul>
  );
}
