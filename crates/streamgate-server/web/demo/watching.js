// Who is watching now: the sessions of the user, asked for while the page is shown.

import { ApiError, userPath } from "../shared/api.js";
import { fill, h, icon, whileShown, write } from "../shared/ui.js";
import { api } from "./accounts.js";
import { iconOf, nameOf, sinceOf } from "./panels.js";
import { texts } from "./texts.js";

const { player: words } = texts;

const EVERY_MS = 2_000;

/** Most slots that are drawn as marks; a higher limit is said in words alone. */
const MARKS_MAX = 12;

/**
 * The list, and what keeps it up to date.
 *
 * @param {string} user
 * @param {() => string | undefined} own the session of this tab
 * @param {(problem?: string) => void} answered hears of each answer, or of the code of a problem that
 *     may pass
 */
export function watchingList(user, own, answered) {
    const marks = h("div", { class: "marks", "aria-hidden": "true" });
    const count = h("p", { class: "small num" });
    const list = h("ul", { class: "watching" });
    const element = h(
        "section",
        { class: "card", "aria-labelledby": "watching" },
        h("div", { class: "title-row" }, h("h2", { id: "watching" }, words.watching), marks),
        count,
        list,
    );

    /** @param {any} answer */
    const show = ({ active, limit, sessions }) => {
        write(count, words.inUse(active, limit));
        const drawn = Math.max(limit, active);
        fill(marks, drawn <= MARKS_MAX && Array.from({ length: drawn }, (_, at) => h("i", { class: at < active ? "used" : "" })));
        const rows = sessions.map((/** @type {any} */ session) => row(session, session.session_id == own()));
        fill(list, rows.length ? rows : h("li", { class: "muted small" }, words.nobody));
    };
    const asking = whileShown(EVERY_MS, async () => {
        try {
            show(await api.get(userPath(user, "sessions")));
            answered();
        } catch (error) {
            if (!(error instanceof ApiError)) throw error;
            write(count, words.listFailed);
            if (error.isTemporary) answered(error.code);
        }
    });
    return { element, refresh: asking.now, close: asking.end };
}

/**
 * @param {any} session
 * @param {boolean} isOwn
 */
function row(session, isOwn) {
    const { device_name: deviceName, device_id: deviceId, device_class: deviceClass, started_at: startedAt } = session;
    return h(
        "li",
        {},
        icon(iconOf({ deviceClass })),
        h("p", {}, h("strong", {}, nameOf({ deviceName, deviceId })), sinceOf({ startedAt })),
        isOwn && h("span", { class: "badge accent" }, words.here),
    );
}
