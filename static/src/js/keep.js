// Keeps what is in a form over a page load (signed out in another tab, page open too long, left in the middle of a word): in
// this tab only, until it was sent or, for what the server is about to keep itself, for a moment.
import { whenReady } from "./ready.js";

const NOT_OURS = new Set(["csrf_token", "try_no", "hint_no", "kind"]);

/** data-keep says whose it is: at a shared computer somebody else may sign in next in the same tab. */
const place = (form) => `kept:${form.dataset.keep}:${new URL(form.action).pathname}`;

/** Puts the fields of the form aside, for so many milliseconds or until they are sent. */
export function keep(form, milliseconds = Infinity) {
  const fields = [...new FormData(form)].filter(
    ([name, value]) => !NOT_OURS.has(name) && typeof value === "string",
  );
  try {
    const until = Number.isFinite(milliseconds) ? Date.now() + milliseconds : null;
    sessionStorage.setItem(place(form), JSON.stringify({ fields, until }));
  } catch {
    // Storage may be full or refused; the fields are still in the page.
  }
}

/** Forgets what was put aside. */
export function forget(form) {
  try {
    sessionStorage.removeItem(place(form));
  } catch {
    // Nothing was kept then.
  }
}

function kept(form) {
  try {
    const { fields, until } = JSON.parse(sessionStorage.getItem(place(form)));
    return until === null || Date.now() < until ? fields : null;
  } catch {
    return null;
  }
}

whenReady("form[data-keep]", (form) => {
  const fields = kept(form);
  forget(form);
  if (!fields) return;
  const values = new Map();
  for (const [name, value] of fields) values.set(name, [...(values.get(name) ?? []), value]);
  for (const control of form.elements) {
    // What is locked by now shows what was answered, perhaps in another tab.
    if (!control.name || NOT_OURS.has(control.name) || control.matches(":disabled")) continue;
    const given = values.get(control.name) ?? [];
    if (control.type === "radio" || control.type === "checkbox")
      control.checked = given.includes(control.value);
    else if (given.length && control.type !== "hidden") control.value = given[0];
  }
  // When htmx listens: what came back is a draft like any other.
  queueMicrotask(() => form.dispatchEvent(new Event("input", { bubbles: true })));
});
