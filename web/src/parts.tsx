// What every section is made of: a section with its heading, a citation, a figure with its table.
// What must not be here: any one section's data.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { link } from "./geometry";
import type { Cited } from "./types";

export function Section(props: {
  id: string;
  title: string;
  lead?: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <section id={props.id} aria-labelledby={`${props.id}-h`}>
      <h2 id={`${props.id}-h`}>{props.title}</h2>
      {props.lead && <p class="lead">{props.lead}</p>}
      {props.children}
    </section>
  );
}

/** A source and its date; several sources are told apart by semicolons. An unverified one says so. */
export function Citation({ cited }: { cited: Cited }) {
  return (
    <cite class="cite">
      {cited.source.split("; ").map((source, index) => (
        <span key={`${index} ${source}`}>
          {index > 0 && "; "}
          <Source source={source} />
        </span>
      ))}
      , <time dateTime={cited.as_of}>{cited.as_of}</time>
      {cited.certainty === "unverified" && <strong class="unverified-word"> · unverified</strong>}
      {cited.certainty === "derived" && " · derived"}
      {cited.certainty === "computed" && " · computed by octet"}
      {cited.certainty === "measured" && " · measured on our model"}
    </cite>
  );
}

function Source({ source }: { source: string }) {
  const address = link(source);
  if (!address) return <>{source}</>;
  return (
    <a href={address} rel="noreferrer noopener">
      {source}
    </a>
  );
}

/** The sources of a statement, each once; those beyond `most` are folded away. */
export function Citations({ facts, most = 9 }: { facts: Cited[]; most?: number }) {
  const seen = new Set<string>();
  const unique = facts.filter((fact) => {
    const key = `${fact.source} ${fact.as_of}`;
    return !seen.has(key) && seen.add(key);
  });
  if (!unique.length) return null;
  const listed = (some: Cited[]) =>
    some.map((fact) => <Citation key={`${fact.source} ${fact.as_of}`} cited={fact} />);
  return (
    <span class="cites">
      {listed(unique.slice(0, most))}
      {unique.length > most && (
        <details class="more-sources">
          <summary>{unique.length - most} more</summary>
          {listed(unique.slice(most))}
        </details>
      )}
    </span>
  );
}

/** A fragment as a sentence: a capital letter in front, a full stop behind. Names keep their small letters. */
export function sentence(text: string): string {
  const said = text.trim();
  const first = (said.split(" ")[0] ?? "").replace(/[.,;:]$/, "");
  const name = /[-_]|[a-z][A-Z]/.test(first) || NAMES.has(first);
  const whole = name ? said : said.charAt(0).toUpperCase() + said.slice(1);
  return /[.!?:]$/.test(whole) ? whole : `${whole}.`;
}

const NAMES = new Set(["flannel", "kubenet", "kindnet", "kops", "etcd", "iptables", "nftables", "kubeadm"]);

/** The width of an element in px, followed as it changes. */
export function useWidth(initial = 720) {
  const ref = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(initial);
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    const look = () => {
      const seen = Math.round(element.clientWidth);
      if (seen > 0 && !window.matchMedia("print").matches) setWidth(seen);
    };
    look();
    const observer = new ResizeObserver(look);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return { ref, width };
}

export type Cell = string | number | null;

export interface Twin {
  columns: string[];
  rows: Cell[][];
}

/** A table that scrolls by itself where it is wider than the page; reachable by keyboard. */
export function Scroll(props: { label: string; children: ComponentChildren; class?: string }) {
  return (
    <section class={`scroll ${props.class ?? ""}`} tabIndex={0} aria-label={props.label}>
      {props.children}
    </section>
  );
}

export function DataTable({ label, twin }: { label: string; twin: Twin }) {
  return (
    <Scroll label={label}>
      <table class="data">
        <caption class="sr">{label}</caption>
        <thead>
          <tr>
            {twin.columns.map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {twin.rows.map((row, index) => (
            <tr key={index}>
              {row.map((cell, at) =>
                at === 0 ? (
                  <th key="head" scope="row">
                    {cell}
                  </th>
                ) : (
                  <td key={twin.columns[at] ?? at} class={isNumber(cell) ? "n" : ""}>
                    {cell ?? "—"}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function isNumber(cell: Cell): boolean {
  return typeof cell === "number" || (cell !== null && /^[-+×~]?[\d.]+( ?[\w/%µ]+)?$/.test(String(cell)));
}

/** A chart with its title, what it says, and the same as a table. */
export function Figure(props: {
  title: string;
  caption?: ComponentChildren;
  twin: Twin;
  children: ComponentChildren;
  class?: string;
}) {
  return (
    <figure class={props.class ?? ""}>
      <figcaption>
        <h3>{props.title}</h3>
        {props.caption && <p>{props.caption}</p>}
      </figcaption>
      {props.children}
      <details class="twin">
        <summary>The same as a table: {props.title}</summary>
        <DataTable label={`${props.title}, as a table`} twin={props.twin} />
      </details>
    </figure>
  );
}
