// Parts that several views share: states of a view, links to users, slots, forms in dialogs.

import { ApiError } from "../shared/api.js";
import { h, write } from "../shared/ui.js";
import { fullTime, moment, sentence } from "./format.js";
import { texts } from "./texts.js";

/** @typedef {import("../shared/ui.js").Child} Child */

let ids = 0;

/** An id that no other element has. */
export const uniqueId = (/** @type {string} */ name) => `${name}-${++ids}`;

/** Where a user's page is; where its refusals are. */
export const userHash = (/** @type {string} */ user) => `#/users/${encodeURIComponent(user)}`;
export const refusalsHash = (/** @type {string} */ user, at = "") =>
    `${userHash(user)}/refusals${at && `?at=${encodeURIComponent(at)}`}`;

/** A link to the page of a user. */
export const userLink = (/** @type {string} */ user) =>
    h("a", { href: userHash(user), class: "mono id" }, user);

/** A link to the refusals of a user. */
export const whyLink = (/** @type {string} */ user) =>
    h("a", { href: refusalsHash(user), "aria-label": texts.user.whyLabel(user) }, texts.user.whyShort);

/** The head of a view: its heading, a sentence, and what belongs beside it. */
export function head(
    /** @type {Child | Child[]} */ title,
    /** @type {string} */ intro = "",
    /** @type {Child[]} */ ...beside
) {
    const sentence = intro && h("p", { class: "muted small" }, intro);
    const left = h("div", {}, h("h1", { tabindex: "-1" }, title), sentence);
    return h("div", { class: "view-head" }, left, ...beside);
}

/** What a part says while it has nothing to show: what is so, and what to do. */
export const state = (/** @type {string} */ title, hint = "", /** @type {Child[]} */ ...actions) =>
    h("div", { class: "state" }, h("h2", {}, title), hint && h("p", {}, hint), ...actions);

/** While the first answer is awaited. Words come late: most answers are faster. */
export const loading = () =>
    h("div", { class: "state loading", role: "status" }, h("p", {}, texts.states.loading));

/** What an error says. @param {Error} error @param {() => void} again */
export function failure(error, again) {
    const retry = h("button", { type: "button", class: "button", onclick: again }, texts.states.retry);
    const isForbidden = error instanceof ApiError && error.status == 403;
    const element = isForbidden
        ? state(texts.states.forbidden, `${sentence(error.message)} ${texts.states.forbiddenHint}`, retry)
        : state(texts.states.failed, sentence(error.message), retry);
    if (!isForbidden) element.classList.add("error");
    element.setAttribute("role", "alert");
    return element;
}

/** A time that says all of itself when pointed at. */
export const time = (/** @type {string} */ at, /** @type {number} */ now) =>
    h("time", { datetime: at, title: fullTime(at), class: "num" }, moment(at, now));

/**
 * An element of a drawing.
 *
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 */
export function svgElement(tag, attributes) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
    return element;
}

/** The most slots that are drawn one by one. */
const DRAWN_MAX = 12;

/** Slots taken and free, as a row of marks; the text beside it says the same. */
export function slots(/** @type {number} */ active, /** @type {number} */ limit) {
    const total = Math.max(active, limit);
    if (total > DRAWN_MAX) return null;
    const kind = (/** @type {number} */ i) => (i >= limit ? "above" : i < active ? "taken" : "free");
    const marks = Array.from({ length: total }, (_, i) => h("span", { class: kind(i) }));
    return h("span", { class: "slots", "aria-hidden": "true" }, marks);
}

/** What people call the device of a session. */
export const deviceName = (/** @type {any} */ session, /** @type {string} */ otherwise) =>
    session?.device_name ?? session?.device_id ?? session?.device_class ?? otherwise;

/**
 * A table, in a box that scrolls sideways where it must. The last `numbers` columns are numbers.
 *
 * @param {string} name for screen readers
 * @param {string[]} columns
 * @param {HTMLElement} body
 */
export function table(name, columns, body, numbers = 0) {
    const isNumber = (/** @type {number} */ i) => i >= columns.length - numbers;
    const heads = columns.map((text, i) => h("th", { scope: "col", class: isNumber(i) && "num" }, text));
    const rows = h("table", {}, h("thead", {}, h("tr", {}, heads)), body);
    return h("div", { class: "table-wrap", tabindex: "0", role: "group", "aria-label": name }, rows);
}

/** A dialog with a form, shown until it is closed. @param {string} title */
export function formDialog(title) {
    const id = uniqueId("dialog");
    const form = h("form", { method: "dialog" }, h("h2", { id }, title));
    const box = h("dialog", { "aria-labelledby": id }, form);
    box.addEventListener("close", () => box.remove());
    document.body.append(box);
    return { box, form };
}

/** Where a form says what is wrong. */
export const formError = () => h("p", { class: "form-error", role: "alert" });

/**
 * Sends a form when it is submitted: its buttons wait, and an error is said in it.
 *
 * @param {HTMLFormElement} form
 * @param {() => Promise<unknown>} send
 */
export function onSubmit(form, send) {
    form.addEventListener("submit", async (event) => {
        event.preventDefault();
        const told = form.querySelector(".form-error");
        const buttons = form.querySelectorAll("button");
        buttons.forEach((button) => (button.disabled = true));
        if (told) write(told, "");
        try {
            await send();
        } catch (error) {
            if (told) write(told, sentence(/** @type {Error} */ (error).message));
        }
        buttons.forEach((button) => (button.disabled = false));
    });
}

/**
 * Brings the children of an element in line with a list. An item that stays keeps its row, and with
 * it the focus. Returns the rows.
 *
 * @template T
 * @template {{ element: HTMLElement, update: (item: T) => void }} Row
 * @param {HTMLElement} parent
 * @param {T[]} items
 * @param {(item: T) => string} key
 * @param {() => Row} make
 * @returns {Row[]}
 */
export function keyed(parent, items, key, make) {
    /** @type {Map<string, Row>} */
    const before = shown.get(parent) ?? new Map();
    /** @type {typeof before} */
    const now = new Map();
    for (const item of items) now.set(key(item), before.get(key(item)) ?? make());
    for (const [name, { element }] of before) if (!now.has(name)) element.remove();
    const rows = [...now.values()];
    rows.forEach(({ element }, i) => {
        if (parent.children[i] != element) parent.insertBefore(element, parent.children[i] ?? null);
    });
    for (const item of items) now.get(key(item))?.update(item);
    shown.set(parent, now);
    return rows;
}

/** @type {WeakMap<HTMLElement, Map<string, any>>} */
const shown = new WeakMap();
