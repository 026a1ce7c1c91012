// Keeps what is in a form over a page load (signed out in another tab, page open too long): in this tab only, until it was sent.
import { whenReady } from "./ready.js";

const NOT_OURS = new Set(["csrf_token", "try_no", "hint_no", "kind"]);

const place = (form) => `kept:${new URL(form.action).pathname}`;

/** Puts the fields of the form aside. */
export function keep(form) {
  const fields = [...new FormData(form)].filter(
    ([name, value]) => !NOT_OURS.has(name) && typeof value === "string",
  );
  try {
    sessionStorage.setItem(place(form), JSON.stringify(fields));
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
    return JSON.parse(sessionStorage.getItem(place(form)));
  } catch {
    return null;
  }
}

whenReady("form[data-keep]", (form) => {
  const fields = kept(form);
  if (!fields) return;
  forget(form);
  const values = new Map();
  for (const [name, value] of fields) values.set(name, [...(values.get(name) ?? []), value]);
  for (const control of form.elements) {
    if (!control.name || NOT_OURS.has(control.name)) continue;
    const given = values.get(control.name) ?? [];
    if (control.type === "radio" || control.type === "checkbox")
      control.checked = given.includes(control.value);
    else if (given.length && control.type !== "hidden") control.value = given[0];
  }
  form.dispatchEvent(new Event("input", { bubbles: true }));
});
