// Whether a key belongs to the element that has the focus and not to the page.

/** Somebody is writing text or choosing from a list here. */
export function isTyping(target) {
  return (
    target.matches?.("textarea, select, [contenteditable], input:not([type=radio], [type=checkbox])") ?? false
  );
}

/** Enter already means something here. */
export function takesEnter(target) {
  return isTyping(target) || (target.closest?.("a[href], button, summary, input") ?? null) !== null;
}
