// What an operator does to a user: stop a session, change limit and plan and undo it, mint a token.

import { userPath } from "../shared/api.js";
import { ask, copyButton, h } from "../shared/ui.js";
import { clock } from "./format.js";
import { deviceName, formDialog, formError, onSubmit, uniqueId } from "./parts.js";
import { texts } from "./texts.js";

/**
 * @typedef {import("./connection.js").Connection} Connection
 * @typedef {{ limit: number | null, plan: string | null }} Terms what is set for a user: null where
 *     nothing of its own is
 */

/** What is set for a user, from `GET /v1/users/{user_id}`. @param {any} user @returns {Terms} */
export const termsOf = (user) => ({
    limit: user?.limit_source == "user" ? user.limit : null,
    plan: user?.plan ?? null,
});

/**
 * Stops a session, if the operator confirms it; whether it was stopped.
 *
 * @param {Connection} connection
 * @param {any} session
 */
export async function stop(connection, session) {
    const T = texts.stop;
    const device = deviceName(session, texts.user.nameless);
    const body = [h("p", {}, T.text), h("p", {}, T.forever)];
    const labels = { title: T.title(device), confirm: T.confirm, cancel: T.cancel };
    if (!(await ask({ ...labels, body, danger: true }))) return false;
    await connection.del(userPath(session.user_id, "sessions", session.session_id));
    return true;
}

/** What was changed, in words. @param {Terms} before @param {Terms} after */
export function changes(before, after) {
    const T = texts.change;
    const limit = (/** @type {Terms} */ { limit }) => (limit == null ? T.default : String(limit));
    const plan = (/** @type {Terms} */ { plan }) => plan ?? T.none;
    const all = [
        before.limit != after.limit && T.limit(limit(before), limit(after)),
        before.plan != after.plan && T.planTo(plan(before), plan(after)),
    ];
    return all.filter((one) => one).join(", ");
}

/**
 * Asks for limit and plan, and sets them.
 *
 * @param {Connection} connection
 * @param {string} user
 * @param {Terms} before
 * @param {string[]} plans names to suggest
 * @param {(before: Terms, after: Terms) => void} onDone
 */
export function change(connection, user, before, plans, onDone) {
    const T = texts.change;
    const { box, form } = formDialog(T.title(user));
    const [planId, listId, limitId, hintId] = ["plan", "plans", "limit", "hint"].map(uniqueId);
    const names = h(
        "datalist",
        { id: listId },
        plans.map((name) => h("option", { value: name })),
    );
    const text = { id: planId, value: before.plan, maxlength: 256, autocomplete: "off" };
    const plan = h("input", { ...text, list: listId, "aria-describedby": hintId });
    const bounds = { type: "number", min: 0, max: 1000, step: 1, required: true };
    const limit = h("input", { id: limitId, ...bounds, value: before.limit, "aria-label": T.ownLabel });
    const radio = (/** @type {boolean} */ checked) =>
        h("input", { type: "radio", name: "limit-of", checked, onchange: show });
    const [shared, own] = [radio(before.limit == null), radio(before.limit != null)];
    function show() {
        limit.disabled = shared.checked;
        if (own.checked) limit.focus();
    }
    limit.disabled = shared.checked;
    form.append(
        h(
            "fieldset",
            { class: "choices" },
            h("legend", {}, T.limitOf),
            h("label", {}, shared, T.shared),
            h("div", { class: "choice" }, h("label", {}, own, T.own), limit),
            h("p", { class: "muted small" }, T.block),
        ),
        h(
            "div",
            { class: "field" },
            h("label", { for: planId }, T.plan),
            plan,
            names,
            h("p", { class: "hint", id: hintId }, T.planHint),
        ),
        formError(),
        actions(T.cancel, () => box.close(), T.save),
    );
    onSubmit(form, async () => {
        const after = {
            limit: shared.checked ? null : Number(limit.value),
            plan: plan.value.trim() || null,
        };
        await connection.put(userPath(user), after);
        box.close();
        onDone(before, after);
    });
    box.showModal();
}

/**
 * Sets limit and plan back, unless someone else has changed them since; whether it did.
 *
 * @param {Connection} connection
 * @param {string} user
 * @param {Terms} before
 * @param {Terms} after
 */
export async function undo(connection, user, before, after) {
    const now = termsOf(await connection.get(userPath(user)).catch(ifUnknown));
    if (changes(now, after)) return false;
    await connection.put(userPath(user), before);
    return true;
}

/** A user whose last setting was cleared is unknown again. @param {any} error */
export function ifUnknown(error) {
    if (error.status == 404) return null;
    throw error;
}

/**
 * Mints a token, and shows it once.
 *
 * @param {Connection} connection
 * @param {string} user
 */
export function mint(connection, user) {
    const T = texts.mint;
    const { box, form } = formDialog(T.title(user));
    const id = uniqueId("ttl");
    const options = Object.entries(T.ttls).map(([ttl, text]) =>
        h("option", { value: ttl, selected: ttl == "3600" }, text),
    );
    const ttl = h("select", { id }, options);
    form.append(
        h("p", { class: "muted" }, T.text),
        h("div", { class: "field" }, h("label", { for: id }, T.ttl), ttl),
        formError(),
        actions(T.cancel, () => box.close(), T.make),
    );
    onSubmit(form, async () => {
        const minted = await connection.post(userPath(user, "tokens"), { ttl_s: Number(ttl.value) });
        const tokenId = uniqueId("token");
        const token = h("textarea", { id: tokenId, class: "mono token", readonly: true, rows: 8 });
        token.value = minted.token;
        const labels = { copy: T.copy, copied: T.copied, failed: T.notCopied };
        const close = h("button", { type: "button", class: "button", onclick: () => box.close() }, T.close);
        form.replaceChildren(
            /** @type {Node} */ (form.firstElementChild),
            h(
                "div",
                { class: "field" },
                h("label", { for: tokenId }, T.token),
                h(
                    "div",
                    { class: "with-copy" },
                    token,
                    copyButton(() => minted.token, labels),
                ),
            ),
            h("p", {}, T.expires(clock(minted.expires_at), options[ttl.selectedIndex].text)),
            h("p", { class: "muted small" }, T.text),
            h("div", { class: "actions" }, close),
        );
        token.focus();
        token.select();
    });
    box.showModal();
}

/** The buttons of a form. */
const actions = (
    /** @type {string} */ cancel,
    /** @type {() => void} */ onCancel,
    /** @type {string} */ confirm,
) =>
    h(
        "div",
        { class: "actions" },
        h("button", { type: "button", class: "button", onclick: onCancel }, cancel),
        h("button", { class: "button primary" }, confirm),
    );
