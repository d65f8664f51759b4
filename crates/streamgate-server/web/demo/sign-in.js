// The first view: who is watching? And what to do where the server asks for a credential.

import { ApiError, ROOT, userPath } from "../shared/api.js";
import { copyButton, fill, h } from "../shared/ui.js";
import { ACCOUNTS, addressOf, signIn, signInAs, signInByToken } from "./accounts.js";
import { texts } from "./texts.js";

const { signIn: words, keys } = texts;

/** Below this width the device is taken for a phone. */
const PHONE_BELOW_PX = 600;

/**
 * Shows the view; returns what leaves it.
 *
 * @param {HTMLElement} main
 */
export function showSignIn(main) {
    const answer = h("div", { "aria-live": "polite", class: "answer" });
    const accounts = ACCOUNTS.map((account) =>
        h(
            "li",
            {},
            h(
                "button",
                { class: "account", type: "button", onclick: () => enter(answer, () => signIn(account), account.user) },
                h("span", { class: "avatar", "aria-hidden": "true" }, account.name[0]),
                h("span", { class: "account-name" }, account.name),
                h("span", { class: "muted small" }, `${account.plan} · ${words.screens(account.limit)}`),
            ),
        ),
    );
    const title = h("h1", { tabindex: "-1" }, words.title);
    fill(
        main,
        h(
            "div",
            { class: "sign-in" },
            h("div", { class: "intro" }, title, h("p", { class: "muted" }, words.about)),
            h("ul", { class: "accounts" }, accounts),
            answer,
            anybody(answer),
        ),
    );
    document.title = "Halflight · Streamgate demo";
    return () => {};
}

/**
 * The form for any user id.
 *
 * @param {HTMLElement} answer
 */
function anybody(answer) {
    const name = h("input", { id: "name", autocomplete: "off", spellcheck: "false", maxlength: "256" });
    const error = h("p", { class: "error", id: "name-error", hidden: true }, words.nameMissing);
    const submit = (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        const user = name.value.trim();
        error.hidden = !!user;
        name.setAttribute("aria-invalid", String(!user));
        if (user) void enter(answer, () => signInAs(user), user);
        else name.focus();
    };
    return h(
        "form",
        { class: "anybody", onsubmit: submit, novalidate: true },
        h("h2", {}, words.other),
        h(
            "div",
            { class: "field" },
            h("label", { for: "name" }, words.name),
            h("div", { class: "in-row" }, name, h("button", { class: "button", type: "submit" }, words.go)),
            h("p", { class: "hint", id: "name-hint" }, words.otherHint),
            error,
        ),
    );
}

/**
 * Signs in, and goes on to the player.
 *
 * @param {HTMLElement} answer where problems are told
 * @param {() => Promise<unknown>} by
 * @param {string} user
 */
async function enter(answer, by, user) {
    const later = setTimeout(() => fill(answer, h("p", { class: "muted" }, words.waiting)), 300);
    try {
        await by();
        go(user);
    } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        fill(answer, error.status == 401 ? askForToken(user) : problem(error));
        answer.scrollIntoView({ block: "nearest" });
    } finally {
        clearTimeout(later);
    }
}

/** @param {string} user */
function go(user) {
    const device = innerWidth < PHONE_BELOW_PX ? "phone" : "laptop";
    location.hash = addressOf({ user, device });
}

/** @param {ApiError} error */
function problem(error) {
    const { unreachable, unreachableAbout, other } = texts.failed;
    const isAway = error.code == "unreachable";
    return h(
        "div",
        { class: "state error" },
        h("h2", {}, isAway ? unreachable : other),
        h("p", {}, isAway ? unreachableAbout : error.message),
    );
}

/**
 * What to do on a server with keys.
 *
 * @param {string} user
 */
function askForToken(user) {
    const field = h("input", {
        id: "token",
        autocomplete: "off",
        spellcheck: "false",
        "aria-describedby": "token-hint token-error",
    });
    const error = h("p", { class: "error", id: "token-error" });
    const button = h("button", { class: "button primary", type: "submit" }, keys.go);
    const submit = async (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        button.setAttribute("aria-busy", "true");
        try {
            const user = await signInByToken(field.value.trim());
            if (user) return go(user);
            fill(error, keys.wrong);
        } catch (cause) {
            if (!(cause instanceof ApiError)) throw cause;
            fill(error, keys.refused(cause.message));
        } finally {
            button.removeAttribute("aria-busy");
        }
        field.setAttribute("aria-invalid", "true");
        field.focus();
    };
    return h(
        "form",
        { class: "state keys", onsubmit: submit, novalidate: true },
        h("h2", {}, keys.title),
        h("p", {}, keys.about),
        h("p", {}, keys.own),
        line(keys.ownCommand),
        h("p", {}, keys.token),
        line(keys.tokenCommand(new URL(userPath(user, "tokens"), ROOT).href)),
        h(
            "div",
            { class: "field" },
            h("label", { for: "token" }, keys.field),
            field,
            h("p", { class: "hint", id: "token-hint" }, keys.fieldHint),
            error,
        ),
        button,
    );
}

/** @param {string} command */
function line(command) {
    return h(
        "div",
        { class: "code" },
        h("pre", { class: "wrap" }, command),
        copyButton(() => command, texts.copy),
    );
}

