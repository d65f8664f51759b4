// Why a user was refused: for each refusal what was asked, who held the slots then, and when the next
// slot would have been free, drawn on a line of time and told in sentences to read aloud.

import { userPath } from "../shared/api.js";
import { fill, h, listed, write } from "../shared/ui.js";
import { fullTime, moment } from "./format.js";
import { deviceName, head, keyed, loading, state, svgElement, userHash } from "./parts.js";
import { repeat, Waker } from "./repeat.js";
import { listen } from "./stream.js";
import { texts } from "./texts.js";

const T = texts.refusals;
const POLL_MS = 10_000;
/** Where the moment of the refusal is, of the width: before it hours count, behind it seconds. */
const REFUSED_AT = 60;
/** The room behind the last end of a lease, of the width. */
const MARGIN = 2;

/**
 * @param {import("./main.js").App} app
 * @param {import("./main.js").Route} route
 * @param {AbortSignal} signal
 */
export function refusals({ connection, role }, route, signal) {
    const id = route.user;
    const waker = new Waker();
    const body = h("div", { class: "stack" }, loading());
    const list = h("div", { class: "stack" });
    const note = h("p", { class: "muted small empty" });
    const top = h("div", { class: "part" }, note, legend());
    const asked = route.query.get("at");

    async function load() {
        const { refusals, scope } = await connection.get(userPath(id, "refusals"), signal);
        if (!refusals.length) return fill(body, state(T.none, T.noneHint));
        write(note, scope == "node" ? T.node : "");
        // At first the one that was asked for is open, or the newest; what comes later opens too, and
        // what is open stays: somebody reads it.
        const isFirst = !list.isConnected;
        const opened = refusals.find((/** @type {any} */ one) => one.at == asked) ?? refusals[0];
        const row = () => refusalRow(connection.now(), (one) => !isFirst || one == opened);
        keyed(list, refusals, (/** @type {any} */ one) => `${one.at} ${one.asked?.session_id}`, row);
        if (isFirst) fill(body, top, list);
    }

    const back = h("a", { class: "button", href: userHash(id) }, T.back);
    const title = role == "viewer" ? T.own : [`${T.of} `, h("span", { class: "mono id" }, id)];
    const element = h("div", { class: "view" }, head(title, T.intro, back), body);
    const run = (/** @type {(error: Error) => void} */ fail) => {
        const onEvent = (/** @type {{ event: string }} */ { event }) => event == "refused" && waker.wake();
        listen(connection, userPath(id, "events"), signal, { onEvent, onError: fail });
        return repeat(() => POLL_MS, signal, load, fail, waker);
    };
    return { title: role == "viewer" ? T.own : `${T.of} ${id}`, element, run };
}

/** What the marks of the drawings mean. */
const legend = () =>
    h(
        "ul",
        { class: "legend small muted", "aria-hidden": "true" },
        h("li", {}, h("span", { class: "mark held" }), T.legendHeld),
        h("li", {}, h("span", { class: "mark rest" }), T.legendLease),
        h("li", {}, h("span", { class: "mark asked" }), T.legendAsked),
    );

/** A refusal: a line to open, the story, the drawing. It does not change. */
function refusalRow(/** @type {number} */ now, /** @type {(one: any) => boolean} */ isOpen) {
    const element = h("details", { class: "card refusal" });
    const update = (/** @type {any} */ one) => {
        if (element.hasChildNodes()) return;
        const asked = deviceName(one.asked, T.someDevice);
        const summary = h(
            "summary",
            {},
            h("time", { datetime: one.at, title: fullTime(one.at), class: "num" }, moment(one.at, now)),
            h("span", { class: "refusal-asked" }, asked),
            h("span", { class: "badge bad num" }, T.head(one.active, one.limit)),
        );
        element.open = isOpen(one);
        element.append(summary, h("p", { class: "story" }, story(one, asked)), drawing(one, asked, now));
    };
    return { element, update };
}

