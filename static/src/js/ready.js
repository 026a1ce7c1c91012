// Calls `bind` for everything that matches, now and whenever htmx brings something new. Each element is bound once.

/** @param {string} selector @param {(element: Element) => void} bind */
export function whenReady(selector, bind) {
  const bound = new WeakSet();
  const scan = () => {
    for (const element of document.querySelectorAll(selector)) {
      if (bound.has(element)) continue;
      bound.add(element);
      bind(element);
    }
  };
  document.addEventListener("htmx:after:swap", scan);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", scan);
  else scan();
}
