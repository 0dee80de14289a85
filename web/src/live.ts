// The page's talk with `octet ui`: decide, compare, look how far that is.
// What must not be here: markup.
import type { Page, Value } from "./types";

export interface Refusal {
  field: string;
  message: string;
}

/** The parts of the document that follow from the requirements. */
export type Decided = Pick<Page, "decision" | "profile" | "elimination" | "flips"> | { refusal: Refusal };

export interface Progress {
  state: "idle" | "running" | "done" | "failed";
  step: string;
  done: number;
  total: number;
  error: string;
  /** Grows with each comparison that ended well. */
  generation: number;
}

async function post(path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  return fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    credentials: "same-origin",
    ...(signal ? { signal } : {}),
  });
}

export async function decide(requirements: Record<string, Value>, signal: AbortSignal): Promise<Decided> {
  const answer = await post("/api/decide", { requirements }, signal);
  const body = await answer.json();
  if (answer.status === 422) return { refusal: body as Refusal };
  if (!answer.ok) throw new Error(`octet ui answered ${answer.status}`);
  return body as Decided;
}

export async function startComparison(): Promise<Progress> {
  const answer = await post("/api/compare", {});
  if (!answer.ok && answer.status !== 409) throw new Error(`octet ui answered ${answer.status}`);
  return (await answer.json()) as Progress;
}

export async function progress(): Promise<Progress> {
  const answer = await fetch("/api/state", { credentials: "same-origin" });
  if (!answer.ok) throw new Error(`octet ui answered ${answer.status}`);
  return (await answer.json()) as Progress;
}

export async function document(): Promise<Page> {
  const answer = await fetch("/api/page", { credentials: "same-origin" });
  if (!answer.ok) throw new Error(`octet ui answered ${answer.status}`);
  return (await answer.json()) as Page;
}
