// The page: its parts in their order, and the state that a live page has.
// What must not be here: what any part looks like.
import { useEffect, useRef, useState } from "preact/hooks";
import { AnswerCard } from "./answer";
import { Comparison } from "./comparison";
import { Downloads } from "./downloads";
import { EliminationTable } from "./elimination";
import { FactsMatrix } from "./facts";
import { Form } from "./form";
import { Lifecycle } from "./lifecycle";
import { decide, document as fetchPage, type Refusal } from "./live";
import { Measurements } from "./measured";
import { GrowthSection, Packets, SixDecisions } from "./models";
import { Numbers } from "./numbers";
import { Ranking } from "./ranking";
import type { Page, Value } from "./types";

const PARTS: [string, string][] = [
  ["answer", "Answer"],
  ["why-not", "Why not …?"],
  ["elimination", "Ruled out"],
  ["ranking", "Ranking"],
  ["facts", "Facts"],
  ["lifecycle", "Lifecycle"],
  ["decisions", "Our models"],
  ["packets", "Packets"],
  ["measurements", "Measured"],
  ["growth", "Growth"],
  ["numbers", "Numbers"],
  ["data", "Data"],
];

const WAIT_MS = 250;

/** The page's state: what was asked, what was answered, and what the server refused. */
function useLive(first: Page) {
  const [page, setPage] = useState(first);
  const [answers, setAnswers] = useState(first.requirements);
  const [refusal, setRefusal] = useState<Refusal | null>(null);
  const [said, setSaid] = useState("");
  const asked = useRef(first.requirements);

  useEffect(() => {
    if (answers === asked.current) return;
    const abort = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const decided = await decide(answers, abort.signal);
        if ("refusal" in decided) {
          setRefusal(decided.refusal);
          return;
        }
        asked.current = answers;
        setRefusal(null);
        setPage((held) => ({ ...held, requirements: answers, ...decided }));
        setSaid(`New answer: ${decided.decision.headline}`);
      } catch (error) {
        if (!abort.signal.aborted) setRefusal({ field: "", message: String(error) });
      }
    }, WAIT_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [answers]);

  const change = (field: string, value: Value) => setAnswers((held) => ({ ...held, [field]: value }));
  const measuredAgain = async () => {
    const fresh = await fetchPage();
    setPage((held) => ({ ...fresh, requirements: held.requirements, decision: held.decision }));
    asked.current = {};
    setAnswers((held) => ({ ...held })); // answers may have changed while it was measured
  };
  return { page, answers, refusal, said, change, measuredAgain };
}

export function App({ first }: { first: Page }) {
  const { page, answers, refusal, said, change, measuredAgain } = useLive(first);
  return (
    <>
      <a class="skip" href="#answer">
        Skip to the answer
      </a>
      <header class="top">
        <h1>
          <span class="brand">octet</span> Which pod network should I use?
        </h1>
        <p class="muted">
          Made {page.today} by octet {page.octet}
          {page.results ? ` · measured ${page.results.started.slice(0, 10)}` : " · nothing measured"}
        </p>
        <nav aria-label="Parts of this page">
          {PARTS.map(([id, title]) => (
            <a key={id} href={`#${id}`}>
              {title}
            </a>
          ))}
        </nav>
      </header>
      <main>
        <p class="sr" role="status" aria-live="polite">
          {said}
        </p>
        {page.live ? (
          <div class="live-top">
            <Form page={page} answers={answers} refusal={refusal} change={change} />
            <AnswerCard page={page} />
          </div>
        ) : (
          <AnswerCard page={page} />
        )}
        <EliminationTable page={page} />
        <Ranking page={page} />
        <FactsMatrix page={page} />
        <Lifecycle page={page} />
        <SixDecisions page={page} />
        <Packets page={page} />
        {page.live && <Comparison finished={measuredAgain} />}
        <Measurements page={page} />
        <GrowthSection page={page} />
        <Numbers page={page} />
        <Downloads page={page} />
      </main>
      <footer class="bottom muted">
        <p>
          A provider's name (Calico) always means the original. What octet runs and measures is its own model
          of it (our model of Calico, octet calico). Ratios belong to this machine's kernel; a veth is no
          network card.
        </p>
      </footer>
    </>
  );
}
