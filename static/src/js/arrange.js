// Putting lines in order, for "order" and Parsons problems. The selects in each line stay the form's truth; they are only
// hidden, and follow every move. Lines move by buttons, by arrow keys on the handle, and by dragging.
import { whenReady } from "./ready.js";

const INDENT_PIXELS = 28;

/** `list.moveBefore` keeps focus where it exists. */
function put(list, item, before) {
  if (list.moveBefore && item.isConnected) list.moveBefore(item, before);
  else list.insertBefore(item, before);
}

class Arrange {
  constructor(root) {
    this.root = root;
    this.used = root.querySelector("[data-used]");
    this.spare = root.querySelector("[data-spare]");
    this.say = root.querySelector("[data-say]");
    this.deepest = Number(root.dataset.maxIndent ?? 0);
    this.adoptSelects();
    for (const item of root.querySelectorAll("[data-item]")) this.addControls(item);
    root.querySelector("[data-help]").hidden = false;
    root.classList.add("arrange-live");
    root.addEventListener("click", (event) => this.clicked(event));
    root.addEventListener("keydown", (event) => this.pressed(event));
    root.addEventListener("pointerdown", (event) => this.grabbed(event));
    for (const type of ["focusin", "pointerdown"])
      root.addEventListener(type, (event) => this.choose(event.target));
    this.write();
  }

  /** Lines stand where their selects say, also when a browser filled these in by itself. */
  adoptSelects() {
    const items = [...this.root.querySelectorAll("[data-item]")];
    const place = (item) => Number(item.querySelector("[data-place]").value || 0);
    for (const item of items.toSorted((a, b) => place(a) - place(b))) {
      if (place(item) || !this.spare) this.used.append(item);
      const indent = item.querySelector("[data-indent-place]");
      if (indent) item.dataset.indent = indent.value;
    }
  }

  addControls(item) {
    const controls = this.root.querySelector("template[data-controls]").content.cloneNode(true);
    const text = item.querySelector(".arrange-text");
    for (const button of controls.querySelectorAll("button"))
      button.setAttribute("aria-describedby", text.id);
    item.prepend(controls.querySelector(".arrange-grip"));
    item.append(controls);
  }

  /** One line at a time shows its buttons where there is little room. */
  choose(target) {
    const item = target.closest("[data-item]");
    if (!item) return;
    for (const other of this.root.querySelectorAll("[data-chosen]")) other.removeAttribute("data-chosen");
    item.setAttribute("data-chosen", "");
  }

  isUsed(item) {
    return item.parentElement === this.used;
  }

  /** The lists as they are now, into the selects. */
  write() {
    [...this.used.children].forEach((item, index) => {
      item.querySelector("[data-place]").value = String(index + 1);
    });
    for (const item of this.spare?.children ?? []) {
      item.querySelector("[data-place]").value = "";
      item.dataset.indent = "0";
    }
    for (const select of this.root.querySelectorAll("[data-indent-place]")) {
      select.value = select.closest("[data-item]").dataset.indent;
    }
  }

  changed(item, words) {
    this.write();
    this.say.textContent = words ?? this.whereabouts(item);
    this.root.dispatchEvent(new Event("input", { bubbles: true }));
  }

  whereabouts(item) {
    if (!this.isUsed(item)) return this.say.dataset.takenOut;
    const place = [...this.used.children].indexOf(item) + 1;
    const words = this.say.dataset.place
      .replace("{place}", place)
      .replace("{total}", this.used.children.length);
    if (!this.deepest) return words;
    return `${words}, ${this.say.dataset.indented.replace("{indent}", Number(item.dataset.indent) * 4)}`;
  }

  act(item, what) {
    if (what === "up" && item.previousElementSibling)
      put(item.parentElement, item, item.previousElementSibling);
    else if (what === "down" && item.nextElementSibling) {
      put(item.parentElement, item, item.nextElementSibling.nextElementSibling);
    } else if (what === "in" || what === "out") put(what === "in" ? this.used : this.spare, item, null);
    else if (what === "indent" || what === "outdent") {
      const indent = Number(item.dataset.indent) + (what === "indent" ? 1 : -1);
      item.dataset.indent = String(Math.min(this.deepest, Math.max(0, indent)));
    } else return;
    this.changed(item);
  }

  clicked(event) {
    const button = event.target.closest("[data-do]");
    if (!button || button.dataset.do === "grip") return;
    const item = button.closest("[data-item]");
    this.act(item, button.dataset.do);
    const left = button.dataset.do === "in" || button.dataset.do === "out";
    (left ? item.querySelector("[data-do=grip]") : button).focus();
  }

  pressed(event) {
    const grip = event.target.closest("[data-do=grip]");
    if (!grip || event.ctrlKey || event.metaKey || event.altKey) return;
    const item = grip.closest("[data-item]");
    const mirrored = getComputedStyle(this.root).direction === "rtl";
    const keys = { ArrowUp: "up", ArrowDown: "down" };
    if (this.deepest && this.isUsed(item)) {
      Object.assign(keys, {
        ArrowRight: mirrored ? "outdent" : "indent",
        ArrowLeft: mirrored ? "indent" : "outdent",
        Delete: "out",
        Backspace: "out",
      });
    } else if (this.spare) Object.assign(keys, { Enter: "in", " ": "in" });
    const what = keys[event.key];
    if (!what) return;
    event.preventDefault();
    this.act(item, what);
    grip.focus();
  }

  grabbed(event) {
    const item = event.target.closest("[data-item]");
    if (!item || event.button !== 0 || event.target.closest("button:not([data-do=grip]), select")) return;
    if (event.pointerType === "touch" && !event.target.closest("[data-do=grip]")) return;
    const start = { x: event.clientX, indent: Number(item.dataset.indent ?? 0), y: event.clientY };
    let moved = false;
    const move = (at) => {
      if (!moved && Math.hypot(at.clientX - start.x, at.clientY - start.y) < 6) return;
      moved = true;
      at.preventDefault();
      item.classList.add("arrange-held");
      this.drag(item, at, start);
    };
    const end = () => {
      document.removeEventListener("pointermove", move);
      document.removeEventListener("pointerup", end);
      document.removeEventListener("pointercancel", end);
      item.classList.remove("arrange-held");
      if (moved) this.changed(item);
    };
    document.addEventListener("pointermove", move);
    document.addEventListener("pointerup", end);
    document.addEventListener("pointercancel", end);
    if (event.pointerType === "mouse" && !event.target.closest("button")) event.preventDefault();
  }

  drag(item, at, start) {
    const list = this.listAt(at.clientY) ?? item.parentElement;
    const before = [...list.children].find((other) => {
      if (other === item) return false;
      const box = other.getBoundingClientRect();
      return at.clientY < box.top + box.height / 2;
    });
    if (item.parentElement !== list || item.nextElementSibling !== (before ?? null))
      put(list, item, before ?? null);
    if (!this.deepest) return;
    const mirrored = getComputedStyle(this.root).direction === "rtl" ? -1 : 1;
    const steps = Math.round((mirrored * (at.clientX - start.x)) / INDENT_PIXELS);
    item.dataset.indent = this.isUsed(item)
      ? String(Math.min(this.deepest, Math.max(0, start.indent + steps)))
      : "0";
  }

  listAt(y) {
    if (!this.spare) return this.used;
    const spareTop = this.spare.closest(".arrange-part").getBoundingClientRect().top;
    return y < spareTop ? this.used : this.spare;
  }
}

whenReady("[data-arrange]:not([disabled])", (root) => new Arrange(root));
