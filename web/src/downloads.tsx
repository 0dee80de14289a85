// Everything on the page as files: made in the page, nothing is fetched.
import { Section } from "./parts";
import type { Page } from "./types";

export function Downloads({ page }: { page: Page }) {
  const facts = page.providers.map(({ name, title, facts: held, limits, steps, releases, counts }) => ({
    ...{ name, title, facts: held, limits, steps, releases, counts },
  }));
  const files: [string, string, unknown][] = [
    ["decision.json", "the answer with its requirements", page.decision],
    ["facts.json", "every fact with date and source", facts],
    ...(page.results
      ? ([["results.json", "every sample of the measurement", page.results]] as [string, string, unknown][])
      : []),
  ];
  return (
    <Section
      id="data"
      title="Raw data"
      lead="All of this is in the page itself. Take it and compute something else."
    >
      <ul class="downloads">
        {files.map(([name, what, data]) => (
          <li key={name}>
            <button type="button" onClick={() => save(name, data)}>
              {name}
            </button>{" "}
            {what}
          </li>
        ))}
      </ul>
    </Section>
  );
}

function save(name: string, data: unknown) {
  const url = URL.createObjectURL(new Blob([JSON.stringify(data, null, 1)], { type: "application/json" }));
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
