// Where the page begins: the document that Python has put into it, and the element to fill.
import { render } from "preact";
import { App } from "./app";
import type { Page } from "./types";

const held = document.getElementById("octet-data")?.textContent;
const place = document.getElementById("octet");
if (held && place) render(<App first={JSON.parse(held) as Page} />, place);

// On paper nothing can be opened: what explains a picture is opened before printing, and closed again.
let opened: HTMLDetailsElement[] = [];
window.addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll<HTMLDetailsElement>("details[data-print]:not([open])")];
  for (const each of opened) each.open = true;
});
window.addEventListener("afterprint", () => {
  for (const each of opened) each.open = false;
});
