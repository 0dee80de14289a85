// The questions, in elimination order. Each can be answered "don't know".
// What must not be here: what an answer rules out.
import type { Page, Question, Value } from "./types";

const UNKNOWN = "";

export function Form(props: {
  page: Page;
  answers: Record<string, Value>;
  change: (field: string, value: Value) => void;
}) {
  const { page, answers } = props;
  const sections = [...new Set(page.questions.map((question) => question.section))];
  const answered = page.questions.filter((question) => (answers[question.field] ?? null) !== null).length;
  return (
    <section id="questions" aria-labelledby="questions-h">
      <h2 id="questions-h">Your constraints</h2>
      <p class="lead">
        {answered} of {page.questions.length} answered. The answer follows each change; “don’t know” rules
        nobody out.
      </p>
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
                  change={(value) => props.change(question.field, value)}
                />
              ))}
          </fieldset>
        ))}
      </form>
    </section>
  );
}

function Field({
  question,
  value,
  change,
}: {
  question: Question;
  value: Value;
  change: (value: Value) => void;
}) {
  const id = `q-${question.field}`;
  const why = question.why && (
    <p class="why-asked" id={`${id}-why`}>
      {question.why}
    </p>
  );
  const described = question.why ? { "aria-describedby": `${id}-why` } : {};
  if (question.kind === "number" || question.kind === "text") {
    return (
      <div class="field">
        <label for={id}>{question.text}</label>
        <input
          id={id}
          type="text"
          {...(question.kind === "number" ? { inputMode: "numeric" as const } : {})}
          placeholder="don’t know"
          value={value === null ? "" : String(value)}
          onInput={(event) => change(typed(question, event.currentTarget.value))}
          {...described}
        />
        {why}
      </div>
    );
  }
  return (
    <div class="field">
      <label for={id}>{question.text}</label>
      <select
        id={id}
        value={written(value)}
        onChange={(event) => change(chosen(question, event.currentTarget.value))}
        {...described}
      >
        <option value={UNKNOWN}>don’t know</option>
        {options(question).map((option) => (
          <option key={option.value} value={option.value}>
            {option.text}
          </option>
        ))}
      </select>
      {why}
    </div>
  );
}

function options(question: Question): { value: string; text: string }[] {
  if (question.kind !== "yes-no") return question.choices;
  return [
    { value: "true", text: "yes" },
    { value: "false", text: "no" },
  ];
}

function written(value: Value): string {
  return value === null ? UNKNOWN : String(value);
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
