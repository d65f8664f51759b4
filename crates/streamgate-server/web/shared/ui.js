// Small helpers for elements, toasts, dialogs and times. Whatever comes from outside becomes text,
// never markup.

/** @typedef {Node | string | number | false | null | undefined} Child */

/**
 * An element: `h("button", { class: "button", onclick: stop }, "Stop")`. Properties are attributes,
 * except functions, which listen, and `dataset`.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    set(element, properties);
    element.append(...nodes(children));
    return element;
}

/**
 * An icon: the paths of a drawing of 24 by 24.
 *
 * @param {string} path
 * @param {string} [label] for screen readers; without one they pass over it
 */
export function icon(path, label) {
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    const shape = document.createElementNS(space, "path");
    shape.setAttribute("d", path);
    set(svg, { class: "icon", viewBox: "0 0 24 24" });
    set(svg, label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" });
    svg.append(shape);
    return svg;
}

/**
 * @param {Element} element
 * @param {Record<string, any>} properties
 */
function set(element, properties) {
    for (const [name, value] of Object.entries(properties)) {
        if (value === undefined || value === null || value === false) continue;
        if (typeof value == "function") element.addEventListener(name.replace(/^on/, ""), value);
        else if (name == "dataset" && element instanceof HTMLElement) Object.assign(element.dataset, value);
        else element.setAttribute(name, value === true ? "" : String(value));
    }
}

/**
 * @param {(Child | Child[])[]} children
 * @returns {(Node | string)[]}
 */
function nodes(children) {
    return children
        .flat()
        .filter((child) => child !== undefined && child !== null && child !== false)
        .map((child) => (child instanceof Node ? child : String(child)));
}

/**
 * Puts these children in place of all that an element has.
 *
 * @param {Element} element
 * @param {...(Child | Child[])} children
 */
export function fill(element, ...children) {
    element.replaceChildren(...nodes(children));
}

/**
 * The element with this id, of this type.
 *
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function byId(id, type) {
    const element = document.getElementById(id);
    if (!(element instanceof type)) throw new Error(`the page has no ${type.name} #${id}`);
    return element;
}

/**
 * Writes text only where it changes, so that screen readers and selections are left alone.
 *
 * @param {Element} element
 * @param {string} text
 */
export function write(element, text) {
    if (element.textContent != text) element.textContent = text;
}

/** Where toasts appear: a live region, so it is there before the first one. */
let toasts = () => {
    const region = h("div", { class: "toasts", role: "status", "aria-live": "polite" });
    document.body.append(region);
    toasts = () => region;
    return region;
};

/** How long a toast stays; one with an action stays longer. */
const TOAST_MS = 5_000;
const TOAST_WITH_ACTION_MS = 12_000;

/**
 * Says something for some seconds.
 *
 * @param {string} text
 * @param {{ kind?: "good" | "bad", action?: { label: string, run: () => unknown } }} [options]
 */
export function toast(text, { kind, action } = {}) {
    const gone = () => element.remove();
    const button =
        action &&
        h("button", { class: "button quiet", type: "button", onclick: () => (gone(), action.run()) }, action.label);
    const element = h("div", { class: `toast ${kind ?? ""}` }, h("p", {}, text), button);
    toasts().append(element);
    let timer = setTimeout(gone, action ? TOAST_WITH_ACTION_MS : TOAST_MS);
    // It waits for a reader who is on it.
    for (const name of ["mouseenter", "focusin"]) element.addEventListener(name, () => clearTimeout(timer));
    for (const name of ["mouseleave", "focusout"]) {
        element.addEventListener(name, () => (timer = setTimeout(gone, TOAST_MS)));
    }
}

/**
 * Asks before something is done. Escape and the scrim say no.
 *
 * @param {{ title: string, body?: Child | Child[], confirm: string, cancel: string, danger?: boolean }} question
 * @returns {Promise<boolean>}
 */
export function ask({ title, body, confirm, cancel, danger = false }) {
    const yes = h("button", { class: `button primary ${danger ? "danger" : ""}`, type: "button" }, confirm);
    const no = h("button", { class: "button", type: "button", autofocus: true }, cancel);
    const dialog = h(
        "dialog",
        { "aria-labelledby": "ask-title" },
        h(
            "div",
            { class: "stack" },
            h("h2", { id: "ask-title" }, title),
            body && h("div", { class: "muted" }, body),
            h("div", { class: "actions" }, no, yes),
        ),
    );
    document.body.append(dialog);
    return new Promise((resolve) => {
        yes.onclick = () => dialog.close("yes");
        no.onclick = () => dialog.close();
        dialog.onclick = ({ target }) => target == dialog && dialog.close();
        dialog.onclose = () => {
            dialog.remove();
            resolve(dialog.returnValue == "yes");
        };
        dialog.showModal();
    });
}

const COPY =
    "M9 9h9a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H9a1 1 0 0 1-1-1v-9a1 1 0 0 1 1-1zM5 15H4.5A1.5 1.5 0 0 1 3 13.5v-9A1.5 1.5 0 0 1 4.5 3h9A1.5 1.5 0 0 1 15 4.5V5";
const COPIED = "M5 12.5l4.5 4.5L19 7.5";

/** How long a copy button shows that it has copied. */
const COPIED_MS = 2_000;

/**
 * A button that copies text.
 *
 * @param {() => string} text
 * @param {{ copy: string, copied: string, failed: string }} labels
 */
export function copyButton(text, { copy, copied, failed }) {
    const button = h("button", { class: "icon-button", type: "button", "aria-label": copy, title: copy });
    const show = (/** @type {string} */ path, /** @type {string} */ label) => {
        fill(button, icon(path));
        set(button, { "aria-label": label, title: label });
    };
    show(COPY, copy);
    button.onclick = async () => {
        try {
            await navigator.clipboard.writeText(text());
        } catch {
            // Not over http from another machine: the text itself can be selected.
            return toast(failed, { kind: "bad" });
        }
        show(COPIED, copied);
        setTimeout(() => show(COPY, copy), COPIED_MS);
    };
    return button;
}

const SUN =
    "M12 3v1.5M12 19.5V21M3 12h1.5M19.5 12H21M5.6 5.6l1.1 1.1M17.3 17.3l1.1 1.1M5.6 18.4l1.1-1.1M17.3 6.7l1.1-1.1M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0z";
const MOON = "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z";

/**
 * What the frame of every page does: the switch between light and dark in the place of `#theme`,
 * and the link past the header, which leaves the address alone.
 *
 * @param {{ dark: string, light: string }} labels what the switch does
 */
export function frame(labels) {
    byId("theme", HTMLElement).replaceWith(themeSwitch(labels));
    const skip = document.querySelector("a.skip");
    skip?.addEventListener("click", (event) => {
        event.preventDefault();
        byId("main", HTMLElement).focus();
    });
}

/**
 * The switch between light and dark. The choice is kept for all pages of this server.
 *
 * @param {{ dark: string, light: string }} labels
 */
function themeSwitch({ dark, light }) {
    const button = h("button", { class: "icon-button", type: "button" });
    const root = document.documentElement;
    const show = () => {
        const isDark = root.dataset.theme == "dark";
        fill(button, icon(isDark ? SUN : MOON));
        set(button, { "aria-label": isDark ? light : dark, title: isDark ? light : dark });
    };
    button.onclick = () => {
        root.dataset.theme = root.dataset.theme == "dark" ? "light" : "dark";
        try {
            localStorage.setItem("streamgate:theme", root.dataset.theme);
        } catch {
            // Storage may be denied: then it holds for this page.
        }
    };
    new MutationObserver(show).observe(root, { attributeFilter: ["data-theme"] });
    show();
    return button;
}

/**
 * A time of day where the reader is: `20:14`; with seconds `20:14:03`.
 *
 * @param {string | number | Date} when
 * @param {{ seconds?: boolean }} [options]
 */
export function clock(when, { seconds = false } = {}) {
    return new Date(when).toLocaleTimeString("en-GB", { timeStyle: seconds ? "medium" : "short" });
}

/**
 * How long something lasts, in the two largest units: `42 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`.
 *
 * @param {number} ms
 */
export function duration(ms) {
    const s = Math.max(0, Math.floor(ms / 1000));
    const [min, hours, days] = [Math.floor(s / 60), Math.floor(s / 3600), Math.floor(s / 86_400)];
    if (s < 60) return `${s} s`;
    if (min < 60) return `${min} min ${s % 60} s`;
    if (hours < 24) return `${hours} h ${min % 60} min`;
    return `${days} d ${hours % 24} h`;
}

/**
 * Words as a list: `TV, Phone and Laptop`.
 *
 * @param {string[]} words
 */
export function listed(words) {
    return new Intl.ListFormat("en-GB", { type: "conjunction" }).format(words);
}

/**
 * Calls `work` at once and then `ms` after each end, only while the page is shown, and never twice at
 * a time. Returns `now`, which calls it early, and `end`.
 *
 * @param {number} ms
 * @param {() => Promise<unknown>} work it handles the errors that may be
 */
export function whileShown(ms, work) {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    let isOver = false;
    let isRunning = false;
    const run = async () => {
        clearTimeout(timer);
        if (isOver || isRunning || document.hidden) return;
        isRunning = true;
        try {
            await work();
        } finally {
            isRunning = false;
            clearTimeout(timer);
            if (!isOver) timer = setTimeout(run, ms);
        }
    };
    document.addEventListener("visibilitychange", run);
    void run();
    return {
        now: run,
        end: () => {
            isOver = true;
            clearTimeout(timer);
            document.removeEventListener("visibilitychange", run);
        },
    };
}
