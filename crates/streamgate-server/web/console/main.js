// The console: who is signed in, which view the address names, and whether the server answers.

import { byId, fill, frame, h, toast } from "../shared/ui.js";
import { events } from "./events.js";
import { clock } from "./format.js";
import { node } from "./node.js";
import { overview } from "./overview.js";
import { failure, loading, refusalsHash, userHash } from "./parts.js";
import { refusals } from "./refusals.js";
import { backoff, pause, seen } from "./repeat.js";
import { History } from "./series.js";
import { forget, keep, signIn, SignInError, stored } from "./session.js";
import { signInView } from "./sign-in.js";
import { texts } from "./texts.js";
import { user } from "./user.js";
import { users } from "./users.js";

/**
 * @typedef {import("./session.js").Session & { history: History }} App
 * @typedef {{ user: string, query: URLSearchParams }} Route
 * @typedef {(error: Error) => void} Fail
 * @typedef {{ title: string, element: HTMLElement, run?: (fail: Fail) => unknown }} View `run` brings
 *     it to life until the signal that it was opened with
 * @typedef {(app: App, route: Route, signal: AbortSignal) => View} Open
 */

/** The views of each role, by the first part of the address. */
const VIEWS = /** @type {const} */ ({
    admin: { "": overview, users, events, node },
    service: { "": users, users },
    viewer: { "": user },
});

const [main, bar] = [byId("main", HTMLElement), byId("bar", HTMLElement)];
const banner = byId("banner", HTMLElement);
/** @type {App | undefined} */
let app;
let open = new AbortController();

/** Shows a view in place of the last one. @param {(signal: AbortSignal) => View} make */
function show(make, hasFocus = true) {
    open.abort();
    open = new AbortController();
    for (const dialog of document.querySelectorAll("dialog")) dialog.close();
    app?.connection.forget();
    const { signal } = open;
    const view = make(signal);
    document.title = texts.title(view.title);
    fill(main, view.element);
    scrollTo(0, 0);
    if (hasFocus) main.querySelector("h1")?.focus({ preventScroll: true });
    const fail = (/** @type {Error} */ error) => {
        if (signal.aborted) return;
        open.abort();
        view.element.querySelector(".state.loading")?.remove();
        view.element.append(failure(error, () => route()));
    };
    view.run?.(fail);
}

/** The view that the address names. */
function route(hasFocus = true) {
    if (!app || (location.hash && !location.hash.startsWith("#/"))) return;
    const session = app;
    const [path, query] = location.hash.slice(2).split("?");
    const [name, id = "", below] = path.split("/").map(decoded);
    /** @type {Record<string, Open>} */
    const views = VIEWS[session.role];
    const isOther = session.role == "viewer" && id != session.user;
    const ofUser = below == "refusals" ? refusals : user;
    const view = name == "users" && id && !isOther ? ofUser : views[name];
    for (const link of bar.querySelectorAll("a")) {
        const isHere = link.hash.split("?")[0] == `#/${path}` || (path && link.hash == `#/${name}`);
        if (isHere) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
    }
    const found = { user: id || session.user, query: new URLSearchParams(query) };
    show((signal) => (view ? view(session, found, signal) : missing(isOther)), hasFocus);
}

/** A part of an address; what is not encoded properly is taken as it is. */
function decoded(/** @type {string} */ part) {
    try {
        return decodeURIComponent(part);
    } catch {
        return part;
    }
}

/** What an address without a view says. @returns {View} */
function missing(/** @type {boolean} */ isForbidden) {
    const T = texts.states;
    const title = isForbidden ? T.forbidden : T.missing;
    const home = h("a", { class: "button", href: "#/" }, T.home);
    const hint = h("p", {}, isForbidden ? T.viewerHint : T.missingHint);
    return { title, element: h("div", { class: "state" }, h("h1", { tabindex: "-1" }, title), hint, home) };
}

