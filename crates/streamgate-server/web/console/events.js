// What happens to all users, as it happens: bounded in the page, with filters and a pause.

import { fill, h, write } from "../shared/ui.js";
import { deviceName, head, keyed, state, table, time, userLink, whyLink } from "./parts.js";
import { listen } from "./stream.js";
import { texts } from "./texts.js";

const T = texts.events;
/** How many events the page keeps, and shows at once. */
const KEPT_MAX = 1000;
const SHOWN_MAX = 200;
/** A node may tell of thousands of events a second: they are drawn together. */
const DRAW_MS = 200;

const KINDS = /** @type {const} */ (["started", "revived", "ended", "refused", "user_set"]);
const REASONS = /** @type {const} */ (["stopped", "expired", "evicted", "terminated", "revoked"]);

/** @typedef {{ number: number, kind: string, at: string, user: string, reason: string, data: any }} Entry */

/**
 * @param {import("./main.js").App} app
 * @param {import("./main.js").Route} route
 * @param {AbortSignal} signal
 */
export function events({ connection }, route, signal) {
    /** @type {Entry[]} newest first */
    let entries = [];
    let total = 0;
    /** The number of the newest event that is shown while the feed is paused. */
    let pausedAt = Infinity;
    let isDue = false;
    const body = h("tbody");
    const rows = table(T.title, [T.at, T.kindName, T.userName, T.detail], body);
    rows.classList.add("feed");
    const [none, kept] = [h("div"), h("p", { class: "muted small num" })];
    const scope = h("span", { class: "muted small" });
    const status = h("span", { class: "badge", role: "status" }, T.connecting);
    const pause = h("button", { type: "button", class: "button", onclick: onPause }, T.pause);
    const clear = h(
        "button",
        { type: "button", class: "button", onclick: () => ((entries = []), draw()) },
        T.clear,
    );
    const filter = makeFilter(route, () => draw());

    function onPause() {
        pausedAt = pausedAt == Infinity ? total : Infinity;
        draw();
    }

    function draw() {
        isDue = false;
        const isPaused = pausedAt != Infinity;
        const shown = entries.filter((entry) => entry.number <= pausedAt && filter.passes(entry));
        const drawn = shown.slice(0, SHOWN_MAX);
        keyed(
            body,
            drawn,
            ({ number }) => String(number),
            () => eventRow(connection.now()),
        );
        rows.hidden = !shown.length;
        const empty = entries.length ? state(T.noMatch) : state(T.none, T.noneHint);
        fill(none, !shown.length && empty);
        write(pause, isPaused ? T.resume : T.pause);
        pause.classList.toggle("primary", isPaused);
        const newer = entries.filter((entry) => entry.number > pausedAt).length;
        write(kept, isPaused ? T.newer(newer) : T.kept(Math.min(shown.length, SHOWN_MAX), KEPT_MAX));
    }

    /** @param {import("./stream.js").Told} told */
    function onEvent({ event, data }) {
        if (event == "stream") return write(scope, data.scope == "all" ? T.scopeAll : T.scopeNode);
        total += 1;
        entries.unshift(entryOf(total, event, data, connection.now()));
        entries.length = Math.min(entries.length, KEPT_MAX);
        if (isDue) return;
        isDue = true;
        setTimeout(() => !signal.aborted && draw(), DRAW_MS);
    }

    function onOpen(/** @type {boolean} */ isOpen) {
        write(status, isOpen ? T.live : T.away);
        status.className = `badge ${isOpen ? "good" : "warn"}`;
    }

    const buttons = h("div", { class: "actions" }, pause, clear);
    const line = h("div", { class: "feed-line" }, status, scope, kept);
    const element = h(
        "div",
        { class: "view" },
        head(T.title, "", buttons),
        filter.element,
        line,
        rows,
        none,
    );
    draw();
    const run = (/** @type {(error: Error) => void} */ onError) =>
        listen(connection, "v1/events", signal, { onEvent, onOpen, onError });
    return { title: T.title, element, run };
}

