// The player view: the film, the session that the SDK keeps for it, and what the viewer is told.
//
// What is not here: the panels over the picture (panels.js), and the list of who is watching
// (watching.js).

import { LimitReachedError, attach } from "../sdk/index.js";
import { ROOT } from "../shared/api.js";
import { clock, fill, h, icon, write } from "../shared/ui.js";
import { DEVICES, addressOf, nameOf, token } from "./accounts.js";
import { Film } from "./film.js";
import { ICONS } from "./icons.js";
import { endedPanel, failedPanel, idlePanel, refusedPanel } from "./panels.js";
import { streamPermit } from "./permits.js";
import { texts } from "./texts.js";
import { watchingList } from "./watching.js";

/** @typedef {import("./accounts.js").Seat} Seat */
/** @typedef {keyof typeof texts.status} Status */

const { player: words, log: lines } = texts;

/** How long a paused film keeps its screen. */
const PAUSE_TIMEOUT_MS = 60_000;
/** How often the page looks at the session: it has no event for a start that succeeded. */
const LOOK_MS = 200;
/** Most lines of the log. */
const LOG_MAX = 12;

/**
 * Shows the view; returns what leaves it.
 *
 * @param {HTMLElement} main
 * @param {Seat} seat
 */
export function showPlayer(main, seat) {
    const player = new Player(seat);
    fill(main, player.element);
    document.title = `${texts.devices[seat.device]} · Halflight`;
    void player.begin();
    return () => player.close();
}

class Player {
    #film = new Film();
    /** @type {Seat} */
    #seat;
    #list;
    /** @type {import("../sdk/index.js").Attachment | undefined} */
    #attachment;
    /** The session that was last seen, and its state. */
    #session = "";
    /** @type {string} */
    #state = "";
    /** Whether the last call had a problem that may pass. */
    #isRetrying = false;
    #isClosed = false;
    #looks = 0;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    #looking;

    #video = h("video", { playsinline: true, "aria-label": words.video });
    #panel = h("div", { class: "panel", hidden: true });
    #toggle = h("button", { class: "icon-button on-picture", type: "button" });
    #status = h("p", { class: "status", role: "status" });
    #log = h("ol", { class: "log num" });

    /** @param {Seat} seat */
    constructor(seat) {
        this.#seat = seat;
        this.#film.time = position(seat.user);
        const own = () => this.#attachment?.session?.id;
        this.#list = watchingList(seat.user, own, (problem) => this.#answered(problem));
        this.#video.muted = true;
        this.#video.poster = this.#film.poster();
        this.#video.srcObject = this.#film.stream();
        this.#video.addEventListener("play", () => this.#played());
        this.#video.addEventListener("pause", () => this.#paused());
        this.#toggle.onclick = () => (this.#video.paused ? this.#play() : this.#video.pause());
        this.element = this.#view();
        this.#say("idle");
        this.#show(idlePanel(() => this.#play()));
    }

    /** Plays as soon as it may: the viewer has chosen this device. */
    async begin() {
        const hold = await streamPermit();
        if (this.#isClosed) return;
        this.#attachment = attach(this.#video, () => this.#options(hold));
        this.#looking = setInterval(() => this.#look(), LOOK_MS);
        this.#play();
    }

    close() {
        this.#isClosed = true;
        clearInterval(this.#looking);
        this.#list.close();
        this.#film.halt();
        void this.#attachment?.detach();
        this.#video.srcObject = null;
    }

    /**
     * @param {boolean} hold
     * @returns {import("../sdk/index.js").AttachOptions}
     */
    #options(hold) {
        const { user, device } = this.#seat;
        return {
            url: ROOT,
            user,
            token: token(),
            hold,
            device: { id: deviceId(device), name: texts.devices[device], class: device },
            content: { id: texts.film.title, type: "film" },
            worker: new URL("../sdk/worker.js", import.meta.url),
            pauseTimeoutMs: PAUSE_TIMEOUT_MS,
            onRefused: (refusal) => this.#refused(refusal),
            onFailed: (error) => this.#failed(error),
            onEnded: (ended) => this.#ended(ended),
            onRetry: ({ code }) => this.#answered(code),
        };
    }

    #play() {
        // Refused by the browser until the viewer presses play: the button for it is shown.
        this.#video.play().catch(() => {});
    }

