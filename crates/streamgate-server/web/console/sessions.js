// A session that holds a slot: device, content, since when, and what is left of its lease.

import { duration, h, write } from "../shared/ui.js";
import { fullTime, moment } from "./format.js";
import { deviceName } from "./parts.js";
import { texts } from "./texts.js";

const T = texts.user;

/** The row of a session, for `keyed`; `tick` moves its times on. */
export function sessionRow(/** @type {(session: any) => void} */ onStop) {
    const [name, content, since, left] = ["strong", "span", "span", "span"].map((tag) =>
        h(/** @type {"span"} */ (tag)),
    );
    const kind = h("span", { class: "badge" });
    const bar = h("span", { class: "lease-left" });
    const stop = h(
        "button",
        { type: "button", class: "button danger", onclick: () => onStop(shown) },
        T.stop,
    );
    /** @type {any} */
    let shown;

    content.className = "mono";
    since.className = left.className = "num muted small";
    const element = h(
        "li",
        { class: "session card" },
        h("div", { class: "session-what" }, h("p", {}, name, " ", kind), h("p", {}, content), since),
        h(
            "div",
            { class: "lease", title: T.leaseTitle },
            h("span", { class: "lease-bar", "aria-hidden": "true" }, bar),
            left,
        ),
        stop,
    );

    function update(/** @type {any} */ session) {
        shown = session;
        const device = deviceName(session, T.nameless);
        write(name, device);
        name.title = `${T.session} ${session.session_id}`;
        kind.hidden = !session.device_class || session.device_class == device;
        write(kind, session.device_class ?? "");
        write(content, contentOf(session));
        since.title = fullTime(session.started_at);
        stop.setAttribute("aria-label", T.stopLabel(device));
    }

    function tick(/** @type {number} */ now) {
        const [start, seen, end] = ["started_at", "last_seen_at", "expires_at"].map((at) =>
            Date.parse(shown[at]),
        );
        write(since, T.since(moment(start, now), duration(now - start)));
        write(left, end > now ? T.left(duration(end - now)) : T.over);
        const rest = Math.min(Math.max((end - now) / Math.max(end - seen, 1), 0), 1);
        bar.style.transform = `scaleX(${rest.toFixed(3)})`;
    }

    return { element, update, tick };
}

/** What plays, and of which kind. */
const contentOf = (/** @type {any} */ { content_id, content_type }) =>
    [content_id, content_type && `(${content_type})`].filter((part) => part).join(" ");
