// One user: who is watching now, and what an operator or the viewer can do about it.

import { userPath } from "../shared/api.js";
import { fill, h, toast, write } from "../shared/ui.js";
import { change, changes, ifUnknown, mint, stop, termsOf, undo } from "./actions.js";
import { moment, sentence } from "./format.js";
import { deviceName, head, keyed, loading, refusalsHash, slots, state } from "./parts.js";
import { repeat, Waker } from "./repeat.js";
import { sessionRow } from "./sessions.js";
import { listen } from "./stream.js";
import { texts } from "./texts.js";

const T = texts.user;
/** Events tell of starts and endings; renewed leases are seen by asking. */
const POLL_MS = 5000;
const TICK_MS = 1000;

/**
 * @param {import("./main.js").App} app
 * @param {import("./main.js").Route} route
 * @param {AbortSignal} signal
 */
export function user({ connection, role, plans }, route, signal) {
    const id = route.user;
    const isOperator = role != "viewer";
    const waker = new Waker();
    const facts = h("dl", { class: "facts" });
    const said = h("div", { class: "said", role: "status" });
    const now = nowPart(connection, (session) => act(() => onStop(session)));
    const refusals = refusalsPart(connection, id, isOperator);
    const body = h("div", { class: "stack" }, loading());
    /** @type {any} */
    let known;

    const button = (/** @type {string} */ text, /** @type {() => unknown} */ onclick) =>
        h("button", { type: "button", class: "button", onclick }, text);
    // Nothing is changed before it is known what is set.
    const changer = button(T.change, onChange);
    changer.disabled = true;
    const buttons =
        isOperator &&
        h(
            "div",
            { class: "actions" },
            changer,
            button(T.mint, () => mint(connection, id)),
        );
    const title = isOperator ? h("span", { class: "mono id" }, id) : T.own;
    const element = h("div", { class: "view" }, head(title, "", buttons), facts, said, body);

    async function load() {
        const [sessions, user, refused] = await Promise.all([
            connection.get(userPath(id, "sessions"), signal),
            isOperator ? connection.get(userPath(id), signal).catch(ifUnknown) : undefined,
            connection.get(userPath(id, "refusals"), signal),
        ]);
        known = user;
        changer.disabled = false;
        fill(facts, ...factsOf(sessions, user));
        now.show(sessions, user === null);
        refusals.show(refused.refusals[0]);
        if (!now.element.isConnected) fill(body, now.element, refusals.element);
    }

    /** Does something, and says why it did not work. */
    async function act(/** @type {() => Promise<void>} */ action) {
        try {
            await action();
        } catch (error) {
            toast(sentence(/** @type {Error} */ (error).message), { kind: "bad" });
        }
        waker.wake();
    }

    async function onStop(/** @type {any} */ session) {
        const device = deviceName(session, T.nameless);
        if (await stop(connection, session)) fill(said, h("p", {}, texts.stop.done(device)));
    }

    function onChange() {
        change(connection, id, termsOf(known), plans, (before, after) => {
            const what = changes(before, after);
            if (!what) return fill(said, h("p", {}, texts.change.nothing));
            const back = () =>
                act(async () => {
                    const isBack = await undo(connection, id, before, after);
                    const answer = isBack
                        ? texts.change.undone(changes(after, before))
                        : texts.change.moved;
                    fill(said, h("p", {}, answer));
                });
            fill(said, h("p", {}, texts.change.done(what)), button(texts.change.undo, back));
            waker.wake();
        });
    }

    const run = (/** @type {(error: Error) => void} */ fail) => {
        const timer = setInterval(() => now.tick(), TICK_MS);
        signal.addEventListener("abort", () => clearInterval(timer));
        const onEvent = () => waker.wake();
        listen(connection, userPath(id, "events"), signal, { onEvent, onError: fail });
        return repeat(() => POLL_MS, signal, load, fail, waker);
    };
    return { title: isOperator ? id : T.own, element, run };
}

/** What limits the user; a viewer may not ask for its plan. */
function factsOf(/** @type {any} */ sessions, /** @type {any} */ user) {
    const { active, limit } = user ?? sessions;
    const fact = (/** @type {string} */ name, /** @type {import("./parts.js").Child[]} */ ...value) =>
        h("div", {}, h("dt", {}, name), h("dd", {}, ...value));
    const taken = limit == 0 ? T.blocked : T.slots(active, limit);
    const facts = [fact(T.slotsName, slots(active, limit), h("span", { class: "num" }, taken))];
    if (!user) return facts;
    /** @type {Record<string, string>} */
    const sources = T.sources;
    const source = h("span", { class: "muted" }, ` ${sources[user.limit_source] ?? user.limit_source}`);
    facts.push(fact(T.limit, h("span", { class: "num" }, String(limit)), source));
    facts.push(fact(T.plan, user.plan ?? h("span", { class: "muted" }, T.noPlan)));
    const profile = Object.entries(user.profile).map(([name, value]) => `${name}: ${value}`);
    if (profile.length) facts.push(fact(T.profile, profile.join(" · ")));
    return facts;
}

/**
 * The sessions that hold a slot.
 *
 * @param {import("./connection.js").Connection} connection
 * @param {(session: any) => void} onStop
 */
function nowPart(connection, onStop) {
    const title = h("h2", { tabindex: "-1" }, T.now);
    const list = h("ul", { class: "sessions" });
    const [nobody, rest] = [h("div", { class: "empty" }), h("p", { class: "muted small empty" })];
    /** @type {ReturnType<typeof sessionRow>[]} */
    let rows = [];
    const tick = () => rows.forEach((row) => row.tick(connection.now()));
    const show = (/** @type {any} */ { sessions, sessions_total }, /** @type {boolean} */ isUnknown) => {
        const hadFocus = list.contains(document.activeElement);
        rows = keyed(
            list,
            sessions,
            (session) => session.session_id,
            () => sessionRow(onStop),
        );
        if (hadFocus && !list.contains(document.activeElement)) title.focus();
        tick();
        list.hidden = !sessions.length;
        const none = isUnknown ? state(T.unknown, T.unknownHint) : state(T.none, T.noneHint);
        fill(nobody, !sessions.length && none);
        write(rest, sessions.length < sessions_total ? T.more(sessions_total - sessions.length) : "");
    };
    const element = h("section", { class: "part" }, title, list, nobody, rest);
    return { element, show, tick };
}

/** The way to the refusals. */
function refusalsPart(
    /** @type {import("./connection.js").Connection} */ connection,
    /** @type {string} */ id,
    /** @type {boolean} */ isOperator,
) {
    const text = h("p", {}, T.neverRefused);
    let shownAt = "";
    const show = (/** @type {any} */ last) => {
        // The link stays as it is, and may have the focus, unless there is a newer refusal.
        if (!last || last.at == shownAt) return;
        shownAt = last.at;
        const link = h("a", { href: refusalsHash(id, last.at) }, isOperator ? T.why : T.whyOwn);
        fill(text, T.lastRefusal(moment(last.at, connection.now())), " ", link);
    };
    const element = h("section", { class: "part" }, h("h2", {}, T.refusals), text);
    return { element, show };
}