/** Opens the console for a credential; without one, for everybody, if the server is open. */
async function begin(/** @type {string | null} */ credential, hasFocus = true) {
    app = undefined;
    fill(bar);
    show(() => ({ title: texts.signIn.title, element: loading() }), false);
    const { signal } = open;
    for (let failures = 1; !signal.aborted; failures++) {
        try {
            return enter(await signIn(credential), hasFocus);
        } catch (error) {
            if (!(error instanceof SignInError)) throw error;
            if (error.why == "credential") return askIn(credential ? texts.signIn.notAnyMore : "");
            if (error.why == "forbidden" && credential) return askIn(error.message);
            if (error.why == "forbidden") return fill(main, problem(texts.signIn.forbidden, error.message));
            // Once: it is told to screen readers.
            if (failures == 1) fill(main, problem(texts.signIn.away, texts.signIn.awayHint));
        }
        await pause(backoff(failures), signal);
        await seen(signal);
    }
}

const problem = (/** @type {string} */ title, /** @type {string} */ hint) => {
    const again = h(
        "button",
        { type: "button", class: "button", onclick: () => begin(stored()) },
        texts.states.retry,
    );
    const element = h(
        "div",
        { class: "state error", role: "alert" },
        h("h1", {}, title),
        h("p", {}, hint),
        again,
    );
    return element;
};

/** Asks who is there; on an open server, for a viewer's token. */
function askIn(/** @type {string} */ why, isOpen = false) {
    forget();
    app = undefined;
    banner.hidden = true;
    fill(bar);
    const signedIn = (
        /** @type {import("./session.js").Session} */ session,
        /** @type {string} */ credential,
    ) => {
        // Such a server takes anything for a key, and the key changes nothing.
        if (isOpen && session.role == "admin") {
            toast(texts.signIn.open);
            return void begin(null);
        }
        keep(credential);
        enter(session);
    };
    show(() => signInView(why, signedIn));
    main.querySelector("input")?.focus();
}

function enter(/** @type {import("./session.js").Session} */ session, hasFocus = true) {
    const { connection } = session;
    app = { ...session, history: new History(connection) };
    connection.onLink = () => tellLink(connection.link);
    connection.onUnauthenticated = () => app?.connection == connection && askIn(texts.signIn.notAnyMore);
    fill(bar, ...navigation(session));
    route(hasFocus);
}

/** The links, the search and the tools of the header. */
function navigation(/** @type {import("./session.js").Session} */ { role, user, isOpen }) {
    const T = texts.nav;
    /** @type {[string, string][]} */
    const own = [
        ["#/", T.own],
        [refusalsHash(user), T.ownRefusals],
    ];
    /** @type {[string, string][]} */
    const operator = [["#/users", T.users]];
    if (role == "admin") operator.unshift(["#/", T.overview]);
    if (role == "admin") operator.push(["#/events", T.events], ["#/node", T.node]);
    const links = (role == "viewer" ? own : operator).map(([href, text]) => h("a", { href }, text));
    const input = h("input", {
        type: "search",
        "aria-label": T.search,
        placeholder: T.search,
        autocomplete: "off",
    });
    const search = h("form", { class: "search", role: "search" }, input);
    search.onsubmit = (event) => {
        event.preventDefault();
        if (input.value) location.hash = userHash(input.value);
        input.value = "";
    };
    const leave = () => (isOpen ? askIn("", true) : (forget(), begin(null)));
    const door = h(
        "button",
        { type: "button", class: "button quiet", onclick: leave },
        isOpen ? T.signIn : T.signOut,
    );
    return [h("nav", { "aria-label": T.label }, links), role != "viewer" && search, door];
}

/** Says that the server is away, and that it is back. */
function tellLink(/** @type {import("./connection.js").Link} */ { isAway, since, why }) {
    const T = texts.link;
    const at = clock(since);
    banner.hidden = !isAway;
    if (!isAway) return toast(T.back, { kind: "good" });
    fill(banner, h("strong", {}, why ? T.unable(at, why) : T.away(at)), ` ${T.again}`);
}

addEventListener("hashchange", () => route());
frame(texts.theme);
begin(stored(), false);