    #played() {
        this.#film.run();
        this.#show(undefined);
        this.#button();
    }

    #paused() {
        this.#film.halt();
        this.#button();
    }

    #button() {
        const { paused } = this.#video;
        const label = paused ? words.play : words.pause;
        fill(this.#toggle, icon(paused ? ICONS.play : ICONS.pause));
        this.#toggle.setAttribute("aria-label", label);
        this.#toggle.title = label;
    }

    /** Notices what became of the session. */
    #look() {
        const session = this.#attachment?.session;
        if (session && this.#looks++ % 5 == 0) savePosition(this.#seat.user, this.#film.time);
        if (session) this.#heard(session);
        else if (this.#session) this.#session = this.#state = "";
        if (!this.#panel.hidden) return;
        if (!session) return this.#say(this.#video.paused ? "idle" : "starting");
        if (this.#isRetrying) return this.#say("retrying");
        if (session.state == "degraded") return this.#say("degraded");
        this.#say(this.#video.paused ? "paused" : "live");
    }

    /** @param {import("../sdk/index.js").Session} session */
    #heard({ id, state, active, limit }) {
        if (id == this.#session && state == this.#state) return;
        if (state == "live") {
            const isNew = id != this.#session || !this.#state;
            this.#note(isNew ? lines.started(active, limit) : lines.confirmed);
            this.#list.refresh();
        } else if (state == "degraded") this.#note(lines.unconfirmed);
        this.#session = id;
        this.#state = state;
    }

    /**
     * The server answered a call about this user, or there was a problem that may pass.
     *
     * @param {string} [problem] its code
     */
    #answered(problem) {
        if (!problem == !this.#isRetrying) return;
        this.#isRetrying = !!problem;
        this.#note(problem ? lines.retry(problem) : lines.answers);
    }

    /** @param {LimitReachedError} refusal */
    #refused(refusal) {
        this.#note(lines.refused(refusal.limit));
        this.#say("refused");
        const takeOver = async (/** @type {import("../sdk/index.js").SessionInfo} */ other) => {
            try {
                await refusal.takeOver(other.sessionId);
                this.#note(lines.took(other.deviceName ?? words.unnamed));
            } catch (error) {
                if (error instanceof LimitReachedError) this.#refused(error);
                else this.#failed(/** @type {import("../sdk/index.js").StreamgateError} */ (error));
            }
        };
        this.#show(refusedPanel(refusal, takeOver, () => this.#play()));
        this.#list.refresh();
    }

    /** @param {import("../sdk/index.js").Ended} ended */
    #ended(ended) {
        this.#note(lines.ended(ended.reason));
        this.#say("ended");
        this.#show(endedPanel(ended, () => this.#play()));
        this.#list.refresh();
    }

    /** @param {import("../sdk/index.js").StreamgateError} error */
    #failed(error) {
        this.#note(lines.failed(error.code));
        this.#say("failed");
        this.#show(failedPanel(error, () => this.#play()));
    }

    /** @param {Status} status */
    #say(status) {
        this.#status.dataset.status = status;
        write(this.#status, texts.status[status]);
    }

    /**
     * Shows a panel over the picture, or none.
     *
     * @param {HTMLElement | undefined} panel
     */
    #show(panel) {
        const hadFocus = this.#panel.contains(document.activeElement);
        this.#panel.hidden = !panel;
        fill(this.#panel, panel);
        /** @type {HTMLElement | null | undefined} */
        const title = panel?.querySelector("h2");
        if (title) title.focus({ preventScroll: true });
        else if (!panel && hadFocus) this.#toggle.focus({ preventScroll: true });
    }

    /** @param {string} what */
    #note(what) {
        const line = h("li", {}, h("span", { class: "muted" }, clock(Date.now(), { seconds: true })), " ", what);
        this.#log.prepend(line);
        while (this.#log.childElementCount > LOG_MAX) this.#log.lastElementChild?.remove();
    }

    #view() {
        this.#button();
        const { user, device } = this.#seat;
        const { film } = texts;
        return h(
            "div",
            { class: "watch" },
            h(
                "section",
                { class: "stage-column", "aria-labelledby": "film" },
                h("div", { class: "stage" }, this.#video, h("div", { class: "controls" }, this.#toggle), this.#panel),
                this.#status,
                h(
                    "div",
                    { class: "film" },
                    h("h1", { id: "film" }, film.title),
                    h("p", { class: "muted small" }, film.facts),
                    h("p", {}, film.about),
                ),
            ),
            h(
                "div",
                { class: "side" },
                h(
                    "section",
                    { class: "card who", "aria-label": words.account(nameOf(user)) },
                    h("span", { class: "avatar small", "aria-hidden": "true" }, nameOf(user)[0].toUpperCase()),
                    h(
                        "p",
                        {},
                        h("strong", {}, nameOf(user)),
                        h("span", { class: "muted small" }, texts.devices[device]),
                    ),
                    h("a", { class: "button quiet", href: "#" }, words.signOut),
                ),
                this.#list.element,
                h(
                    "section",
                    { class: "card more", "aria-labelledby": "more" },
                    h("h2", { id: "more" }, words.openMore),
                    h("p", { class: "muted small" }, words.openMoreHint),
                    h("ul", { class: "devices" }, DEVICES.map((other) => deviceLink(user, other))),
                ),
                h(
                    "section",
                    { class: "card happens", "aria-labelledby": "log" },
                    h("h2", { id: "log" }, words.log),
                    h("p", { class: "muted small" }, words.logHint),
                    this.#log,
                ),
            ),
        );
    }
}

/**
 * A link that opens another tab, as another device. As an opener it passes the token on.
 *
 * @param {string} user
 * @param {import("./accounts.js").Device} device
 */
function deviceLink(user, device) {
    const link = { class: "button", href: addressOf({ user, device }), target: "_blank", rel: "opener" };
    return h("li", {}, h("a", link, icon(ICONS[device]), texts.devices[device]));
}

const AT = "streamgate-demo:at:";

/**
 * Where the user was in the film, on whichever device.
 *
 * @param {string} user
 */
function position(user) {
    return Number(localStorage.getItem(AT + user)) || 0;
}

/**
 * @param {string} user
 * @param {number} time
 */
function savePosition(user, time) {
    localStorage.setItem(AT + user, time.toFixed(2));
}

/**
 * The id of the device: it stays for the tab, so that the viewer sees the same one after a reload.
 *
 * @param {string} device
 */
function deviceId(device) {
    const key = "streamgate-demo:device";
    const known = sessionStorage.getItem(key);
    const own = known ?? Math.random().toString(36).slice(2, 8);
    if (!known) sessionStorage.setItem(key, own);
    return `${device}-${own}`;
}