/** What support reads to the viewer. */
function story(/** @type {any} */ one, /** @type {string} */ asked) {
    const day = Date.parse(one.at);
    const holders = one.sessions.map((/** @type {any} */ session) =>
        T.holder(deviceName(session, T.someDevice), moment(session.started_at, day)),
    );
    const more = one.sessions_total - one.sessions.length;
    if (more > 0) holders.push(T.others(more));
    return [
        T.asked(moment(one.at, day), asked, one.asked?.content_id),
        one.limit == 0 ? T.blocked : T.taken(one.active, one.limit, one.rule, listed(holders)),
        one.next_slot_at && T.free(moment(one.next_slot_at, day)),
    ]
        .filter((sentence) => sentence)
        .join(" ");
}

/** Who held the slots, a row each; then the start that was refused. */
function drawing(/** @type {any} */ one, /** @type {string} */ asked, /** @type {number} */ now) {
    const at = Date.parse(one.at);
    const next = Date.parse(one.next_slot_at ?? "");
    const starts = one.sessions.map((/** @type {any} */ session) => Date.parse(session.started_at));
    const ends = one.sessions.map((/** @type {any} */ session) => Date.parse(session.expires_at));
    const first = Math.min(at - 1000, ...starts);
    const last = Math.max(at + 1000, ...ends, ...(next ? [next] : []));
    /** @param {number} time */
    const x = (time) =>
        time <= at
            ? ((time - first) / (at - first)) * REFUSED_AT
            : REFUSED_AT + ((time - at) / (last - at)) * (100 - REFUSED_AT - MARGIN);

    const rows = one.sessions.map((/** @type {any} */ session, /** @type {number} */ i) =>
        row(
            deviceName(session, T.someDevice),
            [session.content_id, T.since(moment(starts[i], at))],
            T.until(moment(ends[i], at)),
            [
                rect("held", x(starts[i]), REFUSED_AT),
                rect("rest", REFUSED_AT, x(ends[i])),
                line("at", REFUSED_AT),
            ],
        ),
    );
    const more = one.sessions_total - one.sessions.length;
    const marks = [line("at", REFUSED_AT), cross(REFUSED_AT)];
    if (next) marks.push(line("next", x(next)));
    const content = [one.asked?.content_id, T.refusedAt(moment(at, now))];
    return h(
        "div",
        { class: "drawing" },
        rows,
        more > 0 && h("p", { class: "muted small" }, T.more(more)),
        row(asked, content, next ? T.next(moment(next, at)) : "", marks, "asked"),
    );
}

/** A row: who, and its track. */
function row(
    /** @type {string} */ name,
    /** @type {(string | undefined)[]} */ facts,
    /** @type {string} */ end,
    /** @type {SVGElement[]} */ marks,
    kind = "",
) {
    const svg = svgElement("svg", { "aria-hidden": "true" });
    svg.append(...marks);
    const text = facts.filter((fact) => fact).join(" · ");
    return h(
        "div",
        { class: `drawing-row ${kind}` },
        h(
            "p",
            { class: "drawing-name" },
            h("strong", {}, name),
            h("span", { class: "muted small num" }, text),
        ),
        h("div", { class: "track" }, svg),
        h("p", { class: "drawing-end muted small num" }, end),
    );
}

const rect = (/** @type {string} */ kind, /** @type {number} */ from, /** @type {number} */ to) =>
    svgElement("rect", {
        class: kind,
        x: `${from}%`,
        y: "50%",
        width: `${Math.max(0, to - from)}%`,
        height: "12",
        rx: "2",
    });

const line = (/** @type {string} */ kind, /** @type {number} */ x) =>
    svgElement("line", { class: kind, x1: `${x}%`, x2: `${x}%`, y1: "0", y2: "100%" });

/** Where the refused start stands: in a nested drawing, because paths have no percentages. */
function cross(/** @type {number} */ x) {
    const place = svgElement("svg", { x: `${x}%`, y: "50%", overflow: "visible" });
    place.append(svgElement("path", { class: "cross", d: "M-5 -5L5 5M-5 5L5 -5" }));
    return place;
}