/** An event as the feed keeps it. Some have no time of their own: they are told as they happen. */
function entryOf(
    /** @type {number} */ number,
    /** @type {string} */ kind,
    /** @type {any} */ data,
    /** @type {number} */ now,
) {
    const told = kind == "started" ? data.session.started_at : data.ended_at;
    const at = told ?? new Date(now).toISOString();
    const user = data.user_id ?? data.session?.user_id ?? "";
    return { number, kind, at, user, reason: data.reason ?? "", data };
}

/** The filters; they stand in the address, so that a link keeps them. */
function makeFilter(
    /** @type {import("./main.js").Route} */ { query },
    /** @type {() => void} */ onChange,
) {
    const wanted = query.get("kinds")?.split(",");
    const kinds = KINDS.map((kind) => {
        const checked = !wanted || wanted.includes(kind);
        const box = h("input", { type: "checkbox", value: kind, checked, onchange: changed });
        return { box, element: h("label", {}, box, h("span", {}, T.kind[kind])) };
    });
    const user = h("input", {
        type: "search",
        id: "filter-user",
        value: query.get("user"),
        oninput: changed,
    });
    const names = REASONS.map((reason) => {
        const selected = reason == query.get("reason");
        return h("option", { value: reason, selected }, texts.reasons[reason]);
    });
    const reason = h(
        "select",
        { id: "filter-reason", onchange: changed },
        h("option", { value: "" }, T.anyReason),
        names,
    );

    function changed() {
        const on = kinds.filter(({ box }) => box.checked).map(({ box }) => box.value);
        const all = new URLSearchParams();
        if (on.length < KINDS.length) all.set("kinds", on.join());
        if (user.value) all.set("user", user.value);
        if (reason.value) all.set("reason", reason.value);
        window.history.replaceState(null, "", `#/events${String(all) && `?${all}`}`);
        onChange();
    }

    const passes = (/** @type {Entry} */ entry) => {
        if (entry.kind == "gap") return true;
        const box = kinds.find(({ box }) => box.value == entry.kind);
        if (box && !box.box.checked) return false;
        if (reason.value && entry.reason != reason.value) return false;
        return entry.user.includes(user.value);
    };
    const element = h(
        "div",
        { class: "filters" },
        h(
            "fieldset",
            { class: "checks" },
            h("legend", {}, T.kinds),
            kinds.map((kind) => kind.element),
        ),
        h("div", { class: "field" }, h("label", { for: "filter-user" }, T.user), user),
        h("div", { class: "field" }, h("label", { for: "filter-reason" }, T.reason), reason),
    );
    return { element, passes };
}

/** @type {Record<string, string>} */
const BADGES = { started: "accent", revived: "accent", refused: "bad", gap: "warn", user_set: "" };

/** A row; an event does not change. */
function eventRow(/** @type {number} */ now) {
    const element = h("tr");
    /** @type {Record<string, string>} */
    const names = T.kind;
    const update = (/** @type {Entry} */ { kind, at, user, data }) => {
        if (element.hasChildNodes()) return;
        const badge = h("span", { class: `badge ${BADGES[kind] ?? ""}` }, names[kind] ?? kind);
        const who = user && userLink(user);
        element.append(
            h("td", {}, time(at, now)),
            h("td", {}, badge),
            h("td", {}, who),
            h("td", {}, detail(kind, user, data)),
        );
    };
    return { element, update };
}

/** @returns {import("./parts.js").Child[]} */
function detail(/** @type {string} */ kind, /** @type {string} */ user, /** @type {any} */ data) {
    if (kind == "gap") return [T.gap(data.missed)];
    if (kind == "refused") {
        return [h("span", { class: "num" }, T.refused(data.active, data.limit)), " ", whyLink(user)];
    }
    if (kind == "user_set") {
        return [
            data.erased
                ? T.erased
                : T.set(data.plan ?? texts.change.none, String(data.limit ?? texts.change.default)),
        ];
    }
    /** @type {Record<string, string>} */
    const reasons = texts.reasons;
    const device = deviceName(data.session, "");
    const id = data.session?.session_id ?? data.session_id;
    const reason = data.reason && (reasons[data.reason] ?? data.reason);
    const facts = [reason, device, data.session?.content_id].filter((one) => one).join(" · ");
    // An id says little to people: it stands in where nothing else is known.
    return [h("span", { title: id }, facts), !device && h("span", { class: "mono muted" }, ` ${id}`)];
}
