// Who is ruled out by what: provider by constraint, and each cross opens its fact, date and source.
// What must not be here: what a constraint means.
import { useState } from "preact/hooks";
import { title } from "./answer";
import { Citations, Scroll, Section, sentence } from "./parts";
import type { Evidence, Finding, Page } from "./types";

const SIGNS = { "ruled out": "✕", unknown: "?", met: "✓" };
const WORDS = { "ruled out": "ruled out", unknown: "not known, verify first", met: "passes" };
const CLASSES = { "ruled out": "out", unknown: "unknown", met: "kept" };

export interface Row {
  provider: string;
  state: "out" | "warned" | "kept";
  findings: Finding[];
}

/** A row for each provider, in the order of the facts. */
export function rows(page: Page): Row[] {
  return page.elimination.map(({ provider, findings }) => ({ provider, findings, state: stateOf(findings) }));
}

function stateOf(findings: Finding[]): Row["state"] {
  if (findings.some((finding) => finding.verdict === "ruled out")) return "out";
  return findings.some((finding) => finding.verdict === "unknown") ? "warned" : "kept";
}

/** Every constraint that was asked for; those that rule most out first. */
export function columns(held: Row[]): { id: string; title: string; telling: boolean }[] {
  const found = new Map<string, { id: string; title: string; weight: number }>();
  for (const finding of held.flatMap((row) => row.findings)) {
    const one = found.get(finding.constraint) ?? { id: finding.constraint, title: finding.title, weight: 0 };
    one.weight += finding.verdict === "ruled out" ? 100 : finding.verdict === "unknown" ? 1 : 0;
    found.set(finding.constraint, one);
  }
  const sorted = [...found.values()].sort((a, b) => b.weight - a.weight);
  return sorted.map(({ id, title: said, weight }) => ({ id, title: said, telling: weight > 0 }));
}

export function EliminationTable({ page }: { page: Page }) {
  const [open, setOpen] = useState<string | null>(null);
  const held = rows(page);
  const all = columns(held);
  const telling = all.filter((column) => column.telling);
  const silent = all.filter((column) => !column.telling);
  const out = held.filter((row) => row.state === "out").length;
  return (
    <Section
      id="elimination"
      title="What rules whom out"
      lead={`${out} of ${held.length} providers can’t do what was asked for. A cross or a question mark opens the fact behind it, its date and its source. What isn’t known rules nobody out and passes nobody silently.`}
    >
      {telling.length === 0 ? (
        <p class="muted">Nothing that was asked for rules anybody out.</p>
      ) : (
        <Scroll label="Providers by constraints">
          <table class="grid elimination">
            <caption class="sr">Providers by constraints: which one rules whom out</caption>
            <thead>
              <tr>
                <th scope="col">The provider can …</th>
                {telling.map((column) => (
                  <th key={column.id} scope="col">
                    {column.title}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {held.map((row) => (
                <ProviderRows
                  key={row.provider}
                  row={row}
                  title={title(page, row.provider)}
                  columns={telling.map((column) => column.id)}
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
          Asked for too, and nobody fails: {silent.map((column) => column.title).join("; ")}.
        </p>
      )}
      <details class="twin" data-print>
        <summary>Every reason as a list</summary>
        <ReasonList page={page} rows={held} />
      </details>
    </Section>
  );
}

function ProviderRows(props: {
  row: Row;
  title: string;
  columns: string[];
  open: string | null;
  toggle: (id: string) => void;
}) {
  const { row, open } = props;
  const by = new Map(row.findings.map((finding) => [finding.constraint, finding]));
  const opened = props.columns.find((id) => open === `${row.provider}/${id}`);
  const finding = opened ? by.get(opened) : undefined;
  return (
    <>
      <tr id={`out-${row.provider}`} class={row.state}>
        <th scope="row">
          {props.title} {row.state === "out" && <span class="tag out">ruled out</span>}
          {row.state === "warned" && <span class="tag unknown">verify first</span>}
        </th>
        {props.columns.map((id) => (
          <td key={id}>
            <Mark
              finding={by.get(id)}
              who={props.title}
              open={open === `${row.provider}/${id}`}
              panel={`why-${row.provider}`}
              toggle={() => props.toggle(`${row.provider}/${id}`)}
            />
          </td>
        ))}
      </tr>
      {finding && (
        <tr class="why">
          <td colSpan={props.columns.length + 1}>
            <div id={`why-${row.provider}`} class="whybox">
              <Why who={props.title} finding={finding} />
            </div>
          </td>
        </tr>
      )}
    </>
  );
}

function Mark(props: {
  finding: Finding | undefined;
  who: string;
  open: boolean;
  panel: string;
  toggle: () => void;
}) {
  const { finding } = props;
  if (!finding || finding.verdict === "met") {
    return (
      <span class="mark kept">
        {SIGNS.met}
        <span class="sr"> {WORDS.met}</span>
      </span>
    );
  }
  return (
    <button
      type="button"
      class={`mark ${CLASSES[finding.verdict]}`}
      aria-expanded={props.open}
      {...(props.open ? { "aria-controls": props.panel } : {})}
      onClick={props.toggle}
      title={finding.because}
    >
      {SIGNS[finding.verdict]}
      <span class="sr">
        {" "}
        {props.who}: {WORDS[finding.verdict]}. Why?
      </span>
    </button>
  );
}

function Why({ who, finding }: { who: string; finding: Finding }) {
  return (
    <p>
      <b>
        {who}: {WORDS[finding.verdict]}.
      </b>{" "}
      {sentence(finding.because)}{" "}
      {finding.evidence.map((each) => (
        <span key={`${each.key} ${each.says} ${each.source}`} class="evidence">
          <b>
            {each.key}: {each.says}.
          </b>{" "}
          {said(each)} <Citations facts={[each]} />{" "}
        </span>
      ))}
    </p>
  );
}

function said(evidence: Evidence): string {
  return evidence.note ? sentence(evidence.note) : "";
}

function ReasonList({ page, rows: held }: { page: Page; rows: Row[] }) {
  return (
    <ul class="reasonlist">
      {held.flatMap((row) =>
        row.findings
          .filter((finding) => finding.verdict !== "met")
          .map((finding) => (
            <li
              key={`${row.provider}/${finding.constraint}`}
              data-provider={row.provider}
              data-constraint={finding.constraint}
            >
              <Why who={title(page, row.provider)} finding={finding} />
            </li>
          )),
      )}
    </ul>
  );
}
