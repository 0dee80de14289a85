// The questions, in elimination order. Each can be answered "don't know".
// What must not be here: what an answer rules out.
import { leaders } from "./answer";
import type { Refusal } from "./live";
import { sentence } from "./parts";
import type { Page, Question, Value } from "./types";

const UNKNOWN = "";

export function Form(props: {
  page: Page;
  answers: Record<string, Value>;
  refusal: Refusal | null;
  change: (field: string, value: Value) => void;
}) {
  const { page, answers, refusal } = props;
  const sections = [...new Set(page.questions.map((question) => question.section))];
  const answered = page.questions.filter((question) => (answers[question.field] ?? null) !== null).length;
  const elsewhere = refusal && !page.questions.some((question) => question.field === refusal.field);
  return (
    <section id="questions" class="screen" aria-labelledby="questions-h">
      <h2 id="questions-h">Your constraints</h2>
      <p class="lead">
        {answered} of {page.questions.length} answered. The answer follows each change; “don’t know” rules
        nobody out.
      </p>
      {elsewhere && (
        <p class="note bad" role="alert">
          {refusal.message}
        </p>
      )}
      <form onSubmit={(event) => event.preventDefault()}>
        {sections.map((section) => (
          <fieldset key={section}>
            <legend>{section}</legend>
            {page.questions
              .filter((question) => question.section === section)
              .map((question) => (
                <Field
                  key={question.field}
                  question={question}
                  value={answers[question.field] ?? null}
                  wrong={refusal?.field === question.field ? refusal.message : ""}
                  change={(value) => props.change(question.field, value)}
                />
              ))}
          </fieldset>
        ))}
      </form>
      <p class="now" aria-hidden="true">
        Now: <b>{leaders(page)}</b> · {page.decision.excluded.length} ruled out
      </p>
    </section>
  );
}

interface FieldProps {
  question: Question;
  value: Value;
  wrong: string;
  change: (value: Value) => void;
}

function Field(props: FieldProps) {
  const { question, wrong } = props;
  const id = `q-${question.field}`;
  const free = question.kind === "number" || question.kind === "text";
  return (
    <div class="field">
      <label for={id}>{question.text}</label>
      {free ? <Typed id={id} {...props} /> : <Chosen id={id} {...props} />}
      {wrong && (
        <p class="wrong" role="alert">
          {wrong}
        </p>
      )}
      <p class="why-asked" id={`${id}-why`}>
        {sentence(question.why)}
        {free && ` Takes ${question.takes}.`}
      </p>
    </div>
  );
}

function Typed({ id, question, value, wrong, change }: FieldProps & { id: string }) {
  return (
    <input
      id={id}
      type="text"
      inputMode={question.kind === "number" ? "numeric" : "text"}
      autoComplete="off"
      placeholder="don’t know"
      value={value === null ? "" : String(value)}
      onInput={(event) => change(typed(question, event.currentTarget.value))}
      aria-describedby={`${id}-why`}
      aria-invalid={wrong !== ""}
    />
  );
}

function Chosen({ id, question, value, wrong, change }: FieldProps & { id: string }) {
  return (
    <select
      id={id}
      value={value === null ? UNKNOWN : String(value)}
      onChange={(event) => change(chosen(question, event.currentTarget.value))}
      aria-describedby={`${id}-why`}
      aria-invalid={wrong !== ""}
    >
      <option value={UNKNOWN}>don’t know</option>
      {options(question).map((option) => (
        <option key={option.value} value={option.value}>
          {option.text}
        </option>
      ))}
    </select>
  );
}

function options(question: Question): { value: string; text: string }[] {
  if (question.kind !== "yes-no") return question.choices;
  return [
    { value: "true", text: "yes" },
    { value: "false", text: "no" },
  ];
}

export function chosen(question: Question, text: string): Value {
  if (text === UNKNOWN) return null;
  return question.kind === "yes-no" ? text === "true" : text;
}

/** What was typed; a number that is none is sent as it is, so that the server can say what would do. */
export function typed(question: Question, text: string): Value {
  const said = text.trim();
  if (said === "") return null;
  return question.kind === "number" && /^\d{1,9}$/.test(said) ? Number(said) : said;
}
