// Starting a comparison from the page, and how far it is.
import { useEffect, useRef, useState } from "preact/hooks";
import { type Progress, progress, startComparison } from "./live";

const LOOK_MS = 700;

export function Comparison({ finished }: { finished: () => void }) {
  const [now, setNow] = useState<Progress | null>(null);
  const [error, setError] = useState("");
  const seen = useRef<number | null>(null);
  const running = now?.state === "running";

  useEffect(() => {
    let gone = false;
    const look = async () => {
      try {
        const found = await progress();
        if (gone) return;
        setError("");
        setNow(found);
        if (seen.current !== null && found.generation > seen.current) finished();
        seen.current = found.generation;
      } catch (problem) {
        if (!gone) setError(String(problem));
      }
    };
    look();
    const timer = running ? setInterval(look, LOOK_MS) : undefined;
    return () => {
      gone = true;
      clearInterval(timer);
    };
  }, [running]);

  const start = async () => {
    try {
      setNow(await startComparison());
    } catch (problem) {
      setError(String(problem));
    }
  };
  return (
    <div class="comparison screen">
      <button type="button" class="primary" disabled={running} onClick={start}>
        {running ? "Measuring …" : "Measure on this machine (under three minutes)"}
      </button>
      {running && now && (
        <p>
          <progress value={now.done} max={Math.max(1, now.total)} aria-label="How far the measurement is" />{" "}
          <span>
            {now.step} ({now.done} of {now.total})
          </span>
        </p>
      )}
      <p role="status" class="muted">
        {now?.state === "done" && "Measured: the figures below are new."}
      </p>
      {(error || now?.state === "failed") && (
        <p class="note bad" role="alert">
          {error || now?.error}
        </p>
      )}
    </div>
  );
}
