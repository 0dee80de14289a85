// The facts matrix: each cell has its value, shaded by age; unknown is drawn as unknown, unverified is marked.
// What a provider can do and what an installer lets one reach are two tables.
// What must not be here: which facts matter.
import { useState } from "preact/hooks";
import { ageClass } from "./geometry";
import { Citation, Scroll, Section } from "./parts";
import type { Fact, Key, Page, Provider } from "./types";

export function FactsMatrix({ page }: { page: Page }) {
  const [shown, setShown] = useState<string[]>(() => initially(page));
  const toggle = (name: string) =>
    setShown(shown.includes(name) ? shown.filter((one) => one !== name) : [...shown, name]);
  const providers = page.providers.filter((provider) => shown.includes(provider.name));
  const upstream = page.keys.filter((key) => key.side === "upstream");
  const installer = page.keys.filter((key) => key.side === "installer");
  return (
    <Section
      id="facts"
      title="What is known"
      lead="Every cell is one dated fact about the original provider, and opens to its source. Our own models are further down, apart. Two tables, because what a provider can do and what an installer lets you reach are different questions."
    >
      <fieldset class="chips screen">
        <legend>Providers shown</legend>
        {page.providers.map((provider) => (
          <label key={provider.name}>
            <input
              type="checkbox"
              checked={shown.includes(provider.name)}
              onChange={() => toggle(provider.name)}
            />
            {provider.title}
          </label>
        ))}
        <button type="button" onClick={() => setShown(page.providers.map((provider) => provider.name))}>
          all
        </button>
      </fieldset>
      <Legend />
      <h3>What the provider can do</h3>
      <Matrix label="What each provider can do" keys={upstream} providers={providers} today={page.today} />
      <h3>What an installer lets you reach</h3>
      <Matrix
        label="What an installer lets you reach"
        keys={installer}
        providers={providers}
        today={page.today}
      />
      <Limits page={page} providers={providers} />
    </Section>
  );
}

function initially(page: Page): string[] {
  const all = page.providers.map((provider) => provider.name);
  if (typeof window === "undefined" || window.innerWidth >= 900) return all;
  const picks = page.decision.leaders;
  return [...new Set([...picks, "flannel", ...all])].filter((name) => all.includes(name)).slice(0, 2);
}

function Legend() {
  return (
    <p class="legend ages">
      <span class="swatch age0">seen within a year</span>
      <span class="swatch age1">1 to 2 years ago</span>
      <span class="swatch age2">2 to 4 years ago</span>
      <span class="swatch age3">older</span>
      <span class="swatch unknown-cell">unknown</span>
      <span class="swatch unverified-cell">unverified ⚠</span>
      <span class="screen">The tables scroll sideways.</span>
    </p>
  );
}

function Matrix(props: { label: string; keys: Key[]; providers: Provider[]; today: string }) {
  const [open, setOpen] = useState<string | null>(null);
  const groups = [...new Set(props.keys.map((key) => key.group))];
  const facts = new Map(
    props.providers.map((one) => [one.name, new Map(one.facts.map((fact) => [fact.key, fact]))]),
  );
  return (
    <Scroll label={props.label} class="tall">
      <table class="grid facts">
        <caption class="sr">{props.label}</caption>
        <thead>
          <tr>
            <th scope="col">Question</th>
            {props.providers.map((provider) => (
              <th key={provider.name} scope="col">
                {provider.title}
              </th>
            ))}
          </tr>
        </thead>
        {groups.map((group) => (
          <tbody key={group}>
            <tr class="group">
              <th colSpan={props.providers.length + 1} scope="rowgroup">
                <span>{group}</span>
              </th>
            </tr>
            {props.keys
              .filter((key) => key.group === group)
              .map((key) => (
                <KeyRows
                  key={key.key}
                  about={key}
                  providers={props.providers}
                  facts={facts}
                  today={props.today}
                  open={open}
                  toggle={(id) => setOpen(open === id ? null : id)}
                />
              ))}
          </tbody>
        ))}
      </table>
    </Scroll>
  );
}

function KeyRows(props: {
  about: Key;
  providers: Provider[];
  facts: Map<string, Map<string, Fact>>;
  today: string;
  open: string | null;
  toggle: (id: string) => void;
}) {
  const { about, providers, facts, open } = props;
  const opened = providers.find((provider) => open === `${about.key}/${provider.name}`);
  const fact = opened && facts.get(opened.name)?.get(about.key);
  return (
    <>
      <tr>
        <th scope="row">{about.title}</th>
        {providers.map((provider) => (
          <FactCell
            key={provider.name}
            fact={facts.get(provider.name)?.get(about.key)}
            provider={provider}
            today={props.today}
            open={open === `${about.key}/${provider.name}`}
            toggle={() => props.toggle(`${about.key}/${provider.name}`)}
          />
        ))}
      </tr>
      {opened && fact && (
        <tr class="why">
          <td colSpan={providers.length + 1}>
            <div class="whybox">
              <p>
                <b>
                  {opened.title}: {about.title}
                </b>{" "}
                {fact.text}. {fact.note} <Citation cited={fact} />
              </p>
            </div>
          </td>
        </tr>
      )}
    </>
  );
}

export function classOf(fact: Fact, today: string): string {
  if (fact.text === "unknown") return "unknown-cell";
  const age = `age${ageClass(fact.as_of, today)}`;
  return fact.certainty === "unverified" ? `${age} unverified-cell` : age;
}

function FactCell(props: {
  fact: Fact | undefined;
  provider: Provider;
  today: string;
  open: boolean;
  toggle: () => void;
}) {
  const { fact } = props;
  if (!fact) return <td class="absent">—</td>;
  return (
    <td class={classOf(fact, props.today)} data-provider={props.provider.name} data-key={fact.key}>
      <button
        type="button"
        aria-expanded={props.open}
        onClick={props.toggle}
        title={`${fact.source}, ${fact.as_of}`}
      >
        <Breakable text={fact.text} />
        {fact.certainty === "unverified" && fact.text !== "unknown" && (
          <span class="warn-sign">
            {" "}
            <span aria-hidden="true">⚠</span>
            <span class="sr">unverified</span>
          </span>
        )}
      </button>
    </td>
  );
}

/** A text that may break after a slash, so that repositories' names fit into a column. */
function Breakable({ text }: { text: string }) {
  const parts = text.split("/");
  return (
    <>
      {parts.map((part, index) => (
        <span key={`${index} ${part}`}>
          {part}
          {index < parts.length - 1 && "/"}
          {index < parts.length - 1 && <wbr />}
        </span>
      ))}
    </>
  );
}

function Limits({ page, providers }: { page: Page; providers: Provider[] }) {
  const some = providers.filter((provider) => provider.limits.length);
  if (!some.length) return null;
  return (
    <>
      <h3>Limits, and the mechanism behind each</h3>
      <dl class="limits">
        {some.map((provider) => (
          <div key={provider.name}>
            <dt>{provider.title}</dt>
            {provider.limits.map((limit, index) => (
              <dd key={`${limit.key} ${index}`} data-provider={provider.name} data-limit={limit.key}>
                {page.limits[limit.key]}: <b>{limit.text}</b>. {limit.note} <Citation cited={limit} />
              </dd>
            ))}
          </div>
        ))}
      </dl>
    </>
  );
}
