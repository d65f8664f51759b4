// All users, page by page: only ever one page is asked for.

import { h, write } from "../shared/ui.js";
import { failure, head, loading, slots, state, table, userLink } from "./parts.js";
import { attempt } from "./repeat.js";
import { texts } from "./texts.js";

const T = texts.users;
const PAGE_SIZE = 50;

/**
 * @param {import("./main.js").App} app
 * @param {import("./main.js").Route} _route
 * @param {AbortSignal} signal
 */
export function users({ connection }, _route, signal) {
    const list = h("div", { class: "list" }, loading());
    const number = h("span", { class: "num muted small", role: "status" });
    const button = (/** @type {string} */ text, /** @type {() => void} */ onclick) =>
        h("button", { type: "button", class: "button", disabled: true, onclick }, text);
    const first = button(T.first, () => open(0));
    const previous = button(T.previous, () => open(page - 1));
    const next = button(T.next, () => open(page + 1));
    const pages = h("nav", { class: "pages", "aria-label": T.label }, first, previous, next, number);
    pages.hidden = true;
    // Where each page begins, as far as the reader has come.
    const cursors = [""];
    let page = 0;

    async function open(/** @type {number} */ wanted) {
        for (const one of [first, previous, next]) one.disabled = true;
        try {
            await attempt(signal, () => load(wanted));
        } catch (error) {
            if (signal.aborted) return;
            pages.hidden = true;
            list.replaceChildren(failure(/** @type {Error} */ (error), () => open(wanted)));
        }
    }

    async function load(/** @type {number} */ wanted) {
        const cursor = cursors[wanted] && `&cursor=${cursors[wanted]}`;
        const answer = await connection.get(`v1/users?page_size=${PAGE_SIZE}${cursor}`, signal);
        page = wanted;
        cursors.length = page + 1;
        if (answer.next_cursor) cursors.push(answer.next_cursor);
        const isEmpty = !answer.users.length && page == 0;
        list.replaceChildren(isEmpty ? state(T.none, T.noneHint) : rows(answer.users));
        write(number, T.page(page + 1));
        first.disabled = previous.disabled = page == 0;
        next.disabled = page + 1 >= cursors.length;
        pages.hidden = isEmpty;
    }

    const element = h("div", { class: "view" }, head(T.title, T.intro), list, pages);
    return { title: T.title, element, run: () => open(0) };
}

/** @param {any[]} found */
function rows(found) {
    const none = () => h("span", { class: "muted" }, texts.user.noPlan);
    const body = found.map(({ user_id, plan, active, limit }) =>
        h(
            "tr",
            {},
            h("td", {}, userLink(user_id)),
            h("td", {}, plan ?? none()),
            h("td", { class: "slots-cell" }, taken(active, limit)),
        ),
    );
    return table(T.title, [T.user, T.plan, T.slots], h("tbody", {}, body));
}

/** How many slots are taken: marks, and the same in words. */
function taken(/** @type {number} */ active, /** @type {number} */ limit) {
    if (limit == 0) return h("span", { class: "badge bad" }, T.blocked);
    return [h("span", { class: "num" }, T.taken(active, limit)), slots(active, limit)];
}
